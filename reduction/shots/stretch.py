"""All counters of one stretch of shots, and the reduction of one block to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.shots.block import HIT_TYPE, BitBlock, Block
from reduction.shots.counters import (
    COINCIDENCES,
    GATES,
    HITS,
    MONITOR_SQUARES,
    MONITOR_SUMS,
    PAIR_GATES,
    PAIR_HITS,
    PREVIOUS_HITS,
    PRODUCTS,
    new_counters,
    split,
)
from reduction.shots.ends import StretchEnds, count_pairs_across, count_pairs_of_opened_gates, states_at_ends
from reduction.shots.kernels import bitmaps, cross, heights, hits, layout
from reduction.shots.kernels.layout import BITS_PER_WORD, WORDS_PER_VECTOR, rotated
from reduction.shots.photons import count_bits, count_photons

IntArray = NDArray[np.int64]
Bitmap = NDArray[np.uint64]
"""One bit a shot, see `reduction.shots.kernels.layout`."""


@dataclass(frozen=True)
class Stretch:
    """Exact sums of a stretch of shots.

    Attributes
    ----------
    counters : ndarray of int64, shape (8, P)
        Rows as in `reduction.shots.counters`. Zeros where there is no such channel.
    pairs : ndarray of int64, shape (4, LAGS, P)
        Rows as in `reduction.shots.counters`.
    first_phase : int
        Phase of the first shot.
    ends : StretchEnds
    """

    counters: IntArray
    pairs: IntArray
    first_phase: int
    ends: StretchEnds

    @classmethod
    def empty(cls, num_phases: int) -> Stretch:
        """A stretch of no shots."""
        no_shots = np.zeros(0, np.uint8)
        return cls(*split(new_counters(num_phases)), 0, StretchEnds(0, no_shots, no_shots))

    def followed_by(self, later: Stretch, missing: int) -> Stretch:
        """This stretch and a later one, `missing` shots apart, as one."""
        pairs = self.pairs + later.pairs
        count_pairs_across(self.ends, later.ends, missing, later.first_phase, pairs)
        ends = self.ends.followed_by(later.ends, missing)
        return Stretch(self.counters + later.counters, pairs, self.first_phase, ends)

    @property
    def next_phase(self) -> int:
        """Phase of the shot after the last."""
        return (self.first_phase + self.ends.length) % self.counters.shape[1]


def reduce_block(block: Block | BitBlock, num_phases: int, threshold: int) -> Stretch:
    """Count one block.

    Parameters
    ----------
    block : Block or BitBlock
    num_phases : int
        Shots of the pattern of bunches and laser.
    threshold : int
        A height above this is a hit, ADC units; not used for blocks of hits.

    Raises
    ------
    reduction.shots.block.BlockError
        If type, layout, phase or length of the block is invalid.
    """
    block.check(num_phases)
    all_rows = new_counters(num_phases)
    counters, pairs = split(all_rows)
    row = layout.BITS.row(num_phases)
    hit, opened = bitmaps.new_bitmap(block.size, row), None
    if isinstance(block, BitBlock):
        _copy_bits(block, hit)
        count_bits(hit, block.size, num_phases, row, counters, pairs[COINCIDENCES])
    elif block.shots.dtype == HIT_TYPE:
        opened = _count_hits(block, counters, hit, row)
        bitmaps.count_pairs(hit, hit, 1, num_phases, row, pairs[COINCIDENCES])
    else:
        _sum_heights(block, threshold, counters, hit, row, pairs[COINCIDENCES])
    head, tail = states_at_ends(hit if opened is None else opened, hit, block.size, opened is None)
    if opened is None:
        count_pairs_of_opened_gates(counters[GATES], counters[HITS], head, tail, block.size, pairs)
    else:
        bitmaps.count_pairs(opened, opened, 1, num_phases, row, pairs[PAIR_GATES])
        bitmaps.count_pairs(hit, opened, 1, num_phases, row, pairs[PAIR_HITS])
        bitmaps.count_pairs(opened, hit, 1, num_phases, row, pairs[PREVIOUS_HITS])
    ends = StretchEnds(block.size, head, tail)
    return Stretch(*split(rotated(all_rows, block.first_phase)), block.first_phase, ends)


def _copy_bits(block: BitBlock, hit: Bitmap) -> None:
    """Copy the bits of a block to a bitmap; those after its last shot are 0."""
    last = WORDS_PER_VECTOR + block.words.size
    hit[WORDS_PER_VECTOR:last], hit[last:] = block.words, 0
    if rest := block.size % BITS_PER_WORD:
        hit[last - 1] &= np.uint64((1 << rest) - 1)


def _count_hits(block: Block, counters: IntArray, hit: Bitmap, row_of_bits: int) -> Bitmap | None:
    """Count a block of hits; returns the bitmap of the opened gates, or None if all opened."""
    num_phases = counters.shape[1]
    gates, counted = counters[GATES], counters[HITS]
    seen = hits.mark_hits(block.shots, num_phases, layout.HITS.row(num_phases), gates, counted, hit[WORDS_PER_VECTOR:])
    if seen & ~hits.DEFINED:
        raise block.error("a shot has another bit set than 0 (hit) and 7 (dropped)")
    if not seen & hits.DROPPED:
        return None
    opened = bitmaps.new_bitmap(block.shots.size, row_of_bits)
    hits.mark_opened(block.shots, opened[WORDS_PER_VECTOR:])
    return opened


def _sum_heights(
    block: Block, threshold: int, counters: IntArray, hit: Bitmap, row_of_bits: int, coincidences: IntArray
) -> None:
    """Sum a block of heights and its monitor, and count its hits and their coincidences; every gate opened."""
    num_phases = counters.shape[1]
    row = layout.HEIGHTS.row(num_phases)
    count_photons(block.shots, num_phases, row, row_of_bits, threshold, counters, hit, coincidences)
    if block.monitor is not None:
        monitor = counters[MONITOR_SUMS], counters[MONITOR_SQUARES]
        heights.sum_heights(block.monitor, num_phases, row, *monitor)
        cross.sum_products(block.shots, block.monitor, num_phases, row, counters[PRODUCTS])
