"""`set()` statuses that complete when the readbacks reach the target; nothing sleeps."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from ophyd import EpicsSignal
from ophyd.signal import EpicsSignalBase

from devices.base.deadlines import call_later
from devices.base.device import StationDevice
from devices.base.settings import Setting
from devices.channel_access import ThreadlessStatus

Finished = Callable[[set[EpicsSignalBase]], bool | str]


class FollowingStatus(ThreadlessStatus):
    """Status of a set, with the function that evaluates whether the hardware has arrived."""

    check: Callable[..., None]


class Follower(StationDevice):
    """A device whose `set` statuses complete when its readbacks arrive; `stop` ends the pending ones."""

    SUB_STOPPED = "stopped"

    def stop(self, *, success: bool = False) -> None:
        """End the pending sets, as succeeded or as failed.

        The RunEngine stops moved devices when it pauses. A set that failed only later, because of that stop, would end
        the scan after its resume.
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
) -> FollowingStatus:
    """Status of `device` that completes when `finished` returns True, evaluated at each change of the watched signals.

    Parameters
    ----------
    device : Follower
        Named in messages; its `stop` ends the status.
    watched : list of signals
        Monitored; a change of any of them evaluates `finished` again.
    finished : callable
        Takes the watched signals that have changed so far; returns False to wait on, True when the hardware has
        arrived, or the message of a failure.
    timeout : float
        Seconds of wall time after which the set fails.
    aim : str
        The intended move, for messages: "go to 13.472 keV".
    stall : float
        Seconds of wall time without any change of a watched signal after which the set fails.

    Returns
    -------
    FollowingStatus
        The caller evaluates `finished` once by ``status.check()``, after the put has been sent.
    """
    status = FollowingStatus(f"{device.name}: the set to {aim}")
    changed: set[EpicsSignalBase] = set()
    watchdog = _Watchdog(status, timeout, stall, lambda: f"{device.name} did not {aim}", watched)

    def check(obj: EpicsSignalBase | None = None, **_: Any) -> None:
        if status.done:
            return
        if obj is not None:
            changed.add(obj)
            watchdog.something_changed()
        try:
            outcome = finished(changed)
        except Exception as error:  # noqa: BLE001 - a caller waits for the status
            status.end(error)
            return
        if isinstance(outcome, str):
            status.end(RuntimeError(f"{device.name}: {outcome}"))
        elif outcome:
            status.end()

    def stopped(*, success: bool, **_: Any) -> None:
        status.end(None if success else RuntimeError(f"{device.name} was stopped before it could {aim}"))

    def release(_: ThreadlessStatus) -> None:
        watchdog.end()
        device.clear_sub(stopped)
        for signal in watched:
            signal.clear_sub(check)

    device.subscribe(stopped, event_type=device.SUB_STOPPED, run=False)
    for signal in watched:
        signal.subscribe(check, run=False)
    status.add_callback(release)
    status.check = check
    return status


class _Watchdog:
    """Fails a status after a timeout, or when no watched signal has changed for a while, naming the readbacks."""

    def __init__(
        self,
        status: ThreadlessStatus,
        timeout: float,
        stall: float,
        failure: Callable[[], str],
        watched: list[EpicsSignalBase],
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
        self._timer = call_later(max(0.0, deadline - monotonic()), self._check)

    def _check(self) -> None:
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
        self._status.end(TimeoutError(f"{self._failure()} {how}: {self._shown()}"))

    def _shown(self) -> str:
        return ", ".join(f"{signal.pvname} is {signal._readback}" for signal in self._watched)


def send(status: ThreadlessStatus, signal: EpicsSignal, value: Any) -> None:
    """Put a setpoint; a refused put fails the status too."""
    try:
        signal.put(value, wait=False)
    except Exception as error:
        status.end(error)
        raise


def send_with_completion(status: FollowingStatus, signal: Setting, value: float, processed: Callable[[], None]) -> None:
    """Put a setpoint with completion.

    Parameters
    ----------
    status : FollowingStatus
        Checked after `processed` has returned; fails if the record refuses the put or disconnects.
    signal : Setting
    value : float
    processed : callable
        Called when the record has processed the value.
    """

    def on_completion(put: ThreadlessStatus) -> None:
        if not put.success:
            status.end(put.exception())
            return
        try:
            processed()
            status.check()
        except Exception as error:  # noqa: BLE001 - a caller waits for the status
            status.end(error)

    try:
        signal.process(value).add_callback(on_completion)
    except Exception as error:
        status.end(error)
        raise
