"""Everything that is counted in one stretch of shots, and one block reduced to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.shots.bitmaps import mark_opened, states_at_ends
from reduction.shots.block import HITS, Block
from reduction.shots.edges import LAGS, Edges, pairs_across
from reduction.shots.kernels import bits, cross, heights, hits
from reduction.shots.kernels.rows import rotated, row_length
from reduction.shots.open_gates import pairs_of_open_gates
from reduction.shots.photons import count_photons

IntArray = NDArray[np.int64]
Marks = NDArray[np.uint64]
"""A bit a shot, as `reduction.shots.kernels.bits.new_marks` has it."""

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
    sums = np.zeros((len(COUNTERS) + 4 * LAGS, num_phases), np.int64)
    counters, pairs = _parts(sums)
    row = row_length(num_phases, bits.VECTOR_SHOTS, bits.LEAST_ROW)
    hit, opened = bits.new_marks(block.shots.size, row), None
    if block.shots.dtype == HITS:
        opened = _count_hits(block, counters, hit, row)
        bits.count_pairs(hit, hit, 1, num_phases, row, pairs[3])
    else:
        _sum_heights(block, threshold, counters, hit, row, pairs[3])
    head, tail = states_at_ends(hit if opened is None else opened, hit, block.shots.size, opened is None)
    if opened is None:
        pairs_of_open_gates(counters[0], counters[1], head, tail, block.shots.size, pairs)
    else:
        for index, (later, before) in enumerate(((opened, opened), (hit, opened), (opened, hit))):
            bits.count_pairs(later, before, 1, num_phases, row, pairs[index])
    edges = Edges(block.shots.size, head, tail)
    return Stretch(*_parts(rotated(sums, block.first_phase)), block.first_phase, edges)


def _parts(sums: IntArray) -> tuple[IntArray, IntArray]:
    """Counters and pairs, which lie in one array, so that they are rotated in one go."""
    return sums[: len(COUNTERS)], sums[len(COUNTERS) :].reshape(4, LAGS, -1)


def _count_hits(block: Block, counters: IntArray, hit: Marks, bit_row: int) -> Marks | None:
    """Count a block of hits; marks of the opened gates, or None if all opened."""
    num_phases = counters.shape[1]
    row = row_length(num_phases, hits.LANES, hits.LEAST_ROW)
    seen = hits.mark_hits(block.shots, num_phases, row, counters[0], counters[1], hit[bits.LANES :])
    if seen & ~hits.PROMISED:
        raise block.error("a shot has another bit set than 0 (hit) and 7 (dropped)")
    if not seen & hits.DROPPED:
        return None
    opened = bits.new_marks(block.shots.size, bit_row)
    mark_opened(block.shots, opened[bits.LANES :])
    return opened


def _sum_heights(block: Block, threshold: int, counters: IntArray, hit: Marks, bit_row: int, both: IntArray) -> None:
    """Sum a block of heights, and its monitor, and count pairs of hits; every shot has its gate open."""
    num_phases = counters.shape[1]
    row = row_length(num_phases, heights.LANES, heights.LEAST_ROW)
    count_photons(block.shots, num_phases, row, bit_row, threshold, counters, hit, both)
    if block.monitor is not None:
        heights.sum_heights(block.monitor, num_phases, row, counters[5], counters[6])
        cross.sum_products(block.shots, block.monitor, num_phases, row, counters[7])
