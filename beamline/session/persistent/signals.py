"""Soft signals whose values outlive a session: measured parameters of the beamline, not settings of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ophyd import Device

from beamline.session.persistent.state import State, StateFile


def _signals(devices: Mapping[str, Device]) -> dict[str, Any]:
    """The signals that device classes declare as persistent, by their dotted names."""
    return {
        f"{name}.{attribute}": getattr(device, attribute)
        for name, device in devices.items()
        for attribute in getattr(device, "persistent", ())
    }


def restore_signals(devices: Mapping[str, Device], state: State) -> None:
    """Restore stored values; other signals retain the defaults of their devices."""
    for path, signal in _signals(devices).items():
        if path in state.signals:
            signal.put(state.signals[path])


def persist_signals(devices: Mapping[str, Device], state_file: StateFile) -> None:
    """Restore the signals, and store each change from now on."""
    restore_signals(devices, state_file.state)
    for path, signal in _signals(devices).items():

        def changed(*, value: Any, path: str = path, **_: Any) -> None:
            if isfinite(value) and state_file.state.signals.get(path) != value:
                state_file.update(signals={**state_file.state.signals, path: float(value)})

        signal.subscribe(changed, run=False)
