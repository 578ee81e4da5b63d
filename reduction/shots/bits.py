"""Counts by phase of shots that are marked by one bit each, and of pairs of marks a few shots apart.

Sixteen rows of bits are added column by column, all 64 columns of a word at once, by the logic of full adders; the sums
stay in planes (bit `k` of the sum of a column is a bit of plane `k`) until a stretch is over.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reduction.shots.vectors import (
    add,
    both,
    filled,
    load,
    most_of_three,
    odd_of_three,
    shifted_in,
    store,
    unlike,
    where_set,
    zeros,
)

WORD = 64
LANES = 8
"""Words of a vector."""
VECTOR_SHOTS = LANES * WORD
LEAST_ROW = 7680
ROWS = 16
COLUMNS = 16
"""Columns that are emptied at once."""
PLANES = 12
MOST_ROWS = 1 << PLANES
"""Rows of a stretch: no column may reach this number."""


def empty_marks(num_shots: int, row: int) -> NDArray[np.uint64]:
    """Room for one bit a shot, all zero: a vector that stays zero, then as many whole groups of rows as it takes.

    Parameters
    ----------
    num_shots : int
    row : int
        Shots of a row, from `rows.row_length(num_phases, VECTOR_SHOTS, LEAST_ROW)`.

    Returns
    -------
    ndarray of uint64
        Bit ``i % 64`` of element ``LANES + i // 64`` is that of shot `i`.
    """
    return np.zeros(LANES + -(-num_shots // (ROWS * row)) * ROWS * row // WORD, np.uint64)


@njit(cache=True, error_model="numpy", nogil=True)
def is_marked(marks, shot):  # type: ignore[no-untyped-def]
    """Whether the bit of a shot is set; False before the first."""
    return shot >= 0 and (marks[LANES + (shot >> 6)] >> np.uint64(shot & 63)) & np.uint64(1) != 0


@njit(cache=True, error_model="numpy", nogil=True)
def count_pairs_plainly(later, before, lag, num_phases, out):  # type: ignore[no-untyped-def]
    """What `count_pairs` computes, shot by shot."""
    for shot in range((later.size - LANES) * WORD):
        if is_marked(later, shot) and is_marked(before, shot - lag):
            out[shot % num_phases] += 1


@njit(cache=True, error_model="numpy", nogil=True)
def _full_adder(a, b, c):  # type: ignore[no-untyped-def]
    """Sum and carry of three bits, for each column."""
    return odd_of_three(a, b, c), most_of_three(a, b, c)


@njit(cache=True, error_model="numpy", nogil=True)
def _pair(later, before, word, lag):  # type: ignore[no-untyped-def]
    """Shots of eight words that are marked in `later`, and `lag` shots earlier in `before`."""
    return both(load(later, word), shifted_in(load(before, word), load(before, word - 1), lag))


@njit(cache=True, error_model="numpy", nogil=True)
def _add_eight(later, before, first, width, lag, one, two, four):  # type: ignore[no-untyped-def]
    """Add eight words below each other to the planes of 1, 2 and 4; what is carried to that of 8 comes with them."""
    a, b, c, d = first, first + 2 * width, first + 4 * width, first + 6 * width
    one, two1 = _full_adder(one, _pair(later, before, a, lag), _pair(later, before, a + width, lag))
    one, two2 = _full_adder(one, _pair(later, before, b, lag), _pair(later, before, b + width, lag))
    one, two3 = _full_adder(one, _pair(later, before, c, lag), _pair(later, before, c + width, lag))
    one, two4 = _full_adder(one, _pair(later, before, d, lag), _pair(later, before, d + width, lag))
    two, four1 = _full_adder(two, two1, two2)
    two, four2 = _full_adder(two, two3, two4)
    four, carry = _full_adder(four, four1, four2)
    return one, two, four, carry


@njit(cache=True, error_model="numpy", nogil=True)
def _add_rows(later, before, first, width, lag, planes):  # type: ignore[no-untyped-def]
    """Add sixteen rows of `width` words to the planes, which lie one after the other."""
    for column in range(0, width, LANES):
        word = first + column
        one, two = load(planes, column), load(planes, width + column)
        four, eight = load(planes, 2 * width + column), load(planes, 3 * width + column)
        one, two, four, eight1 = _add_eight(later, before, word, width, lag, one, two, four)
        one, two, four, eight2 = _add_eight(later, before, word + 8 * width, width, lag, one, two, four)
        eight, carry = _full_adder(eight, eight1, eight2)
        store(planes, column, one)
        store(planes, width + column, two)
        store(planes, 2 * width + column, four)
        store(planes, 3 * width + column, eight)
        for power in range(4, PLANES):
            plane = power * width + column
            old = load(planes, plane)
            store(planes, plane, unlike(old, carry))
            carry = both(old, carry)


@njit(cache=True, error_model="numpy", nogil=True)
def _empty(planes, num_phases, out):  # type: ignore[no-untyped-def]
    """Add the sums of all columns to `out`, by phase, and clear the planes."""
    pieces = planes.view(np.uint16)
    width = pieces.size // PLANES
    sums = np.empty(width * COLUMNS, np.int32)
    for piece in range(width):
        total = zeros(sums)
        for power in range(PLANES):
            total = add(total, where_set(pieces, power * width + piece, filled(sums, 1 << power)))
        store(sums, piece * COLUMNS, total)
    for cycle in range(sums.size // num_phases):
        for phase in range(num_phases):
            out[phase] += sums[cycle * num_phases + phase]
    planes[:] = np.uint64(0)


@njit(cache=True, error_model="numpy", nogil=True)
def count_pairs(later, before, lag, num_phases, row, out):  # type: ignore[no-untyped-def]
    """Count shots marked in `later` that have a shot marked in `before` `lag` shots earlier, by phase.

    With lag 0 and twice the same marks these are the marks themselves. Shots before the first are not marked.

    Parameters
    ----------
    later, before : uint64[M]
        From `empty_marks`: bit ``i % 64`` of element ``LANES + i // 64`` marks shot `i`.
    lag : int
        0 to 63.
    num_phases : int
    row : int
        Shots of a row, as given to `empty_marks`.
    out : int64[P]
    """
    width = row // WORD
    planes = np.zeros(PLANES * width, np.uint64)
    rows = 0
    for first in range(LANES, later.size, ROWS * width):
        _add_rows(later, before, first, width, lag, planes)
        rows += ROWS
        if rows + ROWS >= MOST_ROWS:
            _empty(planes, num_phases, out)
            rows = 0
    _empty(planes, num_phases, out)
