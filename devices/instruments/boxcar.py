"""Boxcar averager: two boxcars and the periodic waveform analyser (PWA) of one instrument."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan, sqrt
from typing import ClassVar

from ophyd import Component as Cpt

from devices.base.computed import Computed
from devices.base.counting import CountingDetector
from devices.base.device import StationDevice
from devices.base.settings import Adjustment, Setting
from devices.base.signals import PolledReadback, Readback, TraceArray
from devices.channel_access import ThreadlessStatus


def error_of_mean(sample_stddev: float, number: int) -> float:
    """Standard deviation of the mean of `number` samples; NaN for none."""
    return float(sample_stddev) / sqrt(number) if number > 0 else nan


class BoxcarUnit(StationDevice):
    """One boxcar, prefix for example ``7idd:UHF:BOX1:``; windows in degrees of the laser period.

    Its value is the mean over the last acquisition; detector pulses are negative.
    """

    watched: ClassVar[Mapping[str, float]] = {
        "window_start": 0.0,
        "window_size": 0.0,
        "periods": 0.0,
        "baseline_enable": 0.0,
        "baseline_start": 0.0,
    }

    value = Cpt(PolledReadback, "Value", units="V", kind="hinted")
    stddev = Cpt(Computed, inputs=("spread", "number"), function=error_of_mean, units="V", precision=9, kind="normal")
    """Standard deviation of the value."""
    spread = Cpt(PolledReadback, "StdDev", units="V", kind="normal")
    """Standard deviation of one sample."""
    number = Cpt(PolledReadback, "NumSamples", kind="normal")
    overload = Cpt(PolledReadback, "Overload_RBV", kind="normal")

    window_start = Cpt(Adjustment, "WindowStart", units="deg", kind="normal")
    window_size = Cpt(Adjustment, "WindowSize", units="s", kind="config")
    periods = Cpt(Adjustment, "Periods", kind="config")
    baseline_enable = Cpt(Adjustment, "BaselineEnable", limits=False, kind="config")
    baseline_start = Cpt(Adjustment, "BaselineStart", units="deg", kind="config")

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.value.name = self.name


class WaveformAnalyser(StationDevice):
    """Mean trace of one laser period, prefix for example ``7idd:UHF:PWA:``; acquired together with the boxcars."""

    trace = Cpt(TraceArray, "Waveform", units="V", kind="normal")
    number = Cpt(PolledReadback, "NumPeriods", kind="normal")
    phase = Cpt(TraceArray, "Phase", units="deg", kind="config")
    """Axis of the trace."""

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.trace.name = self.name

    def trigger(self) -> ThreadlessStatus:
        """Acquire with the boxcars for their preset time."""
        return self.parent.trigger()


class Boxcar(CountingDetector):
    """Both boxcars and the analyser, prefix for example ``7idd:UHF:``.

    The trace is not among the readings of a dwell: read `pwa` separately.
    """

    watched: ClassVar[Mapping[str, float]] = {"preset_time": 0.0}
    shown = ("box1.window_start", "box2.window_start")

    box1 = Cpt(BoxcarUnit, "BOX1:", kind="normal")
    box2 = Cpt(BoxcarUnit, "BOX2:", kind="normal")
    elapsed = Cpt(PolledReadback, "ElapsedTime_RBV", units="s", kind="normal")
    pwa = Cpt(WaveformAnalyser, "PWA:", kind="omitted")

    preset_time = Cpt(Setting, "PresetTime", put_complete=True, limits=True, units="s", kind="config")
    frequency = Cpt(Readback, "Frequency_RBV", auto_monitor=True, units="Hz", kind="config")
    """Laser trigger frequency; windows are in degrees of its period."""
    acquire = Cpt(Setting, "Acquire", put_complete=True, kind="omitted")

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        clipped = [unit.overload for unit in (self.box1, self.box2) if unit.overload.get()]
        return [f"{signal.pvname} reports clipped pulses" for signal in clipped]

    @property
    def counted_key(self) -> str:
        """Data key of the time (s) that it has counted."""
        return str(self.elapsed.name)

    @property
    def go(self) -> Setting:
        """The busy record; its put completes after every result has been written."""
        return self.acquire
