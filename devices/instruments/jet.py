"""Liquid jet that carries the sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ophyd import Component as Cpt
from ophyd.status import Status

from devices.base.readback_positioner import ReadbackPositioner
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal


class Jet(ReadbackPositioner):
    """Flow of the jet in mL/min; prefix for example ``7idd:Jet:``. `set` completes when the flow readback arrives."""

    watched: ClassVar[Mapping[str, float]] = {"setpoint": 0.0}
    watched_states = ("running",)

    flow = Cpt(Readback, "Flow_RBV", auto_monitor=True, units="mL/min", kind="hinted")
    setpoint = Cpt(Setting, "Flow", limits=True, auto_monitor=True, units="mL/min", kind="normal")
    running = Cpt(Readback, "Running_RBV", auto_monitor=True, kind="normal")
    """1 while the jet forms a sheet."""
    tolerance = Cpt(SoftSignal, value=1.0, units="mL/min", kind="config")

    def check_value(self, value: float) -> None:
        """Refuse a flow outside the limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_reach(value, "make", "mL/min")

    def set(self, value: float) -> Status:
        """Go to a flow in mL/min.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        return self.reach(value, self.flow, "mL/min")

    @property
    def position(self) -> float:
        """Flow in mL/min."""
        return float(self.flow.get())

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        return [] if self.running.get() else [f"{self.running.pvname} reports that there is no jet"]
