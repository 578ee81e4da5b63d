"""Waits for all records of all devices at once and names every one that is missing."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ophyd import Device
from ophyd.signal import EpicsSignalBase


class NotConnectedError(Exception):
    """Records did not answer; the message names them with their devices."""


def epics_signals(device: Device) -> list[EpicsSignalBase]:
    """All signals of a device that stand for records."""
    walked = (entry.item for entry in device.walk_signals(include_lazy=True))
    return [signal for signal in walked if isinstance(signal, EpicsSignalBase)]


def refuse_puts(device: Device) -> None:
    """From now on every put to a record of this device is refused before it is sent."""
    for signal in epics_signals(device):
        signal._metadata["write_access"] = False


def connect(devices: Mapping[str, Device], timeout: float) -> None:
    """Wait until every record has answered, or name all that have not after `timeout` seconds.

    Raises
    ------
    NotConnectedError
    """
    deadline = time.monotonic() + timeout
    missing: dict[str, list[str]] = {}
    for name, device in devices.items():
        for signal in epics_signals(device):
            try:
                signal.wait_for_connection(timeout=max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                missing.setdefault(name, []).extend(_unanswered(signal))
    if missing:
        count = sum(len(names) for names in missing.values())
        listed = "; ".join(f"{name}: {', '.join(sorted(set(records)))}" for name, records in missing.items())
        raise NotConnectedError(
            f"{count} records did not answer within {timeout:g} s ({listed}). Is the IOC running, are prefixes and"
            " EPICS_CA_ADDR_LIST right?"
        )


def _unanswered(signal: EpicsSignalBase) -> list[str]:
    return [name for name, there in signal._connection_states.items() if not there] or [signal.pvname]
