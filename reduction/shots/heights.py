"""Sums and sums of squares of int16 pulse heights by phase, exact; with a threshold, hits and sums over the hits too.

Eight strips of the block go side by side. Their squares are added in 32 bits, four at a time, and then in 64. Four
heights of -32768 do not fit into the 32 bits: a stretch in which that happens is summed again shot by shot.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from reduction.shots.vectors import (
    add,
    filled,
    high_pairs,
    joined,
    load,
    low_pairs,
    multiply_pairs,
    shifted_down,
    smaller,
    store,
    store_above,
    where_above,
    zeros,
)

LANES = 32
LEAST_ROW = 480
STRIPS = 8
MOST_SHOTS = 300_000
"""Of a strip: its sums of eight heights stay within 32 bits, and the strips within the pages a processor remembers."""
WRAPPED = -4 * 32768
"""Sum of four heights whose squares do not fit: all four are -32768."""


@njit(cache=True, error_model="numpy", nogil=True)
def sum_heights_plainly(heights, num_phases, sums, squares):  # type: ignore[no-untyped-def]
    """What `sum_heights` computes, shot by shot."""
    phase = 0
    for shot in range(heights.size):
        height = np.int64(heights[shot])
        sums[phase] += height
        squares[phase] += height * height
        phase += 1
        if phase == num_phases:
            phase = 0


@njit(cache=True, error_model="numpy", nogil=True)
def find_hits_plainly(heights, num_phases, threshold, hit_bits, hit_sums):  # type: ignore[no-untyped-def]
    """What `find_hits` computes, shot by shot: a height above the threshold is a hit."""
    for shot in range(heights.size):
        if heights[shot] > threshold:
            hit_bits[shot // LANES] |= np.uint32(1) << np.uint32(shot % LANES)
            hit_sums[shot % num_phases] += heights[shot]


@njit(cache=True, error_model="numpy", nogil=True)
def _four_rows(heights, at, strip, ones):  # type: ignore[no-untyped-def]
    """Sums and, as pairs in 64 bits, sums of squares of four rows: lower and upper four of each eight shots."""
    a, b = load(heights, at), load(heights, at + strip)
    c, d = load(heights, at + 2 * strip), load(heights, at + 3 * strip)
    low, low2, high, high2 = low_pairs(a, b), low_pairs(c, d), high_pairs(a, b), high_pairs(c, d)
    return (
        add(multiply_pairs(low, ones), multiply_pairs(low2, ones)),
        add(multiply_pairs(high, ones), multiply_pairs(high2, ones)),
        joined(add(multiply_pairs(low, low), multiply_pairs(low2, low2))),
        joined(add(multiply_pairs(high, high), multiply_pairs(high2, high2))),
    )


@njit(cache=True, error_model="numpy", nogil=True)
def _increase(array, at, x, y):  # type: ignore[no-untyped-def]
    store(array, at, add(load(array, at), add(x, y)))


@njit(cache=True, error_model="numpy", nogil=True)
def _sum_row(heights, start, strip, row, sums, pairs, odd, least):  # type: ignore[no-untyped-def]
    """Add one row of each strip; squares as `pairs` of 32 bits in 64, and the upper ones of those pairs as `odd`."""
    ones = filled(heights, 1)
    for lane in range(0, row, LANES):
        at, half = start + lane, lane // 2
        low, high, low_squares, high_squares = _four_rows(heights, at, strip, ones)
        low2, high2, low_squares2, high_squares2 = _four_rows(heights, at + 4 * strip, strip, ones)
        least = smaller(least, smaller(smaller(low, high), smaller(low2, high2)))
        _increase(sums, lane, low, low2)
        _increase(sums, lane + 16, high, high2)
        _increase(pairs, half, low_squares, low_squares2)
        _increase(pairs, half + 8, high_squares, high_squares2)
        _increase(odd, half, shifted_down(low_squares, 32), shifted_down(low_squares2, 32))
        _increase(odd, half + 8, shifted_down(high_squares, 32), shifted_down(high_squares2, 32))
    return least


@njit(cache=True, error_model="numpy", nogil=True)
def _hits_of_four(heights, at, strip, level, hit_bits, ones):  # type: ignore[no-untyped-def]
    """Store the hits of four rows as bits; sums of the heights above the level."""
    a, b = load(heights, at), load(heights, at + strip)
    c, d = load(heights, at + 2 * strip), load(heights, at + 3 * strip)
    store_above(hit_bits, at // LANES, a, level)
    store_above(hit_bits, (at + strip) // LANES, b, level)
    store_above(hit_bits, (at + 2 * strip) // LANES, c, level)
    store_above(hit_bits, (at + 3 * strip) // LANES, d, level)
    a, b = where_above(a, level, a), where_above(b, level, b)
    c, d = where_above(c, level, c), where_above(d, level, d)
    return (
        add(multiply_pairs(low_pairs(a, b), ones), multiply_pairs(low_pairs(c, d), ones)),
        add(multiply_pairs(high_pairs(a, b), ones), multiply_pairs(high_pairs(c, d), ones)),
    )


@njit(cache=True, error_model="numpy", nogil=True)
def _find_row(heights, start, strip, row, threshold, hit_bits, sums):  # type: ignore[no-untyped-def]
    """Find the hits in one row of each strip, which `_sum_row` has just brought near."""
    ones, level = filled(heights, 1), filled(heights, threshold)
    for lane in range(0, row, LANES):
        at = start + lane
        low, high = _hits_of_four(heights, at, strip, level, hit_bits, ones)
        low2, high2 = _hits_of_four(heights, at + 4 * strip, strip, level, hit_bits, ones)
        _increase(sums, lane, low, low2)
        _increase(sums, lane + 16, high, high2)


@njit(cache=True, error_model="numpy", nogil=True)
def _shot_of(lane):  # type: ignore[no-untyped-def]
    """Place in a vector of 32 shots of lane 0-31 of the two vectors of lower and upper fours."""
    half, fourth, place = lane // 16, lane % 16 // 4, lane % 4
    return 8 * fourth + 4 * half + place


@njit(cache=True, error_model="numpy", nogil=True)
def _empty_sums(sums, num_phases, out):  # type: ignore[no-untyped-def]
    """Add the sums of all lanes to `out` by phase, and clear them."""
    for lane in range(sums.size):
        out[(lane // LANES * LANES + _shot_of(lane % LANES)) % num_phases] += sums[lane]
    sums[:] = 0


@njit(cache=True, error_model="numpy", nogil=True)
def empty_pairs(pairs, odd, num_phases, out):  # type: ignore[no-untyped-def]
    """Add what stands in the pairs of 32 bits to `out` by phase, and clear them."""
    for lane in range(2 * odd.size):
        phase = (lane // LANES * LANES + _shot_of(lane % LANES)) % num_phases
        upper = odd[lane // 2]
        out[phase] += np.int64(upper if lane % 2 else pairs[lane // 2] - (upper << np.uint64(32)))
    pairs[:] = 0
    odd[:] = 0


@njit(cache=True, error_model="numpy", nogil=True)
def _has_wrapped(least):  # type: ignore[no-untyped-def]
    sums = np.empty(16, np.int32)
    store(sums, 0, least)
    return sums.min() == WRAPPED


@njit(cache=True, error_model="numpy", nogil=True)
def sum_heights(heights, num_phases, row, sums, squares):  # type: ignore[no-untyped-def]
    """Add the heights of a block and their squares to `sums` and `squares`, by phase counted from its first shot.

    Parameters
    ----------
    heights : int16[N], contiguous
    num_phases : int
    row : int
        From `rows.row_length(num_phases, LANES, LEAST_ROW)`.
    sums, squares : int64[P]
    """
    _sum(heights, num_phases, row, sums, squares, False, 0, np.empty(0, np.uint32), sums)


@njit(cache=True, error_model="numpy", nogil=True)
def find_hits(heights, num_phases, row, threshold, sums, squares, hit_bits, hit_sums):  # type: ignore[no-untyped-def]
    """`sum_heights`, and the hits: heights above the threshold.

    Parameters
    ----------
    threshold : int
        -32768 to 32767.
    hit_bits : uint32[ceil(N / 32)]
        Zeros; written: bit ``i % 32`` of element ``i // 32`` is set where shot `i` is a hit.
    hit_sums : int64[P]
        Increased by the heights of the hits.
    """
    _sum(heights, num_phases, row, sums, squares, True, threshold, hit_bits, hit_sums)


@njit(cache=True, error_model="numpy", nogil=True)
def _sum(heights, num_phases, row, sums, squares, find, threshold, hit_bits, hit_sums):  # type: ignore[no-untyped-def]
    row_sums, row_hit_sums = np.zeros(row, np.int32), np.zeros(row, np.int32)
    pairs, odd = np.zeros(row // 2, np.uint64), np.zeros(row // 2, np.uint64)
    first, left = 0, heights.size // (STRIPS * row)
    while left > 0:
        rows = min(left, max(1, MOST_SHOTS // row))
        strip = rows * row
        last = first + STRIPS * strip
        least = zeros(row_sums)
        for start in range(first, first + strip, row):
            least = _sum_row(heights, start, strip, row, row_sums, pairs, odd, least)
            if find:
                _find_row(heights, start, strip, row, threshold, hit_bits, row_hit_sums)
        if _has_wrapped(least):
            row_sums[:], pairs[:], odd[:] = 0, 0, 0
            sum_heights_plainly(heights[first:last], num_phases, sums, squares)
        _empty_sums(row_sums, num_phases, sums)
        empty_pairs(pairs, odd, num_phases, squares)
        if find:
            _empty_sums(row_hit_sums, num_phases, hit_sums)
        first, left = last, left - rows
    sum_heights_plainly(heights[first:], num_phases, sums, squares)
    if find:
        find_hits_plainly(heights[first:], num_phases, threshold, hit_bits[first // LANES :], hit_sums)
