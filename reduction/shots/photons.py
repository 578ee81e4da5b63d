"""Everything that a block of heights says of photons, where every gate opened: one call, for it runs once a second."""

from __future__ import annotations

import numpy as np
from numba import njit

from reduction.shots.kernels.bits import LANES, count_pairs
from reduction.shots.kernels.heights import find_hits, sums_over_hits

GATES, HITS, HIT_SUMS, SUMS, SQUARES = range(5)
"""Rows of the counters."""


@njit(cache=True, error_model="numpy", nogil=True)
def count_photons_plainly(heights, num_phases, threshold, counters, both):  # type: ignore[no-untyped-def]
    """What `count_photons` writes to `counters` and `both`, shot by shot."""
    for shot in range(heights.size):
        phase, height = shot % num_phases, np.int64(heights[shot])
        counters[GATES, phase] += 1
        counters[SUMS, phase] += height
        counters[SQUARES, phase] += height * height
        if height <= threshold:
            continue
        counters[HITS, phase] += 1
        counters[HIT_SUMS, phase] += height
        for lag in range(1, min(shot, both.shape[0]) + 1):
            both[lag - 1, phase] += heights[shot - lag] > threshold


@njit(cache=True, error_model="numpy", nogil=True)
def count_photons(heights, num_phases, row, bit_row, threshold, counters, hit, both):  # type: ignore[no-untyped-def]
    """Sum heights, mark the hits, and count them and their pairs, by phase counted from the first shot.

    Parameters
    ----------
    heights : int16[N], contiguous
    num_phases : int
    row, bit_row : int
        From `rows.row_length`, for `heights` and for `bits`.
    threshold : int
        A height above this is a hit.
    counters : int64[5 or more, P]
        Of zeros; written: opened gates, hits, heights of the hits summed, heights summed, squares summed.
    hit : uint64[M]
        From `bits.new_marks`; its marks are written.
    both : int64[LAGS, P]
        Written: hits with a hit `lag` shots before.
    """
    find_hits(
        heights, num_phases, row, threshold, counters[SUMS], counters[SQUARES],
        hit.view(np.uint32)[2 * LANES :], counters[HIT_SUMS],
    )  # fmt: skip
    pairs = np.zeros((1 + both.shape[0], num_phases), np.int64)
    count_pairs(hit, hit, 0, num_phases, bit_row, pairs)
    for phase in range(num_phases):
        counters[GATES, phase] = (heights.size - phase + num_phases - 1) // num_phases
    counters[HITS], both[:] = pairs[0], pairs[1:]
    counters[HIT_SUMS] = sums_over_hits(counters[HIT_SUMS], threshold, counters[GATES], counters[HITS])
