"""Buffer of the frames that a photon counter takes while the energy moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from ophyd import Component as Cpt

from devices.base.bulk_read import fetch
from devices.base.computed import Computed
from devices.base.device import StationDevice
from devices.base.settings import Setting
from devices.base.signals import PolledReadback, TraceArray

READ_TIMEOUT = 10.0
"""Seconds of wall time for all frames to be read."""
COLUMNS = {"number": "<i4", "stamp": "<f8", "begin": "<f8", "end": "<f8", "i0": "<f8"}
"""Readings of a frame that are one number, with their types."""
BY_PHASE = ("counts", "gates", "pair_gates", "pair_hits", "pair_previous_hits", "pair_coincidences")
UNITS = {"stamp": "s", "begin": "keV", "end": "keV", "i0": "counts", **dict.fromkeys(BY_PHASE, "counts")}


class CountArray(PolledReadback):
    """Integers of all frames and phases in one record."""

    def mismatch(self) -> str:
        kind = self._read_pv.type.rpartition("_")[2]
        return "" if kind in ("long", "int", "short") else f"{self.pvname} is of type {kind}, not an array of integers"

    def convert(self, raw: Any) -> np.ndarray:
        return np.asarray(raw).astype(np.int32)


def _of_frames(i0: np.ndarray, taken: float) -> float:
    return float(np.sum(i0[: int(taken)]))


def _last(energies: np.ndarray, taken: float) -> float:
    """Energy at the end of the last frame; NaN without any."""
    return float(energies[int(taken) - 1]) if taken else float("nan")


def _seconds(taken: float, each: float) -> float:
    return taken * each


class FrameBuffer(StationDevice):
    """Frames of the last sweep; its readings are those of an event, a sweep as a whole.

    Prefix for example ``7idd:FPGA1:Frames:``.
    """

    sweep = Cpt(PolledReadback, "Sweep_RBV", kind="normal")
    taken = Cpt(PolledReadback, "NumTaken_RBV", units="frames", kind="normal")
    time = Cpt(Setting, "Time", put_complete=True, limits=True, units="s", kind="normal")
    i0_sum = Cpt(Computed, inputs=("i0", "taken"), function=_of_frames, units="counts", kind="hinted")
    i0_time = Cpt(Computed, inputs=("taken", "length"), function=_seconds, units="s", kind="normal")
    at_end = Cpt(Computed, inputs=("end", "taken"), function=_last, units="keV", kind="normal")
    length = Cpt(PolledReadback, "Time", units="s", kind="omitted")
    capacity = Cpt(Setting, "NumFrames", put_complete=True, limits=True, units="frames", kind="omitted")
    acquire = Cpt(Setting, "Acquire", put_complete=True, kind="omitted")
    number = Cpt(CountArray, "Number", kind="omitted")
    stamp = Cpt(TraceArray, "Stamp", kind="omitted")
    begin = Cpt(TraceArray, "Begin", kind="omitted")
    end = Cpt(TraceArray, "End", kind="omitted")
    i0 = Cpt(TraceArray, "I0", kind="omitted")
    counts = Cpt(CountArray, "Counts", kind="omitted")
    gates = Cpt(CountArray, "Gates", kind="omitted")
    pair_gates = Cpt(CountArray, "PairGates", kind="omitted")
    pair_hits = Cpt(CountArray, "PairCounts", kind="omitted")
    pair_previous_hits = Cpt(CountArray, "PrevHits", kind="omitted")
    pair_coincidences = Cpt(CountArray, "Coinc", kind="omitted")

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.i0_sum.name, self.i0_time.name = "i0", "i0_time"
        self.sweep.name, self.taken.name, self.time.name = "sweep_number", "sweep_frames", "sweep_frame_time"
        self.at_end.name = "sweep_end"

    @property
    def phases(self) -> int:
        """Phases of a frame."""
        return int(self.counts._read_pv.count) // int(self.number._read_pv.count)

    def frames(self) -> dict[str, np.ndarray]:
        """Arrays of the frames that were taken, by their names; the first axis is that of the frames."""
        names = (*COLUMNS, *BY_PHASE)
        parts = {name: getattr(self, name) for name in (*names, "taken", "sweep")}
        read = fetch(list(parts.values()), timeout=READ_TIMEOUT)
        values = {name: read[signal.name]["value"] for name, signal in parts.items()}
        taken, phases = int(values["taken"]), self.phases
        found = {name: np.asarray(values[name])[:taken] for name in COLUMNS}
        found |= {name: values[name][: taken * phases].reshape(taken, phases) for name in BY_PHASE}
        return found | {"sweep": np.full(taken, int(values["sweep"]))}
