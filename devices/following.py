"""A status that ends when the hardware has followed a set: told by its readbacks, never by a wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ophyd import Device
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils.errors import InvalidState


def follow(
    device: Device,
    watched: list[EpicsSignalBase],
    finished: Callable[[set[EpicsSignalBase]], bool | str],
    timeout: float,
) -> Status:
    """Status of `device` that ends when `finished` says so, asked at each change of the watched signals.

    Parameters
    ----------
    device : Device
        For the name in messages.
    watched : list of signals
        Monitored; a change of any of them asks again.
    finished : callable
        Takes the watched signals that have changed since; returns False to go on, True when the hardware has arrived,
        or a sentence that says what failed.
    timeout : float
        Seconds of wall time after which the set counts as failed.

    Returns
    -------
    Status
        The caller asks once itself by ``status.ask()``, after the put has been sent.
    """
    status = Status(obj=device, timeout=timeout)

    changed: set[EpicsSignalBase] = set()

    def ask(obj: EpicsSignalBase | None = None, **_: Any) -> None:
        if status.done:
            return
        if obj is not None:
            changed.add(obj)
        answer = finished(changed)
        if isinstance(answer, str):
            _end(status, RuntimeError(f"{device.name}: {answer}"))
        elif answer:
            _end(status, None)

    def unsubscribe(_: Status) -> None:
        for signal in watched:
            signal.clear_sub(ask)

    for signal in watched:
        signal.subscribe(ask, run=False)
    status.add_callback(unsubscribe)
    status.ask = ask
    return status


def _end(status: Status, error: Exception | None) -> None:
    """End a status that two callbacks may want to end at the same time."""
    with suppress(InvalidState):  # the other callback, or the timeout, was first
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)
