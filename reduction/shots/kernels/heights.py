"""Exact sums and sums of squares of int16 pulse heights by phase; with a threshold, hits and sums over the hits too.

For the sums over hits, heights below the threshold are raised to it, which is faster than excluding them;
`sums_over_hits` then subtracts the threshold again.

Heights of two strips are interleaved, so that one instruction multiplies both and adds the products in 32 bits. These
hold four squares less 2^31. What is added up of them are the upper 16 bits, and the whole modulo 2^32: with the one
the other is complete, see `add_wide`. Four heights of -32768 do not fit: strips with one of them in the first of four
are summed again shot by shot.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import HEIGHTS, HEIGHTS_PER_VECTOR, contains
from reduction.shots.kernels.vector_bits import store_above
from reduction.shots.kernels.vectors import (
    add_products,
    aligned,
    filled,
    high_pairs,
    larger,
    load,
    low_pairs,
    smaller,
    store,
)

LOWEST = -32768
CENTRE = 1 << 31
UPPER = 1 << 16
"""As two factors of 16 bits, 0 and 1: the products are the upper halves of integers of 32 bits."""


@kernel(error_model="numpy", nogil=True)
def sum_heights_plainly(heights, num_phases, sums, squares):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of `sum_heights`."""
    phase = 0
    for shot in range(heights.size):
        height = np.int64(heights[shot])
        sums[phase] += height
        squares[phase] += height * height
        phase += 1
        if phase == num_phases:
            phase = 0


@kernel(error_model="numpy", nogil=True)
def find_hits_plainly(heights, num_phases, threshold, hit_bits, raised_sums):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of what `find_hits` adds to `sum_heights`: a height above the threshold is a hit."""
    hit_bits[:] = np.uint32(0)
    for shot in range(heights.size):
        height = heights[shot]
        if height > threshold:
            hit_bits[shot // HEIGHTS_PER_VECTOR] |= np.uint32(1) << np.uint32(shot % HEIGHTS_PER_VECTOR)
        raised_sums[shot % num_phases] += max(np.int64(height), np.int64(threshold))


def sums_over_hits(raised_sums, threshold, shots, hits):  # type: ignore[no-untyped-def]
    """Sums by phase of the heights of hits, from the `raised_sums` of `find_hits`; all of shape (P,)."""
    return raised_sums - threshold * (shots - hits)


@kernel(error_model="numpy", nogil=True)
def _add_row(heights, start, strip, sums, squares, upper, raised, threshold, hit_bits, least):  # type: ignore[no-untyped-def]
    """Add one row of each of eight strips; returns the smallest of some heights, `least` among them.

    Sums are of the lanes of `low_pairs` and `high_pairs`, see `lane_of`. Without `hit_bits` no hits are looked for.
    """
    ones, level = filled(heights, 1), filled(heights, threshold)
    centre, second = filled(squares, -CENTRE), filled(squares, UPPER)
    for lane in range(0, sums.size, HEIGHTS_PER_VECTOR):
        half = lane + 16
        low_sum, high_sum = load(sums, lane), load(sums, half)
        low_raised, high_raised = load(raised, lane), load(raised, half)
        low_total, high_total = load(squares, lane), load(squares, half)
        low_upper, high_upper = load(upper, lane), load(upper, half)
        for four in range(2):
            low_four, high_four = centre, centre
            for two in range(2):
                at = start + lane + (4 * four + 2 * two) * strip
                a, b = load(heights, at), load(heights, at + strip)
                low, high = low_pairs(a, b), high_pairs(a, b)
                low_sum, high_sum = add_products(low_sum, low, ones), add_products(high_sum, high, ones)
                low_four, high_four = add_products(low_four, low, low), add_products(high_four, high, high)
                if two == 0:
                    least = smaller(least, a)
                if hit_bits is not None:
                    store_above(hit_bits, at // HEIGHTS_PER_VECTOR, a, level)
                    store_above(hit_bits, (at + strip) // HEIGHTS_PER_VECTOR, b, level)
                    low_raised = add_products(low_raised, larger(low, level), ones)
                    high_raised = add_products(high_raised, larger(high, level), ones)
            low_total, high_total = low_total + low_four, high_total + high_four
            low_upper, high_upper = (
                add_products(low_upper, low_four, second),
                add_products(high_upper, high_four, second),
            )
        store(sums, lane, low_sum)
        store(sums, half, high_sum)
        store(squares, lane, low_total)
        store(squares, half, high_total)
        store(upper, lane, low_upper)
        store(upper, half, high_upper)
        if hit_bits is not None:
            store(raised, lane, low_raised)
            store(raised, half, high_raised)
    return least


@kernel(error_model="numpy", nogil=True)
def lane_of(shot):  # type: ignore[no-untyped-def]
    """Lane of a shot of a row: interleaving has put the lower fours of each eight before the upper ones."""
    return (shot & ~31) | (shot & 4) << 2 | (shot >> 1) & 12 | shot & 3


@kernel(error_model="numpy", nogil=True)
def add_lanes(lanes, num_phases, out):  # type: ignore[no-untyped-def]
    """Add the sums of all lanes to `out` by phase, and clear them."""
    for shot in range(lanes.size):
        out[shot % num_phases] += lanes[lane_of(shot)]
    lanes[:] = 0


@kernel(error_model="numpy", nogil=True)
def add_wide(total, upper, offset, num_phases, out):  # type: ignore[no-untyped-def]
    """Add sums of integers of 32 bits to `out` by phase, and `offset` for each lane, and clear them.

    Of fewer than 2^16 integers; `upper` is the sum of their upper halves, signed, `total` that of the whole modulo
    2^32. What the lower halves add is below 2^32, and so known.
    """
    for shot in range(total.size):
        lane = lane_of(shot)
        high = np.int64(upper[lane]) * UPPER
        out[shot % num_phases] += high + np.int64(np.uint32(total[lane] - high)) + offset
    total[:], upper[:] = 0, 0


@kernel(error_model="numpy", nogil=True)
def has_lowest(least):  # type: ignore[no-untyped-def]
    """Whether one of the elements is -32768."""
    elements = np.empty(HEIGHTS_PER_VECTOR, np.int16)
    store(elements, 0, least)
    return contains(elements, LOWEST)


@kernel(error_model="numpy", nogil=True)
def find_hits(heights, num_phases, row, threshold, sums, squares, hit_bits, raised_sums):  # type: ignore[no-untyped-def]
    """Add the heights of a block and their squares to `sums` and `squares`, by phase; and mark hits.

    The phase is counted from the first shot; hits are heights above the threshold.

    Parameters
    ----------
    heights : int16[N], contiguous
    num_phases : int
    row : int
        From `layout.HEIGHTS`.
    threshold : int
        -32768 to 32767.
    sums, squares : int64[P]
    hit_bits : uint32[M], at least N / 32 elements, or None
        All written: bit ``i % 32`` of element ``i // 32`` is set where shot `i` is a hit. With None no hits are looked
        for, and the sums of raised heights are left as they are.
    raised_sums : int64[P]
        Increased by the heights, raised to the threshold where they are below it: see `sums_over_hits`.
    """
    room = aligned(np.zeros(4 * row + 16, np.int32), 4 * row)
    row_sums, total, upper, raised = room[:row], room[row : 2 * row], room[2 * row : 3 * row], room[3 * row :]
    whole = heights.size // (HEIGHTS.strips * row)
    for done in range(0, whole, HEIGHTS.most):
        first, rows = done * HEIGHTS.strips * row, min(whole - done, HEIGHTS.most)
        strip = rows * row
        last = first + HEIGHTS.strips * strip
        least = filled(heights, 0)
        for start in range(first, first + strip, row):
            least = _add_row(heights, start, strip, row_sums, total, upper, raised, threshold, hit_bits, least)
        if has_lowest(least):
            room[: 3 * row] = 0
            sum_heights_plainly(heights[first:last], num_phases, sums, squares)
        else:
            add_lanes(row_sums, num_phases, sums)
            add_wide(total, upper, 2 * rows * CENTRE, num_phases, squares)
        if hit_bits is not None:
            add_lanes(raised, num_phases, raised_sums)
    rest = whole * HEIGHTS.strips * row
    sum_heights_plainly(heights[rest:], num_phases, sums, squares)
    if hit_bits is not None:
        find_hits_plainly(heights[rest:], num_phases, threshold, hit_bits[rest // HEIGHTS_PER_VECTOR :], raised_sums)


def sum_heights(heights, num_phases, row, sums, squares):  # type: ignore[no-untyped-def]
    """`find_hits` without hits."""
    find_hits(heights, num_phases, row, 0, sums, squares, None, sums)
