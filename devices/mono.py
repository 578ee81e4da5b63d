"""Double-crystal monochromator behind the synApps Kohzu sequencer (records of `kohzuSeq.db`)."""

from __future__ import annotations

from math import isfinite
from threading import Event, Timer
from typing import Any

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils import LimitError

from devices.following import Follower, follow, send
from devices.signals import Readback, Setting, SoftSignal

MANUAL, AUTO = 0, 1
DONE = 0


class Monochromator(Follower):
    """X-ray energy in keV. Settable; arrives when the sequencer says so and the readback agrees.

    The prefix is that of the Kohzu records, for example ``7ida:``. The sequencer must be in Auto mode: in Manual a
    new energy waits for the Put button, which may be somebody else's intent.
    """

    energy = Cpt(Readback, "BraggERdbkAO", auto_monitor=True, units="keV", kind="hinted")
    setpoint = Cpt(Setting, "BraggEAO", limits=True, auto_monitor=True, units="keV", kind="normal")
    theta = Cpt(Readback, "BraggThetaRdbkAO", auto_monitor=True, units="deg", kind="omitted")
    moving = Cpt(Readback, "KohzuMoving", auto_monitor=True, kind="omitted")
    mode = Cpt(Setting, "KohzuModeBO", auto_monitor=True, kind="config")

    tolerance = Cpt(SoftSignal, value=5e-5, units="keV", kind="config")
    """Largest distance of the readback from the set energy at which a move counts as arrived."""
    grace = Cpt(SoftSignal, value=0.5, units="s", kind="omitted")
    """How long (wall time) the sequencer may rest before it begins, and the readback may lag after it has ended."""
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def check_value(self, value: float) -> None:
        """Refuse an energy (keV) outside the record's limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.setpoint.limits
        try:
            self.setpoint.check_value(value)
        except LimitError:
            raise LimitError(
                f"{self.name} cannot go to {value:.5f} keV: its limits are {low:g} to {high:g} keV"
            ) from None

    def set(self, value: float) -> Status:
        """Move to an energy in keV.

        Raises
        ------
        ophyd.utils.LimitError
            If the energy is outside the limits.
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
            if self.moving.get() != DONE:
                return False
            # A quick move may show only its end: a monitor holds the latest value. Any change says that it moved.
            moved = self.moving in changed
            off = abs(self.energy.get() - value)
            if off <= self.tolerance.get():
                return moved or too_late.is_set()
            if not too_late.is_set():
                return False
            if not isfinite(off):
                return f"{self.energy.pvname} is not a number, so nobody knows whether it arrived at {value:.5f} keV"
            if not moved:
                return f"did not begin to move to {value:.5f} keV"
            return (
                f"stopped {off * 1e3:.3f} eV from {value:.5f} keV, more than its tolerance of "
                f"{self.tolerance.get() * 1e3:.3f} eV"
            )

        status = follow(
            self, [self.moving, self.energy], finished, self.timeout.get(), aim=f"arrive at {value:.5f} keV"
        )
        self._watch_for_rest(status, too_late)
        send(status, self.setpoint, value)
        return status

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
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.energy.name]}

    @property
    def position(self) -> float:
        """Energy readback in keV."""
        return self.energy.get()

    def stop(self, *, success: bool = False) -> None:
        """End a move where it is: the present readback becomes the set energy."""
        try:
            here = self.energy.get()
            if self.moving.get() != DONE and isfinite(here):
                self.setpoint.put(here, wait=False)
        finally:
            super().stop(success=success)
