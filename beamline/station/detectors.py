"""The detectors of a beamline for start documents, and what a device needs to be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Device, Signal

from beamline.config.detectors import DetectorEntry
from beamline.station.beamline import Beamline
from plans.compilation.edges import find_edge
from reduction.documents.detectors import COUNTER, FOIL, FPGA, Detector
from reduction.spectra.calibrate import E0


def detector_entries(detectors: Mapping[str, DetectorEntry], beamline: Beamline) -> dict[str, dict[str, Any]]:
    """Entry ``detectors`` of start documents; empty for the one counter that is meant without it.

    Parameters
    ----------
    detectors : mapping
        Of the configuration; without any, the photon counters of the role `counters`.
    beamline : Beamline
    """
    if detectors:
        return {name: _with_e0(entry.document()) for name, entry in detectors.items()}
    counters = [device.name for device in beamline.all("counters") if hasattr(type(device), "gates")]
    if counters in ([], [FPGA.name]):
        return {}
    return {name: {"kind": COUNTER, "device": name} for name in counters}


def _with_e0(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with the energy (keV) of the edge of a foil that the reduction has no table of."""
    if entry["kind"] != FOIL or not entry.get("edge") or "e0" in entry or entry["edge"] in E0:
        return entry
    return {**entry, "e0": find_edge(entry["edge"]).e0}


def unread_detectors(detectors: Mapping[str, DetectorEntry], beamline: Beamline, read: list[Any]) -> Iterator[str]:
    """A sentence for each detector without its readings in a dwell.

    Parameters
    ----------
    read : list
        Devices that are read in a dwell.
    """
    for name, entry in detectors.items():
        try:
            part = beamline.part(entry.device)
        except LookupError as error:
            yield f"detectors.{name}.device: {error.args[0]}"
            continue
        given = set(_keys(part))
        if missing := [key for key in _detector(name, entry).needed if key not in given]:
            yield f"detectors.{name}: {entry.device} is no {entry.kind}: it has no reading {missing[0]}"
        elif beamline[entry.device.partition(".")[0]] not in read:
            role = "readables" if entry.kind in ("transmission", "foil") else "counters"
            yield f"detectors.{name}: {entry.device} is not read in a dwell; add it to {role} below [roles]"


def _detector(name: str, entry: DetectorEntry) -> Detector:
    return Detector(name, entry.kind, entry.device, live_time=entry.live_time)


def _keys(device: Device) -> Iterator[str]:
    parts = (getattr(device, attribute) for attribute in getattr(device, "read_attrs", ()))
    yield from (part.name for part in parts if isinstance(part, Signal))
