"""Devices whose set is done when a readback has come near enough to what was asked for."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status

from devices.base.completion import Follower, follow, send
from devices.base.limits import SetWithinLimits, check_limits
from devices.base.signals import Readback, SoftSignal


class ReadbackPositioner(SetWithinLimits, Follower):
    """Something with a set point and a readback that follows it; `tolerance` says how near it has to come."""

    tolerance: SoftSignal
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    """How long (wall time) the readback may stay the same on its way."""
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def check_reach(self, value: float, verb: str, units: str) -> None:
        """Refuse a value outside the limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.setpoint.limits
        record = self.setpoint.setpoint_pvname
        check_limits(
            self.setpoint,
            value,
            f"{self.name} cannot {verb} {value:g} {units}: {record} goes from {low:g} to {high:g} {units}",
        )
        self.check_soft_limits(value, units)

    def reach(self, value: float, readback: Readback, units: str) -> Status:
        """Send a value that has been checked; done when the readback is there."""

        def finished(_: set[EpicsSignalBase]) -> bool:
            return bool(abs(readback.get() - value) <= self.tolerance.get())

        aim = f"go to {value:g} {units}"
        status = follow(self, [readback], finished, self.timeout.get(), aim, self.stall.get())
        send(status, self.setpoint, value)
        status.ask()
        return status
