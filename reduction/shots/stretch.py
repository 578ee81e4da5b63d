"""Everything that is counted in one stretch of shots, and one block reduced to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.shots import bits, cross, heights, hits
from reduction.shots.block import HITS, Block
from reduction.shots.edges import HIT, LAGS, OPEN, Edges, pairs_across
from reduction.shots.marks import mark_opened
from reduction.shots.rows import rotated, row_length

IntArray = NDArray[np.int64]
Marks = NDArray[np.uint64]
"""A bit a shot, as `reduction.shots.bits.empty_marks` has it."""

COUNTERS = ("gates", "hits", "hit_sums", "sums", "squares", "monitor_sums", "monitor_squares", "products")
"""Rows of `Stretch.counters`."""


@dataclass(frozen=True)
class Stretch:
    """Exact sums of a stretch of shots.

    Attributes
    ----------
    counters : ndarray of int64, shape (8, P)
        Rows in the order of `COUNTERS`: opened gates, hits, heights of the hits summed, heights and their squares
        summed, monitor and its squares summed, products of the two summed. Zeros where there is no such channel.
    pairs : ndarray of int64, shape (4, LAGS, P)
        Gates, hits, before, both as in `reduction.counting.pairs.Pairs`.
    first_phase : int
        Phase of the first shot.
    edges : Edges
    """

    counters: IntArray
    pairs: IntArray
    first_phase: int
    edges: Edges

    def followed_by(self, later: Stretch, missing: int) -> Stretch:
        """This stretch and a later one, `missing` shots apart, as one."""
        pairs = self.pairs + later.pairs
        pairs_across(self.edges, later.edges, missing, later.first_phase, pairs)
        edges = self.edges.followed_by(later.edges, missing)
        return Stretch(self.counters + later.counters, pairs, self.first_phase, edges)

    @property
    def next_phase(self) -> int:
        """Phase of the shot after the last."""
        return (self.first_phase + self.edges.length) % self.counters.shape[1]


def reduce_block(block: Block, num_phases: int, threshold: int) -> Stretch:
    """Count one block.

    Parameters
    ----------
    block : Block
    num_phases : int
        Shots of the pattern of bunches and laser.
    threshold : int
        A height above this is a hit, ADC units; not used for blocks of hits.

    Raises
    ------
    reduction.shots.block.BlockError
        If the block cannot be what it should be.
    """
    block.check(num_phases)
    counters = np.zeros((len(COUNTERS), num_phases), np.int64)
    row = row_length(num_phases, bits.VECTOR_SHOTS, bits.LEAST_ROW)
    hit, opened = bits.empty_marks(block.shots.size, row), None
    if block.shots.dtype == HITS:
        opened = _count_hits(block, counters, hit)
    else:
        _sum_heights(block, threshold, counters, hit, row)
    edges = _edges(block.shots.size, opened, hit)
    if opened is None:
        pairs = _pairs_of_open_gates(counters[0], counters[1], edges, hit, row)
    else:
        pairs = _pairs(opened, hit, num_phases, row)
    return Stretch(rotated(counters, block.first_phase), rotated(pairs, block.first_phase), block.first_phase, edges)


def _count_hits(block: Block, counters: IntArray, hit: Marks) -> Marks | None:
    """Count a block of hits; marks of the opened gates, or None if all opened."""
    num_phases = counters.shape[1]
    row = row_length(num_phases, hits.LANES, hits.LEAST_ROW)
    seen = hits.mark_hits(block.shots, num_phases, row, counters[0], counters[1], hit[bits.LANES :])
    if seen & ~hits.PROMISED:
        raise block.error("a shot has another bit set than 0 (hit) and 7 (dropped)")
    if not seen & hits.DROPPED:
        return None
    opened = np.zeros_like(hit)
    mark_opened(block.shots, opened[bits.LANES :])
    return opened


def _sum_heights(block: Block, threshold: int, counters: IntArray, hit: Marks, bit_row: int) -> None:
    """Sum a block of heights, and its monitor; every shot has its gate open."""
    num_phases = counters.shape[1]
    turns, rest = divmod(block.shots.size, num_phases)
    counters[0] += turns
    counters[0, :rest] += 1
    row = row_length(num_phases, heights.LANES, heights.LEAST_ROW)
    hit_bits = hit.view(np.uint32)[2 * bits.LANES :]
    heights.find_hits(block.shots, num_phases, row, threshold, counters[3], counters[4], hit_bits, counters[2])
    bits.count_pairs(hit, hit, 0, num_phases, bit_row, counters[1])
    counters[2] = heights.sums_over_hits(counters[2], threshold, counters[0], counters[1])
    if block.monitor is not None:
        heights.sum_heights(block.monitor, num_phases, row, counters[5], counters[6])
        cross.sum_products(block.shots, block.monitor, num_phases, row, counters[7])


def _edges(length: int, opened: Marks | None, hit: Marks) -> Edges:
    """States of the first and last shots; all gates open without `opened`."""

    def state(shot: int) -> int:
        is_open = opened is None or bits.is_marked(opened, shot)
        return OPEN * is_open | HIT * bits.is_marked(hit, shot)

    number = min(length, LAGS)
    head = np.array([state(shot) for shot in range(number)], np.uint8)
    tail = np.array([state(shot) for shot in range(length - number, length)], np.uint8)
    return Edges(length, head, tail)


def _pairs(opened: Marks, hit: Marks, num_phases: int, row: int) -> IntArray:
    """Pair counters by local phase."""
    pairs = np.zeros((4, LAGS, num_phases), np.int64)
    for lag in range(1, LAGS + 1):
        for index, (later, before) in enumerate(((opened, opened), (hit, opened), (opened, hit), (hit, hit))):
            bits.count_pairs(later, before, lag, num_phases, row, pairs[index, lag - 1])
    return pairs


def _pairs_of_open_gates(
    gates: IntArray, hit_counts: IntArray, edges: Edges, hit: Marks, row: int
) -> IntArray:
    """Pair counters by local phase where every gate opened: only what is in both has to be counted.

    The first `lag` shots have no partner before them, the last `lag` none after them.
    """
    num_phases = gates.size
    pairs = np.zeros((4, LAGS, num_phases), np.int64)
    for lag in range(1, LAGS + 1):
        before = hit_counts.copy()
        pairs[0, lag - 1], pairs[1, lag - 1] = gates, hit_counts
        for place, state in enumerate(edges.head[:lag]):
            pairs[:2, lag - 1, place % num_phases] -= (1, state & HIT != 0)
        for back, state in enumerate(edges.tail[::-1][:lag], start=1):
            before[(edges.length - back) % num_phases] -= state & HIT != 0
        pairs[2, lag - 1] = np.roll(before, lag)
        bits.count_pairs(hit, hit, lag, num_phases, row, pairs[3, lag - 1])
    return pairs
