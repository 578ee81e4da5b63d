"""Exact sums and sums of squares of int16 pulse heights by phase; with a threshold, hits and sums over the hits too.

For the sums over hits, heights below the threshold are raised to it, which is faster than excluding them;
`sums_over_hits` then subtracts the threshold again.

Eight strips of the block are read in parallel. Their squares are added in 32 bits, four at a time, and then in 64. Four
heights of -32768 do not fit into 32 bits: strips in which that happens are summed again shot by shot.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import HEIGHTS_PER_VECTOR, contains
from reduction.shots.kernels.vector_bits import shifted_down, store_above
from reduction.shots.kernels.vectors import (
    add,
    aligned,
    filled,
    high_pairs,
    joined,
    larger,
    load,
    low_pairs,
    multiply_pairs,
    smaller,
    store,
    zeros,
)

STRIPS = 8
MOST_SHOTS = 300_000
"""Of a strip: its sums of eight heights stay within 32 bits, and the strips within the processor's TLB."""
WRAPPED = -4 * 32768
"""Sum of four heights whose squares do not fit: all four are -32768."""


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
def _interleaved(a, b, c, d):  # type: ignore[no-untyped-def]
    """Heights of four rows in pairs: the lower four of each eight shots of rows 1, 2 and 3, 4; then the upper four."""
    return low_pairs(a, b), low_pairs(c, d), high_pairs(a, b), high_pairs(c, d)


@kernel(error_model="numpy", nogil=True)
def _sum_of_products(one, other, factor_of_one, factor_of_other):  # type: ignore[no-untyped-def]
    return add(multiply_pairs(one, factor_of_one), multiply_pairs(other, factor_of_other))


@kernel(error_model="numpy", nogil=True)
def _increase(array, at, x, y):  # type: ignore[no-untyped-def]
    store(array, at, add(load(array, at), add(x, y)))


@kernel(error_model="numpy", nogil=True)
def _sum_half(lane, ones, x, y, z, w, sums, pairs, odd):  # type: ignore[no-untyped-def]
    """Add pairs of four rows and of four others, for half the shots; the smallest sum of four heights."""
    first, second = _sum_of_products(x, y, ones, ones), _sum_of_products(z, w, ones, ones)
    _increase(sums, lane, first, second)
    squares, squares2 = joined(_sum_of_products(x, y, x, y)), joined(_sum_of_products(z, w, z, w))
    half = lane // 2
    _increase(pairs, half, squares, squares2)
    _increase(odd, half, shifted_down(squares, 32), shifted_down(squares2, 32))
    return smaller(first, second)


@kernel(error_model="numpy", nogil=True)
def _sum_row(heights, start, strip, row, sums, pairs, odd, least):  # type: ignore[no-untyped-def]
    """Add one row of each strip; squares as `pairs` of 32 bits in 64, and the upper ones of those pairs as `odd`."""
    ones = filled(heights, 1)
    for lane in range(0, row, HEIGHTS_PER_VECTOR):
        at, at2 = start + lane, start + lane + 4 * strip
        a, b, c, d = _load_four(heights, at, strip)
        e, f, g, h = _load_four(heights, at2, strip)
        low, low2, high, high2 = _interleaved(a, b, c, d)
        low3, low4, high3, high4 = _interleaved(e, f, g, h)
        least = smaller(least, _sum_half(lane, ones, low, low2, low3, low4, sums, pairs, odd))
        least = smaller(least, _sum_half(lane + 16, ones, high, high2, high3, high4, sums, pairs, odd))
    return least


@kernel(error_model="numpy", nogil=True)
def _load_four(heights, at, strip):  # type: ignore[no-untyped-def]
    """The same shots of four strips."""
    return (
        load(heights, at), load(heights, at + strip), load(heights, at + 2 * strip), load(heights, at + 3 * strip)
    )  # fmt: skip


@kernel(error_model="numpy", nogil=True)
def _mark_four(hit_bits, at, strip, level, a, b, c, d):  # type: ignore[no-untyped-def]
    store_above(hit_bits, at // HEIGHTS_PER_VECTOR, a, level)
    store_above(hit_bits, (at + strip) // HEIGHTS_PER_VECTOR, b, level)
    store_above(hit_bits, (at + 2 * strip) // HEIGHTS_PER_VECTOR, c, level)
    store_above(hit_bits, (at + 3 * strip) // HEIGHTS_PER_VECTOR, d, level)


@kernel(error_model="numpy", nogil=True)
def _raise_half(lane, ones, level, x, y, z, w, sums):  # type: ignore[no-untyped-def]
    first = _sum_of_products(larger(x, level), larger(y, level), ones, ones)
    second = _sum_of_products(larger(z, level), larger(w, level), ones, ones)
    _increase(sums, lane, first, second)


@kernel(error_model="numpy", nogil=True)
def _find_row(heights, start, strip, row, threshold, hit_bits, sums, pairs, odd, raised, least):  # type: ignore[no-untyped-def]
    """`_sum_row`, and the hits as bits, and the sums of the heights raised to the threshold."""
    ones, level = filled(heights, 1), filled(heights, threshold)
    for lane in range(0, row, HEIGHTS_PER_VECTOR):
        at, at2 = start + lane, start + lane + 4 * strip
        a, b, c, d = _load_four(heights, at, strip)
        e, f, g, h = _load_four(heights, at2, strip)
        low, low2, high, high2 = _interleaved(a, b, c, d)
        low3, low4, high3, high4 = _interleaved(e, f, g, h)
        _mark_four(hit_bits, at, strip, level, a, b, c, d)
        _mark_four(hit_bits, at2, strip, level, e, f, g, h)
        least = smaller(least, _sum_half(lane, ones, low, low2, low3, low4, sums, pairs, odd))
        _raise_half(lane, ones, level, low, low2, low3, low4, raised)
        least = smaller(least, _sum_half(lane + 16, ones, high, high2, high3, high4, sums, pairs, odd))
        _raise_half(lane + 16, ones, level, high, high2, high3, high4, raised)
    return least


@kernel(error_model="numpy", nogil=True)
def _shot_of(lane):  # type: ignore[no-untyped-def]
    """Shot of an element of a row of sums: interleaving has put the lower fours of each eight before the upper ones."""
    vector, lane = lane // HEIGHTS_PER_VECTOR, lane % HEIGHTS_PER_VECTOR
    half, eight, within = lane // 16, lane % 16 // 4, lane % 4
    return vector * HEIGHTS_PER_VECTOR + 8 * eight + 4 * half + within


@kernel(error_model="numpy", nogil=True)
def _empty_sums(sums, num_phases, out):  # type: ignore[no-untyped-def]
    """Add the sums of all lanes to `out` by phase, and clear them."""
    for lane in range(sums.size):
        out[(lane // HEIGHTS_PER_VECTOR * HEIGHTS_PER_VECTOR + _shot_of(lane % HEIGHTS_PER_VECTOR)) % num_phases] += (
            sums[lane]
        )
    sums[:] = 0


@kernel(error_model="numpy", nogil=True)
def empty_pairs(pairs, odd, num_phases, out):  # type: ignore[no-untyped-def]
    """Add the pairs of 32 bits to `out` by phase, and clear them."""
    for lane in range(2 * odd.size):
        phase = _shot_of(lane) % num_phases
        upper = odd[lane // 2]
        out[phase] += np.int64(upper if lane % 2 else pairs[lane // 2] - (upper << np.uint64(32)))
    pairs[:] = 0
    odd[:] = 0


@kernel(error_model="numpy", nogil=True)
def _has_wrapped(least):  # type: ignore[no-untyped-def]
    sums = np.empty(16, np.int32)
    store(sums, 0, least)
    return contains(sums, WRAPPED)


@kernel(error_model="numpy", nogil=True)
def sum_heights(heights, num_phases, row, sums, squares):  # type: ignore[no-untyped-def]
    """Add the heights of a block and their squares to `sums` and `squares`, by phase counted from its first shot.

    Parameters
    ----------
    heights : int16[N], contiguous
    num_phases : int
    row : int
        From `layout.height_row`.
    sums, squares : int64[P]
    """
    _sum(heights, num_phases, row, sums, squares, np.int64(0), np.empty(0, np.uint32), sums)


@kernel(error_model="numpy", nogil=True)
def find_hits(heights, num_phases, row, threshold, sums, squares, hit_bits, raised_sums):  # type: ignore[no-untyped-def]
    """`sum_heights`, and the hits: heights above the threshold.

    Parameters
    ----------
    threshold : int
        -32768 to 32767.
    hit_bits : uint32[M], at least N / 32 elements
        All written: bit ``i % 32`` of element ``i // 32`` is set where shot `i` is a hit.
    raised_sums : int64[P]
        Increased by the heights, raised to the threshold where they are below it: see `sums_over_hits`.
    """
    _sum(heights, num_phases, row, sums, squares, threshold, hit_bits, raised_sums)


@kernel(error_model="numpy", nogil=True)
def _sum(heights, num_phases, row, sums, squares, threshold, hit_bits, raised_sums):  # type: ignore[no-untyped-def]
    """Of one signature, so that it is compiled once: without room for hits none are looked for."""
    find = hit_bits.size > 0
    row_sums, row_raised = aligned(np.zeros(row + 16, np.int32), row), aligned(np.zeros(row + 16, np.int32), row)
    pairs = aligned(np.zeros(row // 2 + 8, np.uint64), row // 2)
    odd = aligned(np.zeros(row // 2 + 8, np.uint64), row // 2)
    first, left = 0, heights.size // (STRIPS * row)
    while left > 0:
        rows = min(left, max(1, MOST_SHOTS // row))
        strip = rows * row
        last = first + STRIPS * strip
        least = zeros(row_sums)
        for start in range(first, first + strip, row):
            if find:
                least = _find_row(
                    heights, start, strip, row, threshold, hit_bits, row_sums, pairs, odd, row_raised, least
                )
            else:
                least = _sum_row(heights, start, strip, row, row_sums, pairs, odd, least)
        if _has_wrapped(least):
            row_sums[:], pairs[:], odd[:] = 0, 0, 0
            sum_heights_plainly(heights[first:last], num_phases, sums, squares)
        _empty_sums(row_sums, num_phases, sums)
        empty_pairs(pairs, odd, num_phases, squares)
        if find:
            _empty_sums(row_raised, num_phases, raised_sums)
        first, left = last, left - rows
    sum_heights_plainly(heights[first:], num_phases, sums, squares)
    if find:
        find_hits_plainly(heights[first:], num_phases, threshold, hit_bits[first // HEIGHTS_PER_VECTOR :], raised_sums)
