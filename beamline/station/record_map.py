"""The map from signals to records: stored beside the journal, and referenced by its hash in each start document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ophyd import Device
from ophyd.signal import EpicsSignalBase

from beamline.config.own_files import replace_file
from beamline.station.connect import epics_signals

FOLDER = "pv_maps"
"""Folder below the data root."""


def pv_map(devices: Mapping[str, Device]) -> dict[str, dict[str, str]]:
    """Record names by device and signal name. Connects nothing."""
    return {
        name: {signal.dotted_name or signal.name: _record(signal) for signal in epics_signals(device)}
        for name, device in devices.items()
        if epics_signals(device)
    }


def _record(signal: EpicsSignalBase) -> str:
    return str(getattr(signal, "setpoint_pvname", signal.pvname))


def store_pv_map(devices: Mapping[str, Device], root: Path) -> str:
    """Store the map of records in a file below the data root, one for each version of the map.

    Returns
    -------
    str
        First 16 hex digits of the SHA-256 of the file, which is ``pv_maps/<hash>.json``.
    """
    content = json.dumps(pv_map(devices), indent=1, sort_keys=True).encode()
    name = hashlib.sha256(content).hexdigest()[:16]
    path = root / FOLDER / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    return name
