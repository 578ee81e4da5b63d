"""Common part of energy and angle of a Kohzu monochromator: `set` completes when the sequencer has arrived."""

from __future__ import annotations

from math import isfinite
from threading import Event
from typing import Any

from ophyd.signal import EpicsSignalBase

from devices.base.completion import Follower, FollowingStatus, follow, send_with_completion
from devices.base.deadlines import Deadline, call_later
from devices.base.limits import SetWithinLimits, check_limits
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

MANUAL, AUTO = 0, 1
DONE = 0


class KohzuAxis(SetWithinLimits, Follower):
    """A setpoint and a readback of the Kohzu sequencer (records of synApps `kohzuSeq.db`).

    Subclasses define the components annotated here, and their unit.
    """

    UNIT = ""
    FORMAT = ".5f"

    moving: Readback
    mode: Setting
    tolerance: SoftSignal
    grace: SoftSignal
    stall: SoftSignal
    timeout: SoftSignal

    @property
    def readback(self) -> Readback:
        """The position readback."""
        raise NotImplementedError

    def _formatted(self, value: float) -> str:
        return f"{value:{self.FORMAT}} {self.UNIT}"

    def _formatted_distance(self, distance: float) -> str:
        return f"{distance:g} {self.UNIT}"

    def check_value(self, value: float) -> None:
        """Refuse a position outside the limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.setpoint.limits
        check_limits(
            self.setpoint,
            value,
            f"{self.name} cannot go to {self._formatted(value)}: its limits are {low:g} to {high:g} {self.UNIT}"
            f" ({self.setpoint.setpoint_pvname})",
        )
        self.check_soft_limits(value, self.UNIT)

    def set(self, value: float) -> ThreadlessStatus:
        """Move to a position.

        Raises
        ------
        ophyd.utils.LimitError
            If the position is outside the limits.
        RuntimeError
            If the sequencer is in Manual mode.
        """
        self.check_value(value)
        if self.mode.get() != AUTO:
            raise RuntimeError(
                f"{self.name}: the Kohzu sequencer is in Manual mode; put {self.mode.pvname} to Auto to let it move"
            )
        grace_over = Event()

        def finished(changed: set[EpicsSignalBase]) -> bool | str:
            return self._finished(value, self.moving in changed, grace_over.is_set())

        aim = f"arrive at {self._formatted(value)}"
        watched = [self.moving, self.readback]
        status = follow(self, watched, finished, self.timeout.get(), aim, self.stall.get())
        # A busy server may take longer than the grace time to process the put.
        send_with_completion(status, self.setpoint, value, lambda: self._watch_for_rest(status, grace_over))
        return status

    def _finished(self, value: float, moved: bool, grace_over: bool) -> bool | str:
        """Whether it has arrived, or the message of a failure."""
        if self.moving.get() != DONE:
            return False
        # A quick move may show only its end: a monitor holds the latest value. Any change proves that it moved.
        here = self.readback.get()
        off = abs(here - value)
        if off <= self.tolerance.get():
            return moved or grace_over
        if not grace_over:
            return False
        if not isfinite(off):
            return False  # the readback may come back; if it does not, the watchdog fails the set and shows it
        if not moved:
            return f"did not begin to move to {self._formatted(value)} ({self.moving.pvname})"
        return (
            f"stopped at {self._formatted(here)}, {self._formatted_distance(off)} from {self._formatted(value)},"
            f" more than its tolerance of {self._formatted_distance(self.tolerance.get())} ({self.readback.pvname})"
        )

    def _watch_for_rest(self, status: FollowingStatus, grace_over: Event) -> None:
        """Check again after the sequencer has been at rest for the grace time: the move never began, or fell short."""
        grace = self.grace.get()
        timers: list[Deadline] = []

        def at_rest() -> None:
            grace_over.set()
            status.check()

        def again(*, value: int, **_: Any) -> None:
            for timer in timers:
                timer.cancel()
            timers.clear()
            if value == DONE and not status.done:
                timers.append(call_later(grace, at_rest))

        def end(_: ThreadlessStatus) -> None:
            self.moving.clear_sub(again)
            for timer in timers:
                timer.cancel()

        self.moving.subscribe(again, run=True)
        status.add_callback(end)

    @property
    def position(self) -> float:
        """Position readback."""
        return float(self.readback.get())

    def stop(self, *, success: bool = False) -> None:
        """Stop a move: the present readback becomes the setpoint."""
        try:
            here = self.readback.get()
            if self.moving.get() != DONE and isfinite(here):
                self.setpoint.put(here, wait=False)
        finally:
            super().stop(success=success)
