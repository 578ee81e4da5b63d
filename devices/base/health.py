"""Problems of a device, as sentences that name the device and the record."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import Any

from ophyd import Device
from ophyd.signal import EpicsSignalBase

SEVERITIES = ("no alarm", "MINOR", "MAJOR", "INVALID")


def problems(device: Device) -> list[str]:
    """The present problems of a device; empty if there are none.

    Records that are disconnected, in alarm, or not a number, from monitors and the last readings; a server whose
    heartbeat has stopped; and what the device itself reports (`complaints`).

    Parameters
    ----------
    device : ophyd.Device
        A device of `devices`. Takes up to a second and a half where a server hangs.
    """
    lost = [f"{name} is not connected" for name in _lost(device)]
    if lost:
        return [f"{device.name}: {sentence}" for sentence in lost]
    server = getattr(device, "server", None)
    if server is not None and not server.is_fresh:
        heartbeat = server.heartbeat
        return [f"{device.name}: {heartbeat.pvname} has not counted for {heartbeat.age:.1f} s, its server hangs"]
    found = [sentence for signal in _signals(device) for sentence in _of_signal(signal)]
    found += getattr(device, "complaints", list)()
    return [f"{device.name}: {sentence}" for sentence in dict.fromkeys(found)]


def _signals(device: Device) -> Iterator[EpicsSignalBase]:
    for entry in device.walk_signals(include_lazy=True):
        if isinstance(entry.item, EpicsSignalBase):
            yield entry.item


def _lost(device: Device) -> list[str]:
    names = [name for signal in _signals(device) for name, there in signal._connection_states.items() if not there]
    return sorted(set(names))


def _of_signal(signal: EpicsSignalBase) -> Iterator[str]:
    severity = int(signal.alarm_severity or 0)
    if severity:
        yield f"{signal.pvname} is in {SEVERITIES[severity]} alarm"
    value: Any = signal._readback
    if isinstance(value, float) and isnan(value):
        yield f"{signal.pvname} is not a number"
