"""Currents of the bunches: from the fill pattern of the ring, or from a fast monitor by phase. Read only."""

from __future__ import annotations

from typing import Any

import numpy as np
from ophyd import Component as Cpt
from ophyd import Device

from devices.base.computed import Computed, Readings
from devices.base.signals import TraceArray
from devices.instruments.timing import LEAST_CHARGE


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


class CurrentsOfBunches(Computed):
    """Current of each bunch, with the time stamp of the record: its age is known."""

    def of(self, readings: Readings) -> dict[str, dict[str, Any]]:
        (record,) = (readings[signal.name] for signal in self.sources)
        value = bunch_currents(record["value"], self.root.num_bunches)
        return {self.name: {"value": value, "timestamp": record["timestamp"]}}

    def get(self, **_: Any) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.read()[self.name]["value"])

    def describe(self) -> dict[str, dict[str, Any]]:
        described = super().describe()
        described[self.name] |= {"dtype": "array", "shape": [self.root.num_bunches], "dtype_numpy": "<f8"}
        return described


class BunchCurrents(Device):
    """Fill-pattern record of the ring, read with each dwell.

    Parameters
    ----------
    prefix : str
        Full name of the record, a waveform with the charge of each bucket or of each bunch: for example
        ``Mt:S:FillPatternWF``.
    num_bunches : int
        X-ray pulses of a turn.
    """

    pattern = Cpt(TraceArray, "", units="mA", kind="omitted")
    record = Cpt(CurrentsOfBunches, inputs=("pattern",), function=bunch_currents, units="mA", kind="normal")

    def __init__(self, prefix: str, *, num_bunches: int, **kwargs: object) -> None:
        if num_bunches < 1:
            raise ValueError(f"num_bunches must be at least 1, not {num_bunches}")
        self.num_bunches = int(num_bunches)
        super().__init__(prefix, **kwargs)


class BunchMonitor(Device):
    """Fast monitor of the X-ray pulses, read with each dwell: an intensity for each phase, measured while it counts.

    Parameters
    ----------
    prefix : str
        Full name of the record, a waveform of floats with one element a phase.
    """

    by_phase = Cpt(TraceArray, "", kind="normal")
