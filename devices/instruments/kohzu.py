"""What energy and angle of a Kohzu monochromator have in common: a set that ends when the sequencer has arrived."""

from __future__ import annotations

from math import isfinite
from threading import Event, Timer
from typing import Any

from ophyd.signal import EpicsSignalBase
from ophyd.status import Status

from devices.base.completion import Follower, follow, send
from devices.base.limits import SetWithinLimits, check_limits
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal

MANUAL, AUTO = 0, 1
DONE = 0


class KohzuAxis(SetWithinLimits, Follower):
    """A set point and a readback that the Kohzu sequencer moves (records of synApps `kohzuSeq.db`).

    Subclasses have the components that are named here, and say their unit.
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
        """The signal that tells where the axis is."""
        raise NotImplementedError

    def _place(self, value: float) -> str:
        return f"{value:{self.FORMAT}} {self.UNIT}"

    def _off(self, distance: float) -> str:
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
            f"{self.name} cannot go to {self._place(value)}: its limits are {low:g} to {high:g} {self.UNIT}"
            f" ({self.setpoint.setpoint_pvname})",
        )
        self.check_soft_limits(value, self.UNIT)

    def set(self, value: float) -> Status:
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
        too_late = Event()

        def finished(changed: set[EpicsSignalBase]) -> bool | str:
            return self._finished(value, self.moving in changed, too_late.is_set())

        aim = f"arrive at {self._place(value)}"
        watched = [self.moving, self.readback]
        status = follow(self, watched, finished, self.timeout.get(), aim, self.stall.get())
        self._watch_for_rest(status, too_late)
        send(status, self.setpoint, value)
        return status

    def _finished(self, value: float, moved: bool, too_late: bool) -> bool | str:
        """Whether it has arrived, or a sentence that says why it never will."""
        if self.moving.get() != DONE:
            return False
        # A quick move may show only its end: a monitor holds the latest value. Any change says that it moved.
        off = abs(self.readback.get() - value)
        if off <= self.tolerance.get():
            return moved or too_late
        if not too_late:
            return False
        if not isfinite(off):
            return f"{self.readback.pvname} is not a number, so nobody knows whether it arrived at {self._place(value)}"
        if not moved:
            return f"did not begin to move to {self._place(value)} ({self.moving.pvname})"
        return (
            f"stopped {self._off(off)} from {self._place(value)}, more than its tolerance of "
            f"{self._off(self.tolerance.get())} ({self.readback.pvname})"
        )

    def _watch_for_rest(self, status: Status, too_late: Event) -> None:
        """Ask once more when the sequencer has been at rest for the grace time: it never began, or fell short."""
        grace = self.grace.get()
        timers: list[Timer] = []

        def at_rest() -> None:
            too_late.set()
            status.ask()

        def again(*, value: int, **_: Any) -> None:
            for timer in timers:
                timer.cancel()
            timers.clear()
            if value == DONE and not status.done:
                timers.append(Timer(grace, at_rest))
                timers[-1].daemon = True
                timers[-1].start()

        def end(_: Status) -> None:
            self.moving.clear_sub(again)
            for timer in timers:
                timer.cancel()

        self.moving.subscribe(again, run=True)
        status.add_callback(end)

    @property
    def position(self) -> float:
        """Where the axis is."""
        return float(self.readback.get())

    def stop(self, *, success: bool = False) -> None:
        """End a move where it is: the present readback becomes the set point."""
        try:
            here = self.readback.get()
            if self.moving.get() != DONE and isfinite(here):
                self.setpoint.put(here, wait=False)
        finally:
            super().stop(success=success)
