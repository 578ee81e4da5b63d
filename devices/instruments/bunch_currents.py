"""Currents of the bunches: from the fill pattern of the ring, or from a fast monitor by phase. Read only."""

from __future__ import annotations

from typing import Any

import numpy as np
from ophyd import Component as Cpt

from devices.base.computed import Computed, Readings
from devices.base.device import StationDevice
from devices.base.signals import TraceArray
from devices.instruments.timing import bunch_currents


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


class BunchCurrents(StationDevice):
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


class BunchMonitor(StationDevice):
    """Fast monitor of the X-ray pulses, read with each dwell: an intensity for each phase, measured while it counts.

    Parameters
    ----------
    prefix : str
        Full name of the record, a waveform of floats with one element a phase.
    """

    by_phase = Cpt(TraceArray, "", kind="normal")
