"""Devices whose `set` completes when a readback is within a tolerance of the setpoint."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase

from devices.base.completion import Follower, follow, send
from devices.base.limits import SetWithinLimits, check_limits
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import ThreadlessStatus


class ReadbackPositioner(SetWithinLimits, Follower):
    """A setpoint, and a readback that has to come within `tolerance` of it."""

    tolerance: SoftSignal
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    """How long (wall time) the readback may stay unchanged during a move."""
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

    def reach(self, value: float, readback: Readback, units: str) -> ThreadlessStatus:
        """Put a value that has been checked; done when the readback has arrived."""

        def finished(_: set[EpicsSignalBase]) -> bool:
            return bool(abs(readback.get() - value) <= self.tolerance.get())

        aim = f"go to {value:g} {units}"
        status = follow(self, [readback], finished, self.timeout.get(), aim, self.stall.get())
        send(status, self.setpoint, value)
        status.check()
        return status
