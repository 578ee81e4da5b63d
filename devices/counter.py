"""FPGA that gates single photons of the APD and counts them, one element for each phase of the pattern."""

from __future__ import annotations

from ophyd import Component as Cpt

from devices.counting import CountingDetector
from devices.signals import Fetched, PhaseArray, Readback, Setting

LAGS = 5
"""Gates between the two of a pair, 1 to 5: rows of the pair arrays."""


class PhotonCounter(CountingDetector):
    """Single-photon counter with pair counters; prefix for example ``7idd:FPGA1:``.

    Counts and gates have shape (P,), pair arrays (5, P): row ``lag - 1``, element = phase of the later gate.
    """

    counts = Cpt(PhaseArray, "Counts", kind="normal")
    gates = Cpt(PhaseArray, "Gates", kind="normal")
    pair_gates = Cpt(PhaseArray, "PairGates", lags=LAGS, kind="normal")
    pair_counts = Cpt(PhaseArray, "PairCounts", lags=LAGS, kind="normal")
    prev_hits = Cpt(PhaseArray, "PrevHits", lags=LAGS, kind="normal")
    coincidences = Cpt(PhaseArray, "Coinc", lags=LAGS, kind="normal")
    elapsed = Cpt(Fetched, "ElapsedTime_RBV", units="s", kind="normal")
    laser_phase = Cpt(Fetched, "LaserPhase_RBV", kind="normal")

    preset_time = Cpt(Setting, "PresetTime", put_complete=True, limits=True, units="s", kind="config")
    num_bunches = Cpt(Readback, "NumBunches_RBV", auto_monitor=True, kind="config")
    num_phases = Cpt(Readback, "NumPhases_RBV", auto_monitor=True, kind="config")
    gate_delay = Cpt(Setting, "GateDly-1_DLY", auto_monitor=True, units="ticks of 4 ns", kind="config")
    gate_width = Cpt(Setting, "GateDly-1_WIDTH", auto_monitor=True, units="ticks of 4 ns", kind="config")
    divide_by = Cpt(Setting, "DivByN-1_N", auto_monitor=True, kind="config")
    acquire = Cpt(Setting, "Acquire", put_complete=True, kind="omitted")

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.laser_phase.name = "laser_phase"

    @property
    def go(self) -> Setting:
        """The busy record; its put is answered after all arrays have been written."""
        return self.acquire
