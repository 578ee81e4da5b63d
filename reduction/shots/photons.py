"""Photon counting from one block of heights, or of bits, in which every gate opened."""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.counters import GATES, HIT_SUMS, HITS, SQUARES, SUMS
from reduction.shots.kernels.bitmaps import count_lags
from reduction.shots.kernels.heights import find_hits, sums_over_hits
from reduction.shots.kernels.layout import WORDS_PER_VECTOR


@kernel(error_model="numpy", nogil=True)
def count_photons_plainly(heights, num_phases, threshold, counters, coincidences):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of what `count_photons` writes to `counters` and `coincidences`."""
    for shot in range(heights.size):
        phase, height = shot % num_phases, np.int64(heights[shot])
        counters[GATES, phase] += 1
        counters[SUMS, phase] += height
        counters[SQUARES, phase] += height * height
        if height <= threshold:
            continue
        counters[HITS, phase] += 1
        counters[HIT_SUMS, phase] += height
        for lag in range(1, min(shot, coincidences.shape[0]) + 1):
            coincidences[lag - 1, phase] += heights[shot - lag] > threshold


@kernel(error_model="numpy", nogil=True)
def count_bits(hit, size, num_phases, row_of_bits, counters, coincidences):  # type: ignore[no-untyped-def]
    """Count the hits of a bitmap of `size` shots, all of whose gates opened: the last part of `count_photons`."""
    pairs = np.zeros((1 + coincidences.shape[0], num_phases), np.int64)
    count_lags(hit, hit, np.int64(0), None, num_phases, row_of_bits, pairs)
    for phase in range(num_phases):  # loops: numba compiles seconds for the message of an assignment of arrays
        counters[GATES, phase] = (size - phase + num_phases - 1) // num_phases
        counters[HITS, phase] = pairs[0, phase]
        for lag in range(coincidences.shape[0]):
            coincidences[lag, phase] = pairs[1 + lag, phase]


def count_photons(heights, num_phases, row, row_of_bits, threshold, counters, hit, coincidences):  # type: ignore[no-untyped-def]
    """Sum heights, mark the hits, and count them and their coincidences, by phase counted from the first shot.

    Parameters
    ----------
    heights : int16[N], contiguous
    num_phases : int
    row, row_of_bits : int
        From `layout.HEIGHTS` and `layout.BITS`.
    threshold : int
        A height above this is a hit.
    counters : int64[5 or more, P]
        Zeros; `GATES` to `SQUARES` of `reduction.shots.counters` are written.
    hit : uint64[M]
        From `bitmaps.new_bitmap`; written.
    coincidences : int64[LAGS, P]
        Written: hits with a hit `lag` shots before.
    """
    find_hits(
        heights, num_phases, row, threshold, counters[SUMS], counters[SQUARES],
        hit.view(np.uint32)[2 * WORDS_PER_VECTOR :], counters[HIT_SUMS],
    )  # fmt: skip
    count_bits(hit, heights.size, num_phases, row_of_bits, counters, coincidences)
    counters[HIT_SUMS] = sums_over_hits(counters[HIT_SUMS], threshold, counters[GATES], counters[HITS])
