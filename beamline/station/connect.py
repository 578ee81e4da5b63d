"""Waits for all records of all devices together, and reports every one that is missing or of the wrong type."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack

from ophyd import Device
from ophyd.signal import EpicsSignalBase

from devices.base.settings import Setting
from devices.channel_access import PV, access_rights, has_connected

PATIENCE = 5.0
"""Seconds after which a record that has not answered is asked again."""
UNKNOWN = "unknown"
"""Type of a channel that has not connected, in pyepics."""
WHY = "Is the IOC running, are prefixes and EPICS_CA_ADDR_LIST right?"
MOST_NAMED = 3
"""Most records of a device named in the brief message."""


class NotConnectedError(Exception):
    """Records did not connect, or have an unexpected type or length; the message names them by device.

    Attributes
    ----------
    brief : str
        The message with only a few records of each device.
    """

    def __init__(self, message: str, brief: str) -> None:
        super().__init__(message)
        self.brief = brief


def epics_signals(device: Device) -> list[EpicsSignalBase]:
    """All EPICS signals of a device."""
    walked = (entry.item for entry in device.walk_signals(include_lazy=True))
    return [signal for signal in walked if isinstance(signal, EpicsSignalBase)]


def refuse_puts(device: Device, why: str) -> None:
    """Refuse every later put to a record of this device before it is sent, for this reason."""
    for signal in epics_signals(device):
        if isinstance(signal, Setting):
            signal.refusal = why


def connect(devices: Mapping[str, Device], timeout: float) -> None:
    """Wait until every record has connected; after `timeout` seconds report all that have not.

    Types and lengths of connected records are compared with those that their signals expect. All faults are reported
    together.

    Raises
    ------
    NotConnectedError
    """
    deadline = time.monotonic() + timeout
    missing: dict[str, set[str]] = {}
    odd: dict[str, set[str]] = {}
    answered = False
    for name, device in devices.items():
        for signal in epics_signals(device):
            try:
                _wait_until_ready(signal, deadline)
                _learn_type(signal)
            except TimeoutError:
                missing.setdefault(name, set()).update(_unanswered(signal))
            else:
                answered = True
                if mismatch := getattr(signal, "mismatch", str)():
                    odd.setdefault(name, set()).add(mismatch)
    if missing or odd:
        brief = _described(missing, odd, timeout, MOST_NAMED) if answered else _nothing_answered(missing, timeout)
        raise NotConnectedError(_described(missing, odd, timeout, None), brief)


def disconnect(devices: Mapping[str, Device]) -> None:
    """Close the channels of these devices, which cannot be used any more.

    Else they would stay until the process ends, each with the callbacks of all sessions that it had.
    """
    with ExitStack() as closing:  # a device that fails does not keep the others
        for device in devices.values():
            closing.callback(device.destroy)


def _described(missing: Mapping[str, set[str]], odd: Mapping[str, set[str]], timeout: float, most: int | None) -> str:
    """Describe all faults; with `most`, name at most so many records of each device."""
    sentences = []
    if missing:
        sentences.append(f"{_records(missing)} did not answer within {timeout:g} s ({_listed(missing, most)}). {WHY}")
    if odd:
        sentences.append(
            f"{_records(odd)} not as expected ({_listed(odd, most)}). Do the prefixes belong to these devices?"
        )
    return " ".join(sentences)


def _nothing_answered(missing: Mapping[str, set[str]], timeout: float) -> str:
    """Describe that no record at all connected, which is not the fault of one device."""
    device, names = next(iter(missing.items()))
    count = sum(len(each) for each in missing.values())
    return f"None of {count} records answered within {timeout:g} s ({device}: {min(names)} and {count - 1} more). {WHY}"


def _wait_until_ready(signal: EpicsSignalBase, deadline: float) -> None:
    """Wait for channels, metadata and access rights, and ask again for what a busy machine has missed meanwhile."""
    while True:
        left = max(0.01, deadline - time.monotonic())
        try:
            signal.wait_for_connection(timeout=min(PATIENCE, left))
        except TimeoutError:
            if left <= PATIENCE:
                raise
            _repeat_notifications(signal)
        else:
            return


def _repeat_notifications(signal: EpicsSignalBase) -> None:
    """Repeat what libca reports once about a connected channel: connection and access rights."""
    for channel in _channels(signal):
        if has_connected(channel):
            signal._pv_access_callback(*access_rights(channel), channel)
            channel.force_connect()


def _learn_type(signal: EpicsSignalBase) -> None:
    """Ask libca for a type that pyepics has lost.

    A channel that connects while its PV is still being made has its type overwritten by "unknown", for good.
    """
    for channel in _channels(signal):
        if channel.type == UNKNOWN:
            channel.force_connect()


def _channels(signal: EpicsSignalBase) -> list[PV]:
    """Readback and setpoint; once if they are the same."""
    write = getattr(signal, "_write_pv", signal._read_pv)
    return [signal._read_pv] if write is signal._read_pv else [signal._read_pv, write]


def _records(found: Mapping[str, set[str]]) -> str:
    count = sum(len(names) for names in found.values())
    return "1 record" if count == 1 else f"{count} records"


def _listed(found: Mapping[str, set[str]], most: int | None) -> str:
    return "; ".join(f"{name}: {_named(sorted(records), most)}" for name, records in found.items())


def _named(records: list[str], most: int | None) -> str:
    if most is None or len(records) <= most + 1:
        return ", ".join(records)
    return f"{', '.join(records[:most])} and {len(records) - most} more"


def _unanswered(signal: EpicsSignalBase) -> list[str]:
    return [name for name, there in signal._connection_states.items() if not there] or [signal.pvname]
