"""Soft signals whose values outlive a session: what has been measured of the beamline, not what a scan sets."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ophyd import Device

from beamline.session.persistent.state import State, StateFile
from beamline.station.components import find_signal

KEPT = ("laser_delay.t0", "mono.calibration_offset")


def _signals(devices: Mapping[str, Device]) -> dict[str, Any]:
    """The kept signals by their dotted names."""
    return {path: find_signal(devices, path) for path in KEPT}


def recall_signals(devices: Mapping[str, Device], state: State) -> None:
    """Put what was kept into the signals; what was not keeps the value of its device."""
    for path, signal in _signals(devices).items():
        if path in state.signals:
            signal.put(state.signals[path])


def keep_signals(devices: Mapping[str, Device], kept: StateFile) -> None:
    """Recall the signals, and from now on keep each change of them."""
    recall_signals(devices, kept.state)
    for path, signal in _signals(devices).items():

        def changed(*, value: Any, path: str = path, **_: Any) -> None:
            if isfinite(value) and kept.state.signals.get(path) != value:
                kept.keep(signals={**kept.state.signals, path: float(value)})

        signal.subscribe(changed, run=False)
