"""Sets that end when the hardware has followed: told by its readbacks, never by a wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from typing import Any

from ophyd import Device, EpicsSignal
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils.errors import InvalidState

Finished = Callable[[set[EpicsSignalBase]], bool | str]


class Follower(Device):
    """A device whose sets end when watched readbacks have followed; `stop` ends those under way."""

    SUB_STOPPED = "stopped"

    def stop(self, *, success: bool = False) -> None:
        """End the sets that are under way, as succeeded or as failed.

        The RunEngine stops what it has moved when it pauses: a set that failed later, because it was stopped, would
        end the scan after it has been resumed.
        """
        super().stop(success=success)
        self._run_subs(sub_type=self.SUB_STOPPED, success=success)


def follow(device: Follower, watched: list[EpicsSignalBase], finished: Finished, timeout: float, aim: str) -> Status:
    """Status of `device` that ends when `finished` says so, asked at each change of the watched signals.

    Parameters
    ----------
    device : Follower
        Named in messages; its `stop` ends the status.
    watched : list of signals
        Monitored; a change of any of them asks again.
    finished : callable
        Takes the watched signals that have changed since; returns False to go on, True when the hardware has arrived,
        or a sentence that says what failed.
    timeout : float
        Seconds of wall time after which the set counts as failed.
    aim : str
        What it does when all goes well, for messages: "go to 13.472 keV".

    Returns
    -------
    Status
        The caller asks once itself by ``status.ask()``, after the put has been sent.
    """
    status = Status(obj=device)
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

    def stopped(*, success: bool, **_: Any) -> None:
        _end(status, None if success else RuntimeError(f"{device.name} was stopped before it could {aim}"))

    late = TimeoutError(f"{device.name} did not {aim} within {timeout:g} s")
    timer = Timer(timeout, _end, (status, late))
    timer.daemon = True

    def release(_: Status) -> None:
        timer.cancel()
        device.clear_sub(stopped)
        for signal in watched:
            signal.clear_sub(ask)

    timer.start()
    device.subscribe(stopped, event_type=device.SUB_STOPPED, run=False)
    for signal in watched:
        signal.subscribe(ask, run=False)
    status.add_callback(release)
    status.ask = ask
    return status


def send(status: Status, signal: EpicsSignal, value: Any) -> None:
    """Put a value that the status then follows; a put that is refused ends the status too."""
    try:
        signal.put(value, wait=False)
    except Exception as error:
        _end(status, error)
        raise


def _end(status: Status, error: Exception | None) -> None:
    """End a status that two callbacks may want to end at the same time."""
    with suppress(InvalidState):  # the other one was first
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)
