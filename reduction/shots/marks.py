"""Which gates opened, as bits, where shots were dropped: for the pair counters."""

from __future__ import annotations

import numpy as np
from numba import njit

from reduction.shots.hits import DROPPED, LANES
from reduction.shots.vectors import filled, load, store_above


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
        Zeros; written: bit ``i % 64`` of element ``i // 64`` is set where gate `i` opened.
    """
    below = filled(block, 0xFF)
    whole = block.size // LANES
    for word in range(whole):
        store_above(opened_bits, word, load(block, word * LANES), below)
    mark_opened_plainly(block, whole * LANES, opened_bits)
