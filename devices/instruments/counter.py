"""FPGA photon counter: gates single photons of the APD and counts them by phase of the pattern."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import ClassVar

import numpy as np
from ophyd import Component as Cpt

from devices.base.bulk_read import fetch
from devices.base.computed import Computed
from devices.base.counting import CountingDetector
from devices.base.settings import Adjustment, Setting
from devices.base.signals import PhaseArray, PolledReadback, Readback
from devices.instruments.timing import BunchTiming

MOST_NAMED = 8
TOLERATED_LOSS = 0.05
"""Fraction of the gates that may be missing in a count: a top-up veto of 20 ms takes 2 % of one second."""

LAGS = 5
"""Number of lags (gates between the two of a pair, 1 to 5): rows of the pair arrays."""


def hits_per_gate(counts: np.ndarray, gates: np.ndarray) -> float:
    """Hits per gate over all phases; NaN without gates."""
    opened = int(gates.sum(dtype=np.int64))
    return float(counts.sum(dtype=np.int64)) / opened if opened > 0 else nan


class PhotonCounter(CountingDetector):
    """Single-photon counter with pair counters; prefix for example ``7idd:FPGA1:``.

    Counts and gates have shape (P,), pair arrays (5, P): row ``lag - 1``, element = phase of the later gate. The gate
    opens `gate_delay` after each bunch marker, for `gate_width`.
    """

    watched: ClassVar[Mapping[str, float]] = {
        "preset_time": 0.0,
        "gate_delay": 0.0,
        "gate_width": 0.0,
        "gate_clock": 0.0,
        "divide_by": 0.0,
        "num_bunches": 0.0,
        "num_phases": 0.0,
    }
    shown = ("gate_delay", "gate_width")
    tick_ns = 4.0
    """Unit of delay and width of the gate."""
    timing: BunchTiming | None = None
    """Provides the expected gate rate."""

    counts = Cpt(PhaseArray, "Counts", kind="normal")
    gates = Cpt(PhaseArray, "Gates", kind="normal")
    pair_gates = Cpt(PhaseArray, "PairGates", lags=LAGS, kind="normal")
    pair_counts = Cpt(PhaseArray, "PairCounts", lags=LAGS, kind="normal")
    prev_hits = Cpt(PhaseArray, "PrevHits", lags=LAGS, kind="normal")
    coincidences = Cpt(PhaseArray, "Coinc", lags=LAGS, kind="normal")
    hits_per_gate = Cpt(Computed, inputs=("counts", "gates"), function=hits_per_gate, kind="hinted")
    elapsed = Cpt(PolledReadback, "ElapsedTime_RBV", units="s", kind="normal")
    laser_phase = Cpt(PolledReadback, "LaserPhase_RBV", kind="normal")

    preset_time = Cpt(Setting, "PresetTime", put_complete=True, limits=True, units="s", kind="config")
    num_bunches = Cpt(Readback, "NumBunches_RBV", auto_monitor=True, kind="config")
    num_phases = Cpt(Readback, "NumPhases_RBV", auto_monitor=True, kind="config")
    gate_delay = Cpt(Adjustment, "GateDly-1_DLY", units="ticks of 4 ns", kind="normal")
    gate_width = Cpt(Adjustment, "GateDly-1_WIDTH", units="ticks of 4 ns", kind="normal")
    gate_clock = Cpt(Adjustment, "GateDly-1_CLOCK", limits=False, kind="config")
    """0: internal clock, the gate jitters by a tick; 1: locked to the RF."""
    divide_by = Cpt(Adjustment, "DivByN-1_N", kind="config")
    acquire = Cpt(Setting, "Acquire", put_complete=True, kind="omitted")

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.laser_phase.name = "laser_phase"

    def complaints(self) -> list[str]:
        """Problems of the last count: phases with a hit in every gate, gates that did not open.

        The expected number of gates needs the bunch timing, see `timing`.
        """
        read = {key: entry["value"] for key, entry in fetch([self.counts, self.gates, self.elapsed]).items()}
        counts, gates, elapsed = read.values()
        found = []
        saturated = np.flatnonzero((gates > 0) & (counts >= gates))
        if saturated.size:
            phases = ", ".join(map(str, saturated[:MOST_NAMED])) + (" ..." if saturated.size > MOST_NAMED else "")
            found.append(f"{self.counts.pvname} has a hit in every gate of phase {phases}")
        if self.timing is not None and elapsed > 0:
            opened = gates.sum() / (elapsed * self.timing.bunch_rate.get())
            if opened < 1 - TOLERATED_LOSS:
                found.append(f"{self.gates.pvname}: {1 - opened:.1%} of the gates did not open, shots are missing")
        return found

    @property
    def counted_key(self) -> str:
        """Data key of the time (s) that it has counted."""
        return str(self.elapsed.name)

    @property
    def go(self) -> Setting:
        """The busy record; its put completes after all arrays have been written."""
        return self.acquire
