"""Exact sums by phase of the products of two int16 channels: heights times pulse-resolved monitor.

Products are added in pairs in 32 bits, with 2^31 added to make them positive, and then in 64. A pair of
(-32768) x (-32768) does not fit: strips that contain a -32768 are summed again shot by shot.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.heights import MOST_SHOTS, empty_pairs
from reduction.shots.kernels.layout import HEIGHTS_PER_VECTOR, contains
from reduction.shots.kernels.vector_bits import shifted_down, unlike
from reduction.shots.kernels.vectors import (
    add,
    filled,
    high_pairs,
    joined,
    load,
    low_pairs,
    multiply_pairs,
    smaller,
    store,
)

STRIPS = 2
LOWEST = -32768
RAISED = 1 << 31


@kernel(error_model="numpy", nogil=True)
def sum_products_plainly(heights, monitor, num_phases, products):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of `sum_products`."""
    phase = 0
    for shot in range(heights.size):
        products[phase] += np.int64(heights[shot]) * np.int64(monitor[shot])
        phase += 1
        if phase == num_phases:
            phase = 0


@kernel(error_model="numpy", nogil=True)
def _increase(array, at, x):  # type: ignore[no-untyped-def]
    store(array, at, add(load(array, at), x))


@kernel(error_model="numpy", nogil=True)
def _multiply_row(heights, monitor, start, strip, row, raised, pairs, odd, least):  # type: ignore[no-untyped-def]
    """Add one row of each strip; `pairs` and `odd` as in `heights.sum_heights`."""
    raise_by = load(raised, 0)
    for lane in range(0, row, HEIGHTS_PER_VECTOR):
        at, half = start + lane, lane // 2
        a, b, m, n = load(heights, at), load(heights, at + strip), load(monitor, at), load(monitor, at + strip)
        least = smaller(least, smaller(smaller(a, b), smaller(m, n)))
        low = joined(unlike(multiply_pairs(low_pairs(a, b), low_pairs(m, n)), raise_by))
        high = joined(unlike(multiply_pairs(high_pairs(a, b), high_pairs(m, n)), raise_by))
        _increase(pairs, half, low)
        _increase(pairs, half + 8, high)
        _increase(odd, half, shifted_down(low, 32))
        _increase(odd, half + 8, shifted_down(high, 32))
    return least


@kernel(error_model="numpy", nogil=True)
def sum_products(heights, monitor, num_phases, row, products):  # type: ignore[no-untyped-def]
    """Add the products of two channels to `products`, by phase counted from the first shot.

    Parameters
    ----------
    heights, monitor : int16[N], contiguous
    num_phases : int
    row : int
        From `layout.height_row`.
    products : int64[P]
    """
    pairs, odd = np.zeros(row // 2, np.uint64), np.zeros(row // 2, np.uint64)
    raised, lowest = np.full(16, RAISED, np.uint32), np.empty(HEIGHTS_PER_VECTOR, np.int16)
    first, left = 0, heights.size // (STRIPS * row)
    while left > 0:
        rows = min(left, max(1, MOST_SHOTS // row))
        strip = rows * row
        last = first + STRIPS * strip
        least = filled(heights, 0)
        for start in range(first, first + strip, row):
            least = _multiply_row(heights, monitor, start, strip, row, raised, pairs, odd, least)
        store(lowest, 0, least)
        if contains(lowest, LOWEST):
            pairs[:], odd[:] = 0, 0
            sum_products_plainly(heights[first:last], monitor[first:last], num_phases, products)
        else:
            empty_pairs(pairs, odd, num_phases, products)
            for phase in range(num_phases):
                products[phase] -= np.int64(RAISED) * rows * (row // num_phases)
        first, left = last, left - rows
    sum_products_plainly(heights[first:], monitor[first:], num_phases, products)
