"""Which gates opened, as bits, where shots were dropped, and the states of the shots at both ends of a block."""

from __future__ import annotations

import numpy as np
from numba import njit

from reduction.shots.edges import HIT, LAGS, OPEN
from reduction.shots.kernels.bits import is_marked
from reduction.shots.kernels.hits import DROPPED, LANES
from reduction.shots.kernels.vector_bits import store_above
from reduction.shots.kernels.vectors import filled, load


@njit(cache=True, error_model="numpy", nogil=True)
def mark_opened_plainly(block, first, opened_bits):  # type: ignore[no-untyped-def]
    """What `mark_opened` computes, shot by shot from shot `first` on."""
    for shot in range(first, block.size):
        if not block[shot] & DROPPED:
            opened_bits[shot // LANES] |= np.uint64(1) << np.uint64(shot % LANES)


@njit(cache=True, error_model="numpy", nogil=True)
def mark_opened(block, opened_bits):  # type: ignore[no-untyped-def]
    """Mark the opened gates: as signed numbers, what is dropped is below 0.

    Parameters
    ----------
    block : uint8[N], contiguous
        Bit 7 is a dropped shot.
    opened_bits : uint64[M], at least N / 64 elements
        All written: bit ``i % 64`` of element ``i // 64`` is set where gate `i` opened.
    """
    below = filled(block, 0xFF)
    whole = block.size // LANES
    opened_bits[whole:] = np.uint64(0)
    for word in range(whole):
        store_above(opened_bits, word, load(block, word * LANES), below)
    mark_opened_plainly(block, whole * LANES, opened_bits)


@njit(cache=True, error_model="numpy", nogil=True)
def states_at_ends(opened, hit, length, all_open):  # type: ignore[no-untyped-def]
    """States of the first and of the last shots of a block, as `reduction.shots.edges.Edges` has them.

    Parameters
    ----------
    opened, hit : uint64[M]
        From `bits.new_marks`; `opened` is not looked at where all gates opened.
    length : int
        Shots of the block.
    all_open : bool

    Returns
    -------
    head, tail : uint8[min(length, LAGS)]
    """
    number = min(length, LAGS)
    head, tail = np.zeros(number, np.uint8), np.zeros(number, np.uint8)
    for ends, first in ((head, 0), (tail, length - number)):
        for place in range(number):
            if all_open or is_marked(opened, first + place):
                ends[place] |= np.uint8(OPEN)
            if is_marked(hit, first + place):
                ends[place] |= np.uint8(HIT)
    return head, tail
