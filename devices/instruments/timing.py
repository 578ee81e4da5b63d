"""Bunch timing: RF, bunches and their positions in the ring, and the laser divider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt

from devices.base.computed import Computed, Readings
from devices.base.device import StationDevice
from devices.base.settings import Adjustment
from devices.base.signals import Readback, SoftSignal, TraceArray

LEAST_CHARGE = 0.01
"""Fraction of the largest bucket charge above which a bucket counts as filled."""


def bunch_positions(fill: np.ndarray) -> list[float]:
    """Position of each X-ray pulse in the ring, as a fraction of a turn, ascending.

    Neighbouring filled buckets are one pulse, at their centre; a ring without an empty bucket has a pulse in each.

    Parameters
    ----------
    fill : ndarray, shape (buckets,), mA
        Charge of each bucket; the first one is bunch 0 or precedes it.
    """
    filled = fill > LEAST_CHARGE * fill.max()
    if filled.all():
        return [float(position) for position in np.arange(fill.size) / fill.size]
    first = np.flatnonzero(filled & ~np.roll(filled, 1))
    last = np.flatnonzero(filled & ~np.roll(filled, -1))
    if first.size and last[0] < first[0]:  # a pulse wraps around the end of the waveform
        last = np.append(last[1:], last[0] + fill.size)
    return sorted(float(position) for position in (first + last) / 2 % fill.size / fill.size)


def bunch_currents(record: np.ndarray, bunches: int) -> np.ndarray:
    """Current of each bunch, shape (bunches,); all NaN if the record shows another number of bunches.

    Parameters
    ----------
    record : ndarray
        Of each bunch, or of each bucket: neighbouring filled buckets are one bunch, numbered from the first bucket.
    bunches : int
    """
    if record.size == bunches:
        return np.asarray(record, dtype=np.float64)
    filled = record > LEAST_CHARGE * record.max()
    number = np.cumsum(filled & ~np.roll(filled, 1)) - 1
    number[number < 0] = number.max()  # a bunch that wraps around the end of the waveform
    if number.max() + 1 != bunches:
        return np.full(bunches, np.nan)
    return np.bincount(number[filled], record[filled], minlength=bunches)


class BunchPositions(Computed):
    """Bunch positions, from the fill pattern of the ring; one element per bunch found."""

    def of(self, readings: Readings) -> dict[str, dict[str, Any]]:
        (fill,) = (readings[signal.name] for signal in self.sources)
        return {self.name: {"value": bunch_positions(fill["value"]), "timestamp": fill["timestamp"]}}

    def get(self, **_: Any) -> list[float]:  # type: ignore[override]
        return list(self.read()[self.name]["value"])

    def describe(self) -> dict[str, dict[str, Any]]:
        described = super().describe()
        described[self.name] |= {"dtype": "array", "shape": [len(self.get())], "units": "turns"}
        return described


class FillCurrents(Computed):
    """Current of each bunch, from the fill pattern of the ring."""

    def of(self, readings: Readings) -> dict[str, dict[str, Any]]:
        (fill,) = (readings[signal.name] for signal in self.sources)
        value = bunch_currents(fill["value"], int(self.parent.num_bunches.get()))
        return {self.name: {"value": value, "timestamp": fill["timestamp"]}}

    def get(self, **_: Any) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.read()[self.name]["value"])

    def describe(self) -> dict[str, dict[str, Any]]:
        described = super().describe()
        shape = [int(self.parent.num_bunches.get())]
        described[self.name] |= {"dtype": "array", "shape": shape, "dtype_numpy": "<f8"}
        return described


class BunchTiming(StationDevice):
    """Pattern of bunches and laser pulses.

    Parameters
    ----------
    prefix : str
        For example ``7idd:Timing:``.
    ring : str
        Precedes the facility's record name of the fill pattern; empty at the real ring.
    """

    watched: ClassVar[Mapping[str, float]] = {
        "harmonic": 0.0,
        "num_bunches": 0.0,
        "laser_divider": 0.0,
        "laser_phase": 0.0,
    }

    rf_frequency = Cpt(Readback, "RFFrequency_RBV", auto_monitor=True, units="Hz", kind="normal")
    harmonic = Cpt(Readback, "Harmonic_RBV", auto_monitor=True, kind="config")
    num_bunches = Cpt(Readback, "NumBunches_RBV", auto_monitor=True, kind="config")
    laser_divider = Cpt(Readback, "LaserDivider", auto_monitor=True, kind="config")
    bunch_rate = Cpt(Readback, "BunchRate_RBV", auto_monitor=True, units="Hz", kind="config")
    laser_rate = Cpt(Readback, "LaserRate_RBV", auto_monitor=True, units="Hz", kind="config")
    laser_phase = Cpt(Adjustment, "LaserPhase", kind="config")
    fill_pattern = FCpt(TraceArray, "{ring}Mt:S:FillPatternWF", units="mA", kind="omitted")
    bunch_places = Cpt(BunchPositions, inputs=("fill_pattern",), function=bunch_positions, kind="config")
    bunch_currents = Cpt(FillCurrents, inputs=("fill_pattern",), function=bunch_currents, units="mA", kind="omitted")

    def __init__(self, prefix: str, *, ring: str, **kwargs: object) -> None:
        self.ring = ring
        super().__init__(prefix, **kwargs)


class FixedTiming(StationDevice):
    """Pattern of bunches and laser pulses where no record has it: the values of the configuration.

    Parameters
    ----------
    prefix : str
        Not used: there are no records.
    rf_frequency : float
        Hz.
    harmonic : int
        Buckets of the ring.
    num_bunches : int
        X-ray pulses of a turn.
    laser_divider : int
        Bunches from one laser pulse to the next.
    buckets : sequence of float
        Bucket of each bunch, ascending; by default they are evenly spaced.
    """

    rf_frequency = Cpt(SoftSignal, value=0.0, units="Hz", kind="normal")
    harmonic = Cpt(SoftSignal, value=1, kind="config")
    num_bunches = Cpt(SoftSignal, value=1, kind="config")
    laser_divider = Cpt(SoftSignal, value=1, kind="config")
    laser_phase = Cpt(SoftSignal, value=0, kind="config")
    """First pumped bunch."""
    bunch_rate = Cpt(SoftSignal, value=0.0, units="Hz", kind="config")
    laser_rate = Cpt(SoftSignal, value=0.0, units="Hz", kind="config")
    bunch_places = Cpt(SoftSignal, value=[0.0], units="turns", kind="config")

    def __init__(
        self,
        prefix: str = "",
        *,
        rf_frequency: float,
        harmonic: int,
        num_bunches: int,
        laser_divider: int = 1,
        buckets: Sequence[float] = (),
        **kwargs: object,
    ) -> None:
        if not (rf_frequency > 0 and harmonic >= num_bunches >= 1 and laser_divider >= 1):
            raise ValueError("rf_frequency, num_bunches and laser_divider are above 0, harmonic at least num_bunches")
        if buckets and (len(buckets) != num_bunches or max(buckets) >= harmonic or list(buckets) != sorted(buckets)):
            raise ValueError(f"buckets: {num_bunches} ascending numbers below {harmonic} are needed")
        super().__init__(prefix, **kwargs)
        rate = rf_frequency / harmonic * num_bunches
        places = [bucket / harmonic for bucket in buckets] or [bunch / num_bunches for bunch in range(num_bunches)]
        values = {
            "rf_frequency": float(rf_frequency),
            "harmonic": harmonic,
            "num_bunches": num_bunches,
            "laser_divider": laser_divider,
            "bunch_rate": rate,
            "laser_rate": rate / laser_divider,
            "bunch_places": places,
        }
        for attribute, value in values.items():
            getattr(self, attribute).put(value)
