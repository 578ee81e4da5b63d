"""Pump laser: shutter, lock, pulse energy, repetition rate."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase

from devices.base.abort import FAILED
from devices.base.bulk_read import RECENT, BulkRead
from devices.base.completion import Follower, follow
from devices.base.device import StationDevice
from devices.base.settings import NOT_SENT, Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import FinishedStatus, ThreadlessStatus

SHUT, OPEN = 0, 1


class LaserShutter(Follower):
    """Pump shutter; `set` takes 1 (open) or 0 (shut) and completes when the status readback agrees."""

    status = Cpt(Readback, "ShutterStatus_RBV", auto_monitor=True, kind="hinted")
    command = Cpt(Setting, "Shutter", auto_monitor=True, kind="omitted")
    timeout = Cpt(SoftSignal, value=4.5, units="s", kind="omitted")
    reopen = Cpt(SoftSignal, value=SHUT, kind="omitted")
    """1 while a plan is paused that had opened the shutter."""
    _prepared: tuple[int, BulkRead, float] | None = None
    """The prepared command, the get of the status that follows it, and its time."""

    def prepare(self, value: int) -> FinishedStatus:
        """Send open (1) or shut (0) ahead of the `set`, which waits for the blade and raises on failure.

        Raises
        ------
        ValueError
            For any other value.
        """
        self._check(value)
        self._prepared = None
        with suppress(*NOT_SENT):
            stays = self.command.get() == value == self.status.get()
            self._prepared = value, BulkRead([self.status]) if stays else self._send(value), monotonic()
        return FinishedStatus()

    def set(self, value: int) -> ThreadlessStatus:
        """Open (1) or shut (0).

        Raises
        ------
        ValueError
            For any other value.
        """
        self._check(value)
        prepared, self._prepared = self._prepared, None
        if prepared is not None and self._has_arrived(value, *prepared):
            return FinishedStatus()
        if self._is_at(value, self._send(value)):
            return FinishedStatus()

        def finished(changed: set[EpicsSignalBase]) -> bool:
            return self.status.get() == value if changed else self._is_at(value, BulkRead([self.status]))

        status = follow(self, [self.status], finished, self.timeout.get(), aim="open" if value == OPEN else "shut")
        status.check()
        return status

    def shut_at_once(self) -> None:
        """Send the command to shut and wait for nothing; nothing is sent where the record has gone or is refused."""
        with suppress(*NOT_SENT):
            if self.command.connected:
                self.command.put(SHUT, wait=False)

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

    def _send(self, value: int) -> BulkRead:
        """Send the command, and a get of the status behind it."""
        self.command.put(value, wait=False)
        return BulkRead([self.status])

    def _has_arrived(self, value: int, commanded: int, status: BulkRead, when: float) -> bool:
        """Whether a recent prepared command was this one, and the blade is there and was not commanded again."""
        lately = monotonic() - when < RECENT
        return commanded == value and lately and self._is_at(value, status) and self.command.get() == value

    def _is_at(self, value: int, status: BulkRead) -> bool:
        """Whether the blade is there, by an explicit get: a monitor update may still be under way."""
        return bool(status.readings()[self.status.name]["value"] == value and self.status.get() == value)

    def stop(self, *, success: bool = False) -> None:
        """End the pending sets, and drop a prepared command."""
        self._prepared = None
        super().stop(success=success)

    def pause(self) -> None:
        """Shut while a plan is paused."""
        self._prepared = None
        try:
            self.reopen.put(self.status.get())
            self.set(SHUT).wait()
        except (*FAILED, *NOT_SENT) as error:  # a pause must not end the scan
            self.log.error("%s may still be open while the plan is paused: %s", self.name, error)

    def resume(self) -> None:
        """Reopen if the pause has shut it."""
        if not self.reopen.get():
            return
        self.reopen.put(SHUT)
        try:
            self.command.put(OPEN, wait=False)
        except (*FAILED, *NOT_SENT) as error:  # the plan sets it anyway, and reports a failure
            self.log.error("%s was not reopened: %s", self.name, error)


class Laser(StationDevice):
    """Pump laser, prefix for example ``7idd:Laser:``."""

    watched_states = ("locked",)
    shown = ("pulse_energy", "lock_error")

    shutter = Cpt(LaserShutter, "", kind="normal")
    locked = Cpt(Readback, "Locked_RBV", auto_monitor=True, kind="normal")
    lock_error = Cpt(Readback, "LockError_RBV", auto_monitor=True, units="ps", kind="normal")
    pulse_energy = Cpt(Readback, "PulseEnergy_RBV", auto_monitor=True, units="uJ", kind="normal")
    repetition_rate = Cpt(Readback, "RepRate_RBV", auto_monitor=True, units="Hz", kind="config")
    """RF over the divider while the laser is locked."""
    longest_lock_error = Cpt(SoftSignal, value=10.0, units="ps", kind="config")

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        found = [] if self.locked.get() else [f"{self.locked.pvname} reports an unlocked laser"]
        error, longest = self.lock_error.get(), self.longest_lock_error.get()
        if abs(error) > longest:
            found.append(f"{self.lock_error.pvname} is {error:.1f} ps, more than {longest:g} ps")
        command, status = self.shutter.command.get(), self.shutter.status.get()
        if command != status:
            commanded, shown = ("Open" if value else "Shut" for value in (command, status))
            found.append(f"{self.shutter.status.pvname} reads {shown}, and the last command was {commanded}")
        return found
