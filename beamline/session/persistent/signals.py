"""Soft signals whose values outlive a session: what has been measured of the beamline, not what a scan sets."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ophyd import Device

from beamline.session.persistent.state import State, StateFile
from beamline.station.components import find_signal

PERSISTENT = ("laser_delay.t0", "mono.calibration_offset")


def _signals(devices: Mapping[str, Device]) -> dict[str, Any]:
    """The kept signals by their dotted names."""
    return {path: find_signal(devices, path) for path in PERSISTENT}


def restore_signals(devices: Mapping[str, Device], state: State) -> None:
    """Put what was kept into the signals; what was not keeps the value of its device."""
    for path, signal in _signals(devices).items():
        if path in state.signals:
            signal.put(state.signals[path])


def persist_signals(devices: Mapping[str, Device], state_file: StateFile) -> None:
    """Recall the signals, and from now on keep each change of them."""
    restore_signals(devices, state_file.state)
    for path, signal in _signals(devices).items():

        def changed(*, value: Any, path: str = path, **_: Any) -> None:
            if isfinite(value) and state_file.state.signals.get(path) != value:
                state_file.update(signals={**state_file.state.signals, path: float(value)})

        signal.subscribe(changed, run=False)
