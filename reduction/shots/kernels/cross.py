"""Exact sums by phase of the products of two int16 channels: heights times pulse-resolved monitor.

Products are added in pairs in 32 bits, and these as in `reduction.shots.kernels.heights`. A pair of
(-32768) x (-32768) does not fit: strips with a -32768 in the first of two are summed again shot by shot.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.heights import UPPER, add_wide, has_lowest
from reduction.shots.kernels.layout import HEIGHTS_PER_VECTOR, PRODUCTS
from reduction.shots.kernels.vectors import add_products, filled, high_pairs, load, low_pairs, smaller, store


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
def _add_pair(at, products, total, upper):  # type: ignore[no-untyped-def]
    store(total, at, load(total, at) + products)
    store(upper, at, add_products(load(upper, at), products, filled(total, UPPER)))


@kernel(error_model="numpy", nogil=True)
def _add_row(heights, monitor, start, strip, total, upper, least):  # type: ignore[no-untyped-def]
    """Add one row of each of two strips; returns the smallest of some heights, `least` among them."""
    none = filled(total, 0)
    for lane in range(0, total.size, HEIGHTS_PER_VECTOR):
        at = start + lane
        a, b, m, n = load(heights, at), load(heights, at + strip), load(monitor, at), load(monitor, at + strip)
        least = smaller(least, a)
        _add_pair(lane, add_products(none, low_pairs(a, b), low_pairs(m, n)), total, upper)
        _add_pair(lane + 16, add_products(none, high_pairs(a, b), high_pairs(m, n)), total, upper)
    return least


@kernel(error_model="numpy", nogil=True)
def sum_products(heights, monitor, num_phases, row, products):  # type: ignore[no-untyped-def]
    """Add the products of two channels to `products`, by phase counted from the first shot.

    Parameters
    ----------
    heights, monitor : int16[N], contiguous
    num_phases : int
    row : int
        From `layout.PRODUCTS`.
    products : int64[P]
    """
    total, upper = np.zeros(row, np.int32), np.zeros(row, np.int32)
    whole = heights.size // (PRODUCTS.strips * row)
    for done in range(0, whole, PRODUCTS.most):
        first, rows = done * PRODUCTS.strips * row, min(whole - done, PRODUCTS.most)
        strip = rows * row
        last = first + PRODUCTS.strips * strip
        least = filled(heights, 0)
        for start in range(first, first + strip, row):
            least = _add_row(heights, monitor, start, strip, total, upper, least)
        if has_lowest(least):
            total[:], upper[:] = 0, 0
            sum_products_plainly(heights[first:last], monitor[first:last], num_phases, products)
        else:
            add_wide(total, upper, 0, num_phases, products)
    rest = whole * PRODUCTS.strips * row
    sum_products_plainly(heights[rest:], monitor[rest:], num_phases, products)
