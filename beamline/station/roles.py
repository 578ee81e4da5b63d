"""What a device needs to play a role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Signal

from beamline.station.beamline import Beamline

AXES = ("energy", "delay", "fluence", "temperature")
"""Roles of axes."""
NEEDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "energy": (("set", "check_value", "hints"), "an axis that can be set"),
    "delay": (("set", "check_value", "hints"), "an axis that can be set"),
    "fluence": (("set", "check_value", "hints"), "an axis that can be set"),
    "temperature": (("set", "check_value", "hints", "is_at"), "a temperature that can be set"),
    "area_detector": (("trigger", "preset_time", "counted_key", "file"), "an area detector"),
    "sweep": (("kickoff", "complete", "collect", "prepare", "check_trajectory"), "a sweep of the energy"),
    "attenuator": (("set", "check_value", "hints"), "an axis that can be set"),
    "i0_gain": (("set", "check_value", "hints"), "a gain that can be set"),
    "foil_stage": (("set", "check_value", "hints"), "an axis that can be set"),
    "laser_focus": (("set", "check_value", "hints"), "an axis that can be set"),
    "knife": (("set", "check_value", "hints"), "an axis that can be set"),
    "knife_diode": (("read",), "a device that can be read"),
    "second_crystal": (("set", "check_value", "hints"), "an axis that can be set"),
    "laser_steering": (("set", "check_value", "hints"), "an axis that can be set"),
    "laser_shutter": (("set",), "a shutter that takes 1 (open) and 0 (shut)"),
    "xray_shutter": (("set",), "a shutter that takes 1 (open) and 0 (shut)"),
    "i0": (("trigger", "preset_time", "counted_key"), "a detector that counts for a preset time"),
    "counters": (("trigger", "preset_time", "counted_key"), "a detector that counts for a preset time"),
    "timing": (("num_bunches", "bunch_places", "laser_divider", "laser_rate"), "a bunch timing"),
    "bunch_currents": (("read",), "a device that can be read"),
    "threshold": (("set", "check_value", "hints"), "a threshold that can be set"),
    "ring": (("current",), "a storage ring"),
    "readables": (("read",), "a device that can be read"),
    "digitiser": (("rows", "folder", "collect_asset_docs"), "a shot-by-shot digitiser"),
    "controller": (("text",), "a record for the controlling session"),
    "put_logs": (("line",), "a put log"),
}
"""By role, the attributes that plans and session use of its devices, and what such a device is."""


def missing_parts(beamline: Beamline) -> Iterator[str]:
    """A sentence for each device that cannot play its role."""
    for role, names in beamline.roles.entries().items():
        attributes, kind = NEEDS[role]
        for name in [names] if isinstance(names, str) else names:
            try:
                found = beamline.part(name)
            except LookupError as error:
                yield f"roles.{role}: {error.args[0]}"
                continue
            if lacking := [each for each in attributes if not hasattr(type(found), each)]:
                yield f"roles.{role}: {name} is not {kind}: it has no {' and no '.join(lacking)}"


def readback_of(axis: Any) -> Signal:
    """The signal that shows where an axis is: the first of its hints.

    Raises
    ------
    LookupError
        If it names none.
    """
    fields = axis.hints.get("fields", [])
    for entry in axis.walk_signals(include_lazy=True):
        if fields and entry.item.name == fields[0]:
            return entry.item  # type: ignore[no-any-return]
    raise LookupError(f"{axis.name} does not say which signal is its readback: set its kind to hinted")
