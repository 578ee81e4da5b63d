"""Liquid jet that carries the sample."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils import LimitError

from devices.following import Follower, follow, send
from devices.signals import Readback, Setting, SoftSignal


class Jet(Follower):
    """Flow of the jet in mL/min; prefix for example ``7idd:Jet:``. A set is done when the flow has followed."""

    flow = Cpt(Readback, "Flow_RBV", auto_monitor=True, units="mL/min", kind="hinted")
    setpoint = Cpt(Setting, "Flow", limits=True, auto_monitor=True, units="mL/min", kind="normal")
    running = Cpt(Readback, "Running_RBV", auto_monitor=True, kind="normal")
    """1 while there is a sheet."""
    tolerance = Cpt(SoftSignal, value=1.0, units="mL/min", kind="config")
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def check_value(self, value: float) -> None:
        """Refuse a flow outside the record's limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.setpoint.limits
        try:
            self.setpoint.check_value(value)
        except LimitError:
            raise LimitError(
                f"{self.name} cannot make {value:g} mL/min: {self.setpoint.setpoint_pvname} goes from {low:g} to"
                f" {high:g} mL/min"
            ) from None

    def set(self, value: float) -> Status:
        """Go to a flow in mL/min.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)

        def finished(_: set[EpicsSignalBase]) -> bool:
            return bool(abs(self.flow.get() - value) <= self.tolerance.get())

        aim = f"go to {value:g} mL/min"
        status = follow(self, [self.flow], finished, self.timeout.get(), aim, self.stall.get())
        send(status, self.setpoint, value)
        status.ask()
        return status

    @property
    def position(self) -> float:
        """Flow in mL/min."""
        return float(self.flow.get())

    def complaints(self) -> list[str]:
        """What its readings say is wrong."""
        return [] if self.running.get() else [f"{self.running.pvname} says that there is no jet"]
