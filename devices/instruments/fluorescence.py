"""Silicon drift detector with five elements, read through the scalers of Xspress3 electronics."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import ClassVar

from ophyd import Component as Cpt

from devices.base.computed import Computed
from devices.base.counting import CountingDetector
from devices.base.device import StationDevice
from devices.base.settings import Setting
from devices.base.signals import PolledNumber

TICK = 12.5e-9
"""Seconds of one tick of the clock."""
FULL = 90.0
"""Dead time (per cent) from which on an element counts as saturated."""


def per_second(events: float, ticks: float) -> float:
    """Events per second of real time; NaN for none."""
    return events / (ticks * TICK) if ticks > 0 else nan


def per_live_second(events: float, ticks: float, factor: float) -> float:
    """Events per second at the input, by the dead-time factor of the electronics."""
    return per_second(events, ticks) * factor


class FluorescenceElement(StationDevice):
    """One element; prefix for example ``X10DA-ES1-SDD:C1SCA:``.

    `region` has the events of window 1, which the edges share; the reduction finds the live time from ticks, events and
    the width of an event.
    """

    watched: ClassVar[Mapping[str, float]] = {}

    region = Cpt(PolledNumber, "5:Value_RBV", units="counts", kind="hinted")
    events = Cpt(PolledNumber, "3:Value_RBV", units="counts", kind="normal")
    """All events, in the window or not."""
    ticks = Cpt(PolledNumber, "0:Value_RBV", units="ticks of 12.5 ns", kind="normal")
    reset_ticks = Cpt(PolledNumber, "1:Value_RBV", units="ticks of 12.5 ns", kind="normal")
    width = Cpt(PolledNumber, "8:Value_RBV", units="ticks of 12.5 ns", kind="normal")
    """Dead ticks of an event, less one."""
    factor = Cpt(PolledNumber, "9:Value_RBV", kind="omitted")
    dead_time = Cpt(PolledNumber, "10:Value_RBV", units="%", kind="normal")
    output_rate = Cpt(Computed, inputs=("events", "ticks"), function=per_second, units="1/s", kind="omitted")
    input_rate = Cpt(
        Computed, inputs=("events", "ticks", "factor"), function=per_live_second, units="1/s", kind="omitted"
    )


class FluorescenceDetector(CountingDetector):
    """Five elements that count together; prefix for example ``X10DA-ES1-SDD:``."""

    watched: ClassVar[Mapping[str, float]] = {"preset_time": 0.0}

    e1 = Cpt(FluorescenceElement, "C1SCA:", kind="normal")
    e2 = Cpt(FluorescenceElement, "C2SCA:", kind="normal")
    e3 = Cpt(FluorescenceElement, "C3SCA:", kind="normal")
    e4 = Cpt(FluorescenceElement, "C4SCA:", kind="normal")
    e5 = Cpt(FluorescenceElement, "C5SCA:", kind="normal")
    elapsed = Cpt(PolledNumber, "det1:ElapsedTime_RBV", units="s", kind="normal")
    preset_time = Cpt(Setting, "det1:AcquireTime", put_complete=True, limits=True, units="s", kind="config")
    acquire = Cpt(Setting, "det1:Acquire", put_complete=True, kind="omitted")

    def complaints(self) -> list[str]:
        """Elements that were saturated in the last count."""
        parts = [getattr(self, name) for name in self.component_names]
        elements = [part for part in parts if isinstance(part, FluorescenceElement)]
        return [f"{each.dead_time.pvname} is {dead:g} %" for each in elements if (dead := each.dead_time.get()) > FULL]

    @property
    def counted_key(self) -> str:
        """Data key of the time (s) that it has counted."""
        return str(self.elapsed.name)

    @property
    def go(self) -> Setting:
        """The busy record; its put completes after all scalers have been written."""
        return self.acquire
