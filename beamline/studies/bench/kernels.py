"""Kernels against the read bandwidth of one core."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import NUM_PHASES, SECOND, THRESHOLD, ExampleShots, read_words
from beamline.studies.bench.timing import Work, interleaved, ratio
from reduction.shots.kernels import bitmaps, floats, heights, hits, layout
from reduction.shots.kernels.layout import WORDS_PER_VECTOR
from reduction.shots.sums import ShotCounts, ShotSums
from reduction.shots.tags import TaggedBlock

COUNT = "uint8 hits by phase"
FLOATS = "float32 sums and squares"
SUMS = "int16 sums and squares"
ALL = "int16 sums, squares, hits, sums over hits, pairs"
WITHOUT_PAIRS = "int16 sums, squares, hits, sums over hits"
BITS, TAGS = "bit-packed hits by phase", "photon tags to all counters"
WANTED = {
    (COUNT, "DRAM"): (0.70, 0.90),
    (COUNT, "cache"): (0.70, 0.95),
    (FLOATS, "DRAM"): (0.60, 0.90),
    (FLOATS, "cache"): (0.60, 0.85),
    (SUMS, "DRAM"): (0.55, 0.90),
    (SUMS, "cache"): (0.35, 0.90),
    (ALL, "DRAM"): (0.45, 0.75),
    (ALL, "cache"): (0.20, 0.70),
}
"""Fraction of the read bandwidth of the same array: must and goal."""
PIECE = -(-SECOND // NUM_PHASES) * NUM_PHASES
"""Shots per block of long arrays: the instrument writes blocks of about a second. A second is one block."""


def hit_counter(shots: ExampleShots) -> Callable[[], np.ndarray]:
    """Hits by phase of the uint8 form."""
    row = layout.HITS.row(NUM_PHASES)

    def count() -> np.ndarray:
        gates, found = np.zeros((2, NUM_PHASES), np.int64)
        hits.count_hits(shots.hits, NUM_PHASES, row, gates, found)
        return found

    return count


def height_sums(shots: ExampleShots) -> Callable[[], np.ndarray]:
    """Sums and squares by phase of the int16 form, shape (2, P)."""
    row = layout.HEIGHTS.row(NUM_PHASES)

    def work() -> np.ndarray:
        sums = np.zeros((2, NUM_PHASES), np.int64)
        heights.sum_heights(shots.heights, NUM_PHASES, row, sums[0], sums[1])
        return sums

    return work


def everything(shots: ExampleShots, pairs: bool = True) -> Callable[[], np.ndarray]:
    """Sums, squares, sums over hits, hits and coincidences of lags 1 to 5, shape (9, P); by blocks of a second.

    Without `pairs`, hits are marked but not counted.
    """
    row = layout.HEIGHTS.row(NUM_PHASES)
    row_of_bits = layout.BITS.row(NUM_PHASES)
    hit = bitmaps.new_bitmap(min(PIECE, shots.heights.size), row_of_bits)
    hit_bits = hit.view(np.uint32)[2 * WORDS_PER_VECTOR :]
    turns, rest = divmod(shots.heights.size, NUM_PHASES)
    by_phase = turns + (np.arange(NUM_PHASES) < rest)

    def work() -> np.ndarray:
        out = np.zeros((9, NUM_PHASES), np.int64)
        for first in range(0, shots.heights.size, PIECE):
            piece = shots.heights[first : first + PIECE]
            heights.find_hits(piece, NUM_PHASES, row, THRESHOLD, out[0], out[1], hit_bits, out[2])
            if pairs:
                bitmaps.count_pairs(hit, hit, 0, NUM_PHASES, row_of_bits, out[3:])
        out[2] = heights.sums_over_hits(out[2], THRESHOLD, by_phase, out[3])
        return out

    return work


def float_sums(shots: ExampleShots) -> Callable[[], np.ndarray]:
    """Sums and squares by phase of the float32 form, shape (2, P)."""
    row = layout.FLOATS.row(NUM_PHASES)
    origin = np.zeros(NUM_PHASES)

    def work() -> np.ndarray:
        sums = np.zeros((2, NUM_PHASES))
        floats.sum_deviations(shots.floats, NUM_PHASES, row, origin, sums[0], sums[1])
        return sums

    return work


def bit_counter(shots: ExampleShots) -> Callable[[], np.ndarray]:
    """Hits by phase of the same shots, one bit each, shape (1, P)."""
    row = layout.BITS.row(NUM_PHASES)
    hit = bitmaps.new_bitmap(shots.hits.size, row)
    hit[:] = 0
    gates, found = np.zeros((2, NUM_PHASES), np.int64)
    hits.mark_hits(shots.hits, NUM_PHASES, layout.HITS.row(NUM_PHASES), gates, found, hit[WORDS_PER_VECTOR:])

    def count() -> np.ndarray:
        out = np.zeros((1, NUM_PHASES), np.int64)
        bitmaps.count_pairs(hit, hit, 0, NUM_PHASES, row, out)
        return out

    return count


def tagged(shots: ExampleShots, bunches: int = 24, unit: int = 6393) -> TaggedBlock:
    """The hits of whole turns as tags, each in the middle of its gate of `unit`, and a tick every 24 bunches."""
    whole = shots.hits.size // bunches * bunches
    clock = 10**9 + np.arange(whole // bunches + 1, dtype=np.uint64) * np.uint64(unit * bunches)
    gate = np.flatnonzero(shots.hits[:whole]).astype(np.uint64)
    return TaggedBlock(0, 0, clock[0] + gate * np.uint64(unit) + np.uint64(unit // 2), clock, bunches)


def tag_counter(block: TaggedBlock) -> Callable[[], ShotCounts]:
    """All counters, those of pairs included, of time-tagged photons."""

    def count() -> ShotCounts:
        sums = ShotSums(NUM_PHASES, THRESHOLD)
        sums.add(block.hits())
        return sums.result()

    return count


def of_bits(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """Hits in one bit a shot and as time tags, against one byte a shot."""
    block = tagged(second)
    words = np.packbits(second.hits[: second.hits.size // 64 * 64]).view(np.uint64)
    works: dict[str, Work] = {COUNT: hit_counter(second), BITS: bit_counter(second), "read": partial(read_words, words)}
    seconds = interleaved({**works, TAGS: tag_counter(block)}, rounds)
    rate = block.photons.size / float(seconds[TAGS].min()) / 1e6
    because = f"only reading the words of the bits takes {ratio(seconds, 'read', COUNT):.3f}; adding them is the rest"
    return [
        BenchRow(f"{BITS}: time / time of uint8", ratio(seconds, BITS, COUNT), 0.30, 0.15, "", True, because=because),
        BenchRow(f"{TAGS}, pairs too", rate, 100.0, None, "million/s"),
    ]


def check(shots: ExampleShots) -> None:
    """Compare the kernels with plain numpy on the same second; a benchmark of wrong results is worthless.

    Raises
    ------
    AssertionError
        If a number differs.
    """
    whole = shots.hits.size // NUM_PHASES * NUM_PHASES
    one = ExampleShots(shots.hits[:whole], shots.heights[:whole], shots.floats[:whole])
    wide = one.heights.reshape(-1, NUM_PHASES).astype(np.int64)
    np.testing.assert_array_equal(hit_counter(one)(), one.hits.reshape(-1, NUM_PHASES).sum(axis=0))
    np.testing.assert_array_equal(height_sums(one)(), [wide.sum(axis=0), (wide**2).sum(axis=0)])
    found = everything(one)()
    above = one.heights > THRESHOLD
    np.testing.assert_array_equal(
        found[:4], [*height_sums(one)(), (wide * (wide > THRESHOLD)).sum(axis=0), hit_counter(one)()]
    )
    for lag in range(1, 6):
        both = np.zeros(whole, bool)
        both[lag:] = above[lag:] & above[:-lag]
        np.testing.assert_array_equal(found[3 + lag], both.reshape(-1, NUM_PHASES).sum(axis=0))
    np.testing.assert_array_equal(bit_counter(one)()[0], hit_counter(one)())
    np.testing.assert_array_equal(tag_counter(tagged(one))().hits, hit_counter(one)())
    exact = one.floats.reshape(-1, NUM_PHASES).astype(np.float64)
    np.testing.assert_allclose(float_sums(one)(), [exact.sum(axis=0), (exact**2).sum(axis=0)], rtol=1e-9)


def measure(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """Rows of the kernels, from DRAM and with one second in cache; and the bandwidths themselves."""
    rows = []
    for memory, shots, turns in (("DRAM", second.repeated(), max(5, rounds // 8)), ("cache", second, rounds)):
        works: dict[str, Work] = {
            "read 8": partial(read_words, shots.hits.view(np.uint64)),
            COUNT: hit_counter(shots),
            "read 16": partial(read_words, _words(shots.heights)),
            SUMS: height_sums(shots),
            ALL: everything(shots),
            WITHOUT_PAIRS: everything(shots, pairs=False),
            "read 32": partial(read_words, _words(shots.floats)),
            FLOATS: float_sums(shots),
        }
        seconds = interleaved(works, turns, warm=memory == "cache")
        bandwidth = shots.hits.nbytes / float(seconds["read 8"].min()) / 1e9
        rows.append(BenchRow(f"one core reads, {memory}", bandwidth, unit="GB/s"))
        because = {
            COUNT: "six loads and stores for four loads of reading: a row of sums comes and goes with each four rows",
            ALL: f"without pairs it is {ratio(seconds, 'read 16', WITHOUT_PAIRS):.2f}; 512 bytes of heights take 66"
            " vector instructions and 16 stores, 33 cycles at least, and reading them 22 to 28 from cache",
        }
        for name, reference in ((COUNT, "read 8"), (FLOATS, "read 32"), (SUMS, "read 16"), (ALL, "read 16")):
            must, goal = WANTED.get((name, memory), (None, None))
            seen = ratio(seconds, reference, name)
            row = BenchRow(f"{name} / read bandwidth, {memory}", seen, must, goal, because=because.get(name, ""))
            rows.append(row)
        if memory == "cache":
            rows += of_bits(second, rounds)
            beam = SECOND / 6.5173e6
            rows.append(BenchRow("beam time / time of counting hits", beam / float(seconds[COUNT].min()), 1e3, 1e4))
    return rows


def _words(array: np.ndarray) -> np.ndarray:
    return array[: array.nbytes // 8 * 8 // array.itemsize].view(np.uint64)
