"""Pump laser: shutter, lock, pulse energy, repetition rate."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

from ophyd import Component as Cpt
from ophyd import Device
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils.errors import DisconnectedError

from devices.base.bulk_read import RECENT, Request
from devices.base.completion import Follower, follow
from devices.base.settings import NOT_SENT, Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import FinishedStatus

SHUT, OPEN = 0, 1


class LaserShutter(Follower):
    """Pump shutter; `set` takes 1 (open) or 0 (shut) and is done when the status readback has followed."""

    status = Cpt(Readback, "ShutterStatus_RBV", auto_monitor=True, kind="hinted")
    command = Cpt(Setting, "Shutter", auto_monitor=True, kind="omitted")
    timeout = Cpt(SoftSignal, value=4.5, units="s", kind="omitted")
    reopen = Cpt(SoftSignal, value=SHUT, kind="omitted")
    """1 while a plan is paused that had the shutter open."""
    _told: tuple[int, Request, float] | None = None
    """What it was told beforehand, the question whether it is there, and when that was asked."""

    def prepare(self, value: int) -> FinishedStatus:
        """Tell it to open (1) or shut (0) ahead of the set, which waits for it and says if something is wrong.

        Raises
        ------
        ValueError
            For any other value.
        """
        self._check(value)
        self._told = None
        with suppress(*NOT_SENT):
            stays = self.command.get() == value == self.status.get()
            self._told = value, Request([self.status]) if stays else self._tell(value), monotonic()
        return FinishedStatus()

    def set(self, value: int) -> Status | FinishedStatus:
        """Open (1) or shut (0).

        Raises
        ------
        ValueError
            For any other value.
        """
        self._check(value)
        told, self._told = self._told, None
        if told is not None and self._has_followed(value, *told):
            return FinishedStatus()
        if self._is_at(value, self._tell(value)):
            return FinishedStatus()

        def finished(changed: set[EpicsSignalBase]) -> bool:
            return self.status.get() == value if changed else self._is_at(value, Request([self.status]))

        status = follow(self, [self.status], finished, self.timeout.get(), aim="open" if value == OPEN else "shut")
        status.ask()
        return status

    @property
    def position(self) -> int:
        """1 open, 0 shut."""
        return int(self.status.get())

    @property
    def target(self) -> int:
        """The last command."""
        return int(self.command.get())

    def _check(self, value: int) -> None:
        if value not in (SHUT, OPEN):
            raise ValueError(f"{self.name} takes 1 (open) or 0 (shut), not {value!r}")

    def _tell(self, value: int) -> Request:
        """Send the command, and ask whether the blade is there."""
        self.command.put(value, wait=False)
        return Request([self.status])

    def _has_followed(self, value: int, told: int, asked: Request, when: float) -> bool:
        """Whether it was told this beforehand, just now, and is there, and nobody has told it something else since."""
        lately = monotonic() - when < RECENT
        return told == value and lately and self._is_at(value, asked) and self.command.get() == value

    def _is_at(self, value: int, asked: Request) -> bool:
        """Whether the blade is there. The record itself is asked: the monitor may be about to bring a change."""
        return bool(asked.answers()[self.status.name]["value"] == value and self.status.get() == value)

    def stop(self, *, success: bool = False) -> None:
        """End the sets that are under way; what it was told beforehand holds no longer."""
        self._told = None
        super().stop(success=success)

    def pause(self) -> None:
        """Shut while a plan is paused."""
        self._told = None
        try:
            self.reopen.put(self.status.get())
            self.set(SHUT).wait()
        except (TimeoutError, DisconnectedError) as error:  # a pause must not end the scan
            self.log.error("%s may still be open while the plan is paused: %s", self.name, error)

    def resume(self) -> None:
        """Open again if the pause has shut it."""
        if self.reopen.get():
            self.reopen.put(SHUT)
            self.command.put(OPEN, wait=False)


class Laser(Device):
    """Pump laser, prefix for example ``7idd:Laser:``."""

    shutter = Cpt(LaserShutter, "", kind="normal")
    locked = Cpt(Readback, "Locked_RBV", auto_monitor=True, kind="normal")
    lock_error = Cpt(Readback, "LockError_RBV", auto_monitor=True, units="ps", kind="normal")
    pulse_energy = Cpt(Readback, "PulseEnergy_RBV", auto_monitor=True, units="uJ", kind="normal")
    repetition_rate = Cpt(Readback, "RepRate_RBV", auto_monitor=True, units="Hz", kind="config")
    """Follows the RF by the divider while the laser is locked."""
    longest_lock_error = Cpt(SoftSignal, value=10.0, units="ps", kind="config")

    def complaints(self) -> list[str]:
        """What its readings say is wrong."""
        found = [] if self.locked.get() else [f"{self.locked.pvname} says that the laser is unlocked"]
        error, longest = self.lock_error.get(), self.longest_lock_error.get()
        if abs(error) > longest:
            found.append(f"{self.lock_error.pvname} is {error:.1f} ps, more than {longest:g} ps")
        command, status = self.shutter.command.get(), self.shutter.status.get()
        if command != status:
            told, shown = ("Open" if value else "Shut" for value in (command, status))
            found.append(f"{self.shutter.status.pvname} says {shown}, and the last command was {told}")
        return found
