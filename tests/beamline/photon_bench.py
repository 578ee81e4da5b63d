"""Soft instruments that count random photons, with all keys that the reduction reads; their truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bluesky import RunEngine
from bluesky.utils import MsgGenerator

from beamline.records.journal import Journal, read, run_file, run_files
from beamline.records.runs.journal_runs import JournalRuns
from plans.protocols import Instruments
from reduction.live.reducer import LiveReducer
from tests.plans.fakes import Bench, Data, FakeCounter, FakeSignal, FakeTiming, Notes, bench

BUNCHES, DIVIDER, PHASES = 2, 5, 10
RATE = 6.5e6
GATES = 200_000
I0_RATE, I0_DARK = 1e6, 1e3
SAMPLE = "soft"


def photons(energy: float, laser_on: int) -> np.ndarray:
    """True photons a pulse of each phase: an edge at 13.47 keV, pumped slot 0 is 20 % lower, slot 1 10 % higher."""
    static = 0.1 + 0.3 / (1 + np.exp(-(energy - 13.47) * 1000))
    slots = np.arange(PHASES) % DIVIDER
    change = np.select([slots == 0, slots == 1], [-0.2, 0.1], 0.0)
    return static * (1 + laser_on * change)


class PhotonCounter(FakeCounter):
    """Counts binomial hits of the present energy and shutter, of a fraction of the photons."""

    def __init__(self, name: str, notes: Notes, soft: Bench, rng: np.random.Generator, sees: float = 1.0) -> None:
        super().__init__(name, notes, soft.shutter)
        self._soft, self._rng, self._sees = soft, rng, sees

    def trigger(self) -> Any:
        status = super().trigger()
        mu = self._sees * photons(float(self._soft.energy.value), int(self._soft.shutter.value))
        self._counts = self._rng.binomial(GATES, -np.expm1(-mu)).astype(np.int32)
        return status

    def values(self) -> Data:
        gates = np.full(PHASES, GATES, np.int32)
        found: Data = {f"{self.name}_counts": (self._counts.copy(), "counts"), f"{self.name}_gates": (gates, "counts")}
        return {**found, "laser_phase" if self.name == "fpga" else f"{self.name}_laser_phase": (0, "")}


class I0(FakeCounter):
    """A steady flux."""

    def values(self) -> Data:
        seconds = float(self.preset_time.value)
        counts = (I0_RATE + I0_DARK) * seconds
        return {
            "i0": (counts, "counts"),
            "i0_time": (seconds, "s"),
            "i0_gain": (1.0, "V/A"),
            "i0_dark": (I0_DARK, "counts/s"),
        }


class Timing(FakeTiming):
    """Records the pattern in the descriptor, as the reduction needs it."""

    def read_configuration(self) -> dict[str, dict[str, Any]]:
        reported = {"timing_num_bunches": BUNCHES, "timing_laser_divider": DIVIDER, "timing_bunch_rate": RATE}
        return {key: {"value": value, "timestamp": 0.0} for key, value in reported.items()}

    def describe_configuration(self) -> dict[str, dict[str, Any]]:
        keys = ("timing_num_bunches", "timing_laser_divider", "timing_bunch_rate")
        return {key: {"source": "fake", "dtype": "number", "shape": [], "dtype_numpy": "<f8"} for key in keys}


class FailingNotes(Notes):
    """Lets an action fail once, after a number of actions."""

    def fail_in(self, actions: int) -> None:
        self.fails_at = len(self.actions) + actions


@dataclass
class PhotonBench:
    """Instruments, RunEngine, journal and live reduction of one evening."""

    root: Path
    seed: int = 0
    notes: FailingNotes = field(default_factory=FailingNotes)
    second: bool = False
    """Whether there is a second counter, ``fpga2``, which sees half of the photons."""

    def __post_init__(self) -> None:
        self.soft = bench(BUNCHES, DIVIDER, self.notes)
        rng = np.random.default_rng(self.seed)
        others = [PhotonCounter("fpga2", self.notes, self.soft, rng, 0.5)] if self.second else []
        counters = (
            PhotonCounter("fpga", self.notes, self.soft, rng), *others, I0("i0", self.notes, self.soft.shutter)
        )  # fmt: skip
        self.soft.counters = counters  # type: ignore[assignment]
        self.soft.timing = Timing(self.notes, BUNCHES, DIVIDER)
        self.journal = Journal(self.root, min_free_bytes=0)
        numbered = {"sample": SAMPLE, "scan_id": len(run_files(self.root))}  # goes on from the evening before
        self.engine = RunEngine(numbered, call_returns_result=True, context_managers=[])
        self.engine.subscribe(self.journal)

    @property
    def instruments(self) -> Instruments:
        return self.soft.instruments()

    @property
    def shutter(self) -> FakeSignal:
        return self.soft.shutter

    def run(self, plan: MsgGenerator[str]) -> Any:
        """Run a plan; its error is raised."""
        return self.engine(plan)

    def close(self) -> None:
        self.journal.close()


def summed(root: Path, scan_set: str, publish: Callable[[str, Any], None] = lambda name, doc: None) -> LiveReducer:
    """The reduction of all raw runs of a scan set in the journal."""
    reducer = LiveReducer(publish)
    for run in JournalRuns(root).runs():
        if run.scan_set == scan_set and run.raw_uid is None:
            for name, doc in read(run_file(root, run.uid)):
                reducer(name, doc)
    return reducer
