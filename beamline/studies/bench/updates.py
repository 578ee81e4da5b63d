"""From a block of one second to the updated point, and the cost of a full recomputation."""

from __future__ import annotations

import time
from functools import partial
from importlib.util import find_spec
from math import nan

import numpy as np
from numpy.typing import NDArray

from beamline.studies.bench.rows import BenchRow, absent
from beamline.studies.bench.shots import BUNCH_RATE, NUM_PHASES, THRESHOLD, ExampleShots, read_words, shuffle_bits
from beamline.studies.bench.timing import interleaved
from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.phases import Pattern
from reduction.counting.pileup import photons_per_pulse
from reduction.shots.block import Block
from reduction.shots.sums import ShotSums

PATTERN = Pattern(24, 5, 0, BUNCH_RATE)
FULL_SECONDS = 60
"""Seconds of shots in the recomputation: one point of a scan."""
PIECE_SECONDS = 10
ARITHMETIC_STEPS = 250_000
"""Steps that take about as long as an update, so that other load affects both alike."""
READS = 4
"""Reads of a second that take about as long as its update."""
SERIES, ROUNDS_OF_SERIES = 6, 5
"""Series for the 99th percentile, each of that many times the rounds of others: of eighty it would be the slowest."""
PULL_TRIALS, PULL_GATES, PULL_MU = 40_000, 54_311, 0.3


class Point:
    """One point that is updated by each block."""

    def __init__(self) -> None:
        self.sums = CountingAccumulator(PATTERN, 1, 1e-3)
        self._segment = 0

    def update(self, block: Block) -> np.ndarray:
        """Reduce a block as a dwell and update the point; returns the difference of on and off by slot."""
        shots = ShotSums(NUM_PHASES, THRESHOLD)
        shots.add(block)
        self._segment = (self._segment + 1) % 4
        dwell = shots.result().dwell("pass", (0, self._segment, 0), self._segment in (1, 2), 1.0, 0)
        return self.sums.add(dwell).difference


def measure(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """Rows of the update, its cost against history, and the recomputation."""
    point, words = Point(), second.hits.view(np.uint64)
    seconds = interleaved(
        {
            "uint8": lambda: point.update(Block(0, 0, second.hits)),
            "int16": lambda: point.update(Block(0, 0, second.heights)),
            "reading": lambda: [read_words(words) for _ in range(READS)],
            "arithmetic": partial(shuffle_bits, ARITHMETIC_STEPS),
        },
        SERIES * ROUNDS_OF_SERIES * rounds,
    )
    p99, p99_reading, p99_beside = (quietest_p99(seconds[name]) * 1e3 for name in ("uint8", "reading", "arithmetic"))
    of_all, of_all_beside = (float(np.percentile(seconds[name], 99)) * 1e3 for name in ("uint8", "arithmetic"))
    median, median_reading, median_beside = (
        float(np.median(seconds[name])) * 1e3 for name in ("uint8", "reading", "arithmetic")
    )
    steadiness, of_reading, of_arithmetic = p99 / median, p99_reading / median_reading, p99_beside / median_beside
    rows = [
        BenchRow(
            "1 s of uint8 in memory to updated point, p99", p99, 1.0, 0.25, "ms", True, f"quietest of {SERIES} series"
        ),
        BenchRow("the same, p99 of all series", of_all, unit="ms"),
        BenchRow("the same, median", median, unit="ms"),
        BenchRow(
            "the same, p99 of the quietest series / median",
            steadiness,
            1.3,
            None,
            "",
            True,
            because=f"the machine itself has {of_reading:.2f} where it only reads the same words, {of_arithmetic:.2f}"
            " in arithmetic without memory access; 1.3 is asked for where it is as steady",
        ),
        BenchRow("for comparison, reading the same words, p99 of the quietest series / median", of_reading),
        BenchRow(
            "for comparison, arithmetic without memory access, p99", p99_beside, unit="ms", note="in the same way"
        ),
        BenchRow("the same, p99 of all series", of_all_beside, unit="ms"),
        BenchRow("the same, median", median_beside, unit="ms"),
        BenchRow("the same, p99 of the quietest series / median", of_arithmetic),
        BenchRow(
            "1 s of int16 in memory to updated point, median", float(np.median(seconds["int16"])) * 1e3, unit="ms"
        ),
    ]
    return [*rows, recomputation(second, float(seconds["uint8"].min())), pull()]


def quietest_p99(seconds: NDArray[np.float64]) -> float:
    """99th percentile of the quietest of some series of rounds (s).

    Rare delays of the function itself occur in each series; those of other programs and of the host of a virtual
    machine come and go, and only add time.
    """
    return min(float(np.percentile(one, 99)) for one in np.array_split(seconds, SERIES))


def recomputation(second: ExampleShots, update: float) -> BenchRow:
    """Time of grouping a point's whole minute by phase with pandas, over the time of one update."""
    name = f"recomputation of {FULL_SECONDS} s with pandas / incremental update"
    if find_spec("pandas") is None:
        return absent(name, 1e3, 1e4, "pandas")
    import pandas

    hits = np.tile(second.hits, PIECE_SECONDS)
    frame = pandas.DataFrame({"phase": (np.arange(hits.size) % NUM_PHASES).astype(np.int32), "hit": hits})
    began = time.perf_counter()
    frame.groupby("phase")["hit"].sum()
    seconds = (time.perf_counter() - began) * FULL_SECONDS / PIECE_SECONDS
    return BenchRow(name, seconds / update, 1e3, 1e4, note=f"{PIECE_SECONDS} s measured and scaled up")


def pull(seed: int = 1) -> BenchRow:
    """Standard deviation of (mu - truth) / error over many dwells of one bunch."""
    rng = np.random.default_rng(seed)
    hits = rng.binomial(PULL_GATES, -np.expm1(-PULL_MU), PULL_TRIALS).astype(np.int64)
    mu, variance = photons_per_pulse(hits, np.full(PULL_TRIALS, PULL_GATES))
    width = float(((mu - PULL_MU) / np.sqrt(variance)).std())
    off = abs(width - 1) if np.isfinite(width) else nan
    return BenchRow("pull of bunch-resolved mu: departure from 1", off, 0.05, 0.02, "", True, f"pull {width:.4f}")
