"""Which record stands behind which signal: kept beside the journal, and named by its hash in each start document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ophyd import Device
from ophyd.signal import EpicsSignalBase

from beamline.station.connect import epics_signals

FOLDER = "pv_maps"
"""Below the data root."""


def pv_map(devices: Mapping[str, Device]) -> dict[str, dict[str, str]]:
    """Device to signal to record, of all devices; signals by their names below the device. Connects nothing."""
    return {
        name: {signal.dotted_name or signal.name: _record(signal) for signal in epics_signals(device)}
        for name, device in devices.items()
        if epics_signals(device)
    }


def _record(signal: EpicsSignalBase) -> str:
    return str(getattr(signal, "setpoint_pvname", signal.pvname))


def keep_pv_map(devices: Mapping[str, Device], root: Path) -> str:
    """Keep the map of records in a file of its own below the data root, once for each that there was.

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
        draft = path.with_suffix(".part")
        draft.write_bytes(content)
        draft.replace(path)
    return name
