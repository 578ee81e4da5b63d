"""Hits and opened gates by phase, from one byte a shot: bit 0 is a hit, bit 7 a dropped shot.

A dropped shot opens no gate, whatever its bit 0 says. Any other bit makes the block worthless: `count_hits` returns
False and its output must not be used.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from reduction.shots.rows import add_bytes
from reduction.shots.vectors import add, either, load, store, zeros

HIT, DROPPED = 0x01, 0x80
LANES = 64
LEAST_ROW = 1920
STRIPS = 4
MOST_ROWS = 252
"""Rows that are added into bytes before these are emptied: a multiple of `STRIPS` below 256."""


@njit(cache=True, error_model="numpy", nogil=True)
def count_hits_plainly(block, num_phases, gates, hits):  # type: ignore[no-untyped-def]
    """What `count_hits` computes, shot by shot."""
    good = True
    phase = 0
    for shot in range(block.size):
        byte = block[shot]
        if byte & 0x7E:
            good = False
        if not byte & DROPPED:
            gates[phase] += 1
            hits[phase] += byte & HIT
        phase += 1
        if phase == num_phases:
            phase = 0
    return good


@njit(cache=True, error_model="numpy", nogil=True)
def _add_strips(block, first, strip, row, sums):  # type: ignore[no-untyped-def]
    """Add four strips of `strip` shots, row by row, into the bytes `sums`; return all bits that were set, ored."""
    seen = zeros(sums)
    for start in range(first, first + strip, row):
        for lane in range(0, row, LANES):
            at = start + lane
            a, b = load(block, at), load(block, at + strip)
            c, d = load(block, at + 2 * strip), load(block, at + 3 * strip)
            seen = either(seen, either(either(a, b), either(c, d)))
            store(sums, lane, add(load(sums, lane), add(add(a, b), add(c, d))))
    bits = np.empty(LANES, np.uint8)
    store(bits, 0, seen)
    found = np.uint8(0)
    for byte in bits:
        found |= byte
    return found


@njit(cache=True, error_model="numpy", nogil=True)
def count_hits(block, num_phases, row, gates, hits):  # type: ignore[no-untyped-def]
    """Add the opened gates and the hits of a block to `gates` and `hits`, by phase counted from its first shot.

    Bytes are added up as they are. Where a stretch has more than hits in it, its sums mean nothing, and it is counted
    again shot by shot.

    Parameters
    ----------
    block : uint8[N], contiguous
    num_phases : int
    row : int
        From `rows.row_length(num_phases, LANES, LEAST_ROW)`.
    gates, hits : int64[P]

    Returns
    -------
    bool
        Whether no bit but 0 and 7 was set anywhere.
    """
    good = True
    sums = np.zeros(row, np.uint8)
    most = MOST_ROWS // STRIPS
    first, left = 0, block.size // (STRIPS * row)
    turns = np.int64(0)
    while left > 0:
        rows = min(left, most)
        last = first + STRIPS * rows * row
        found = _add_strips(block, first, rows * row, row, sums)
        if found & ~np.uint8(HIT):
            sums[:] = np.uint8(0)
            good &= count_hits_plainly(block[first:last], num_phases, gates, hits)
        else:
            add_bytes(sums, num_phases, hits)
            turns += (last - first) // num_phases
        first, left = last, left - rows
    for phase in range(num_phases):
        gates[phase] += turns
    return good & count_hits_plainly(block[first:], num_phases, gates, hits)
