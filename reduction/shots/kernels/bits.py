"""Counts by phase of shots that are marked by one bit each, and of pairs of marks a few shots apart.

Rows of bits are added column by column, all 512 columns of a vector at once, by the logic of full adders: sixteen rows,
for each lag in turn while they are near, then the next sixteen. The sums stay in planes (bit `k` of the sum of a column
is a bit of plane `k`) until a stretch is over.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reduction.shots.kernels.vector_bits import both, most_of_three, odd_of_three, shifted_in, unlike, where_set
from reduction.shots.kernels.vectors import add, aligned, filled, load, store, zeros

WORD = 64
LANES = 8
"""Words of a vector."""
VECTOR_SHOTS = LANES * WORD
LEAST_ROW = 7680
ROWS = 16
PIECE = 16
"""Columns that are emptied at once."""
PLANES = 10
MOST_ROWS = (1 << PLANES) - ROWS
"""Rows of a stretch: a column must not reach `1 << PLANES`."""


def new_marks(num_shots: int, row: int) -> NDArray[np.uint64]:
    """Room for one bit a shot: a vector of zeros, then as many whole groups of rows as it takes, to be written.

    Parameters
    ----------
    num_shots : int
    row : int
        Shots of a row, from `rows.row_length(num_phases, VECTOR_SHOTS, LEAST_ROW)`.

    Returns
    -------
    ndarray of uint64
        Bit ``i % 64`` of element ``LANES + i // 64`` is that of shot `i`. Those beyond the shots have to be 0.
    """
    number = LANES + -(-num_shots // (ROWS * row)) * ROWS * row // WORD
    marks: NDArray[np.uint64] = aligned(np.empty(number + LANES, np.uint64), number)
    marks[:LANES] = 0
    return marks


@njit(cache=True, error_model="numpy", nogil=True)
def is_marked(marks, shot):  # type: ignore[no-untyped-def]
    """Whether the bit of a shot is set; False before the first."""
    return shot >= 0 and (marks[LANES + (shot >> 6)] >> np.uint64(shot & 63)) & np.uint64(1) != 0


@njit(cache=True, error_model="numpy", nogil=True)
def count_pairs_plainly(later, before, first_lag, num_phases, out):  # type: ignore[no-untyped-def]
    """What `count_pairs` computes, shot by shot."""
    for lag in range(out.shape[0]):
        for shot in range((later.size - LANES) * WORD):
            if is_marked(later, shot) and is_marked(before, shot - first_lag - lag):
                out[lag, shot % num_phases] += 1


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
def _add_columns(later, before, first, last, width, first_lag, planes):  # type: ignore[no-untyped-def]
    """Add one vector of columns of all rows between two words to the planes, which are of shape (lags, `PLANES`)."""
    step = ROWS * width
    lags = planes.size // (PLANES * LANES)
    for group in range((last - first + step - 1) // step):
        word = first + group * step
        for index in range(lags):
            plane, lag = index * PLANES * LANES, first_lag + index
            one, two = load(planes, plane), load(planes, plane + LANES)
            four, eight = load(planes, plane + 2 * LANES), load(planes, plane + 3 * LANES)
            one, two, four, eight1 = _add_eight(later, before, word, width, lag, one, two, four)
            one, two, four, eight2 = _add_eight(later, before, word + 8 * width, width, lag, one, two, four)
            eight, carry = _full_adder(eight, eight1, eight2)
            store(planes, plane, one)
            store(planes, plane + LANES, two)
            store(planes, plane + 2 * LANES, four)
            store(planes, plane + 3 * LANES, eight)
            for power in range(4, PLANES):
                old = load(planes, plane + power * LANES)
                store(planes, plane + power * LANES, unlike(old, carry))
                carry = both(old, carry)


@njit(cache=True, error_model="numpy", nogil=True)
def _empty(planes, sums, column):  # type: ignore[no-untyped-def]
    """Write the sums of one vector of columns to `sums`, shape (lags, row), from `column` on, and clear the planes."""
    pieces = planes.view(np.uint16)
    width = VECTOR_SHOTS // PIECE
    for lag in range(sums.shape[0]):
        of_lag = sums[lag]
        for piece in range(width):
            total = zeros(sums)
            for power in range(PLANES):
                bits = (lag * PLANES + power) * width + piece
                total = add(total, where_set(pieces, bits, filled(sums, 1 << power)))
            store(of_lag, column + piece * PIECE, total)
    planes[:] = np.uint64(0)


@njit(cache=True, error_model="numpy", nogil=True)
def count_pairs(later, before, first_lag, num_phases, row, out):  # type: ignore[no-untyped-def]
    """Count shots marked in `later` that have a shot marked in `before` some shots earlier, by phase.

    With lag 0 and twice the same marks these are the marks themselves. Shots before the first are not marked.

    Parameters
    ----------
    later, before : uint64[M]
        From `new_marks`: bit ``i % 64`` of element ``LANES + i // 64`` marks shot `i`.
    first_lag : int
        Lag of the first row of `out`; those of the others follow. All are 0 to 63.
    num_phases : int
    row : int
        Shots of a row, as given to `new_marks`.
    out : int64[L, P]
    """
    width = row // WORD
    size = out.shape[0] * PLANES * LANES
    planes = aligned(np.zeros(size + LANES, np.uint64), size)
    sums = np.empty((out.shape[0], row), np.int32)
    for first in range(LANES, later.size, MOST_ROWS * width):
        last = min(later.size, first + MOST_ROWS * width)
        for column in range(0, width, LANES):
            _add_columns(later, before, first + column, last, width, first_lag, planes)
            _empty(planes, sums, column * WORD)
        for lag in range(out.shape[0]):
            for cycle in range(row // num_phases):
                for phase in range(num_phases):
                    out[lag, phase] += sums[lag, cycle * num_phases + phase]
