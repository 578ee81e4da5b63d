"""Pump laser: shutter, lock, pulse energy and fluence on the sample."""

from __future__ import annotations

from math import log, pi
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils.errors import DisconnectedError

from devices.following import Follower, follow, send
from devices.signals import Readback, Setting, SoftSignal

SHUT, OPEN = 0, 1


class LaserShutter(Follower):
    """Pump shutter; `set` takes 1 (open) or 0 (shut) and is done when the status readback has followed."""

    status = Cpt(Readback, "ShutterStatus_RBV", auto_monitor=True, kind="hinted")
    command = Cpt(Setting, "Shutter", auto_monitor=True, kind="omitted")
    timeout = Cpt(SoftSignal, value=5.0, units="s", kind="omitted")
    reopen = Cpt(SoftSignal, value=SHUT, kind="omitted")
    """1 while a plan is paused that had the shutter open."""

    def set(self, value: int) -> Status:
        """Open (1) or shut (0).

        Raises
        ------
        ValueError
            For any other value.
        """
        if value not in (SHUT, OPEN):
            raise ValueError(f"{self.name} takes 1 (open) or 0 (shut), not {value!r}")

        def finished(changed: set[EpicsSignalBase]) -> bool:
            # Without a change the monitor may be about to bring one, from an earlier command: ask the record itself.
            return self.status.get() == value and (bool(changed) or self.status.get(use_monitor=False) == value)

        aim = "open" if value == OPEN else "shut"
        status = follow(self, [self.status], finished, self.timeout.get(), aim)
        send(status, self.command, value)
        status.ask()
        return status

    def pause(self) -> None:
        """Shut while a plan is paused."""
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


class Fluence(Readback):
    """Fluence in the middle of a Gaussian laser spot in mJ/cm2, from the pulse energy in uJ.

    With the full widths at half maximum w and h: ``F = E * 4 ln 2 / (pi w h)``. The X-ray spot is much smaller than
    the laser spot, so the middle is what is probed.
    """

    MJ_PER_CM2_FROM_UJ_PER_UM2 = 1e5

    def get(self, **kwargs: Any) -> float:
        area = pi * self.parent.spot_width.get() * self.parent.spot_height.get() / (4 * log(2))
        return float(super().get(**kwargs)) / area * self.MJ_PER_CM2_FROM_UJ_PER_UM2

    def read(self) -> dict[str, dict[str, Any]]:
        return {self.name: {"value": self.get(), "timestamp": self.timestamp}}

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        for key in ("lower_ctrl_limit", "upper_ctrl_limit"):
            entry.pop(key, None)
        entry["units"] = "mJ/cm2"
        entry["derived_from"] = self.parent.pulse_energy.name
        return description


class Laser(Device):
    """Pump laser, prefix for example ``7idd:Laser:``."""

    shutter = Cpt(LaserShutter, "", kind="normal")
    locked = Cpt(Readback, "Locked_RBV", auto_monitor=True, kind="normal")
    lock_error = Cpt(Readback, "LockError_RBV", auto_monitor=True, units="ps", kind="normal")
    pulse_energy = Cpt(Readback, "PulseEnergy_RBV", auto_monitor=True, units="uJ", kind="normal")
    fluence = Cpt(Fluence, "PulseEnergy_RBV", auto_monitor=True, kind="normal")
    repetition_rate = Cpt(Readback, "RepRate_RBV", auto_monitor=True, units="Hz", kind="config")
    spot_width = Cpt(SoftSignal, value=45.0, units="um", kind="config")
    spot_height = Cpt(SoftSignal, value=50.0, units="um", kind="config")
