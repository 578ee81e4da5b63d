"""Sets that end when the hardware has followed: told by its readbacks, never by a wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from threading import Timer
from time import monotonic
from typing import Any

from ophyd import Device, EpicsSignal
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils.errors import InvalidState

from devices.base.settings import Setting
from devices.channel_access import ThreadlessStatus

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


def follow(
    device: Follower,
    watched: list[EpicsSignalBase],
    finished: Finished,
    timeout: float,
    aim: str,
    stall: float = inf,
) -> Status:
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
    stall : float
        Seconds of wall time without any change of a watched signal after which the set counts as failed.

    Returns
    -------
    Status
        The caller asks once itself by ``status.ask()``, after the put has been sent.
    """
    status = Status(obj=device)
    changed: set[EpicsSignalBase] = set()
    patience = _Patience(status, timeout, stall, lambda: f"{device.name} did not {aim}", watched)

    def ask(obj: EpicsSignalBase | None = None, **_: Any) -> None:
        if status.done:
            return
        if obj is not None:
            changed.add(obj)
            patience.something_changed()
        answer = finished(changed)
        if isinstance(answer, str):
            _end(status, RuntimeError(f"{device.name}: {answer}"))
        elif answer:
            _end(status, None)

    def stopped(*, success: bool, **_: Any) -> None:
        _end(status, None if success else RuntimeError(f"{device.name} was stopped before it could {aim}"))

    def release(_: Status) -> None:
        patience.end()
        device.clear_sub(stopped)
        for signal in watched:
            signal.clear_sub(ask)

    device.subscribe(stopped, event_type=device.SUB_STOPPED, run=False)
    for signal in watched:
        signal.subscribe(ask, run=False)
    status.add_callback(release)
    status.ask = ask
    return status


class _Patience:
    """Ends a status after a time, or when nothing has changed for a while, and says what the records show."""

    def __init__(
        self, status: Status, timeout: float, stall: float, failure: Callable[[], str], watched: list[EpicsSignalBase]
    ) -> None:
        self._status, self._timeout, self._stall = status, timeout, stall
        self._failure, self._watched = failure, watched
        self._begun = self._last_change = monotonic()
        self._wait()

    def something_changed(self) -> None:
        self._last_change = monotonic()

    def end(self) -> None:
        self._timer.cancel()

    def _wait(self) -> None:
        deadline = min(self._begun + self._timeout, self._last_change + self._stall)
        self._timer = Timer(max(0.0, deadline - monotonic()), self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        now = monotonic()
        if self._status.done:
            return
        if now >= self._begun + self._timeout:
            how = f"within {self._timeout:g} s"
        elif now >= self._last_change + self._stall:
            how = f"and nothing has changed for {self._stall:g} s"
        else:
            self._wait()
            return
        _end(self._status, TimeoutError(f"{self._failure()} {how}: {self._shown()}"))

    def _shown(self) -> str:
        return ", ".join(f"{signal.pvname} is {signal._readback}" for signal in self._watched)


def fail_when_stalled(status: Status, failure: str, watched: list[EpicsSignalBase], stall: float) -> None:
    """End a status as failed when no watched signal has changed for `stall` seconds; `failure` begins the message."""
    patience = _Patience(status, inf, stall, lambda: failure, watched)

    def changed(**_: Any) -> None:
        patience.something_changed()

    def release(_: Status) -> None:
        patience.end()
        for signal in watched:
            signal.clear_sub(changed)

    for signal in watched:
        signal.subscribe(changed, run=False)
    status.add_callback(release)


def send(status: Status, signal: EpicsSignal, value: Any) -> None:
    """Put a value that the status then follows; a put that is refused ends the status too."""
    try:
        signal.put(value, wait=False)
    except Exception as error:
        _end(status, error)
        raise


def send_and_hear(status: Status, signal: Setting, value: float, heard: Callable[[], None]) -> None:
    """Put a value that the status then follows, to a record that tells when it has processed it.

    Parameters
    ----------
    status : Status
        Asked once `heard` has returned; fails if the put is refused, or its record goes.
    signal : Setting
    value : float
    heard : callable
        Called when the record has processed the value.
    """

    def processed(put: ThreadlessStatus) -> None:
        if put.success:
            heard()
            status.ask()
        else:
            _end(status, put.exception())

    try:
        signal.process(value).add_callback(processed)
    except Exception as error:
        _end(status, error)
        raise


def _end(status: Status, error: BaseException | None) -> None:
    """End a status that two callbacks may want to end at the same time."""
    with suppress(InvalidState):  # the other one was first
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)
