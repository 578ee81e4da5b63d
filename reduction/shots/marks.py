"""Bytes of hits and dropped shots as bits, for the pair counters."""

from __future__ import annotations

import numpy as np
from numba import njit

from reduction.shots.bits import LANES, WORD
from reduction.shots.vectors import filled, load, store_above


@njit(cache=True, error_model="numpy", nogil=True)
def mark_shots_plainly(block, first, opened, hits):  # type: ignore[no-untyped-def]
    """What `mark_shots` computes, shot by shot from shot `first` on."""
    for shot in range(first, block.size):
        mark = np.uint64(1) << np.uint64(shot % WORD)
        if block[shot] < 0x80:
            opened[LANES + shot // WORD] |= mark
            if block[shot] & 1:
                hits[LANES + shot // WORD] |= mark


@njit(cache=True, error_model="numpy", nogil=True)
def mark_shots(block, opened, hits):  # type: ignore[no-untyped-def]
    """Mark the opened gates and the hits in them.

    As signed numbers, what is dropped is below 0 and a hit in an opened gate is above 0.

    Parameters
    ----------
    block : uint8[N], contiguous
        Bit 0 is a hit, bit 7 a dropped shot, no other bit is set.
    opened, hits : uint64[M]
        From `bits.empty_marks`; written.
    """
    below, nothing = filled(block, 0xFF), filled(block, 0)
    whole = block.size // WORD
    for word in range(whole):
        shots = load(block, word * WORD)
        store_above(opened, LANES + word, shots, below)
        store_above(hits, LANES + word, shots, nothing)
    mark_shots_plainly(block, whole * WORD, opened, hits)
