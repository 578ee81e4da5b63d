"""What a scan watches while it counts: axes, settings, states."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields

from beamline.config.models import load
from beamline.station.beamline import Beamline
from beamline.station.build import build
from beamline.station.components import find_signal
from beamline.station.roles import AXES, readback_of
from beamline.station.watched import watched_settings, watched_states
from docs.generator.devices import LOCAL_ONLY
from docs.generator.markdown import code, table
from plans.watch import Tolerances

HEADINGS = ("in the session", "record", "has to be", "tolerance")
UNITS = {"energy": "keV", "delay": "ps", "fluence": "relative"}


def watched() -> str:
    """A table of everything that is watched in the simulated configuration. Nothing is waited for."""
    for key, value in LOCAL_ONLY.items():
        os.environ.setdefault(key, value)
    return table(HEADINGS, _rows(build(load("simulated"))))


def _rows(beamline: Beamline) -> Iterator[tuple[str, ...]]:
    devices = beamline.devices()
    defaults = {field.name: field.default for field in fields(Tolerances)}
    for axis in (each for each in AXES if beamline.find(each) is not None):
        path = _path_of(beamline, axis)
        allowed = f"{defaults[axis]:g} {UNITS[axis]}"
        yield code(path), _record(devices, path), "at the point of the scan", allowed
    shutter = f"{beamline.roles.laser_shutter}.status"
    yield code(shutter), _record(devices, shutter), "as the dwell requires", ""
    for path, tolerance in watched_settings(devices).items():
        unit = getattr(find_signal(devices, path), "_declared_units", None) or ""
        yield (
            code(path),
            _record(devices, path),
            "as at the begin",
            f"{tolerance:g} {unit}".strip() if tolerance else "",
        )
    for path in watched_states(devices):
        yield code(path), _record(devices, path), "unchanged during a dwell", ""


def _path_of(beamline: Beamline, role: str) -> str:
    """Name in the session of the readback of an axis."""
    return f"{getattr(beamline.roles, role)}.{readback_of(beamline.role(role)).dotted_name}"


def _record(devices: dict[str, object], path: str) -> str:
    signal = find_signal(devices, path)  # type: ignore[arg-type]
    name = getattr(signal, "pvname", "") or getattr(getattr(signal, "derived_from", None), "pvname", "")
    return code(str(name).removeprefix("sim:"))
