"""Counts set bits of a bitmap by phase, and pairs of set bits a few shots apart.

Rows of bits are added column by column, all 512 columns of a vector at once, with full adders: sixteen rows, for each
lag in turn while they are in the cache, then the next sixteen. The sums stay in bit planes (bit `k` of the sum of a
column is a bit of plane `k`) until `MOST_ROWS` rows are added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import BITS_PER_VECTOR, BITS_PER_WORD, WORDS_PER_VECTOR
from reduction.shots.kernels.vector_bits import both, most_of_three, odd_of_three, shifted_in, unlike, where_set
from reduction.shots.kernels.vectors import add, aligned, filled, load, store, zeros

ROWS = 16
PIECE = 16
"""Columns that are emptied at once."""
PLANES = 10
MOST_ROWS = (1 << PLANES) - ROWS
"""Rows that are added before the planes are emptied: a column must not reach `1 << PLANES`."""


def new_bitmap(num_shots: int, row: int) -> NDArray[np.uint64]:
    """Allocate one bit a shot, as in `reduction.shots.kernels.layout`: the vector of zeros, then whole groups of rows.

    Parameters
    ----------
    num_shots : int
    row : int
        From `layout.bitmap_row`.

    Returns
    -------
    ndarray of uint64
        Not written apart from the zeros in front. The bits after the last shot have to be set to 0.
    """
    number = WORDS_PER_VECTOR + -(-num_shots // (ROWS * row)) * ROWS * row // BITS_PER_WORD
    bitmap: NDArray[np.uint64] = aligned(np.empty(number + WORDS_PER_VECTOR, np.uint64), number)
    bitmap[:WORDS_PER_VECTOR] = 0
    return bitmap


@kernel(error_model="numpy", nogil=True)
def is_set(bitmap, shot):  # type: ignore[no-untyped-def]
    """Whether the bit of a shot is set; False earlier the first."""
    word = WORDS_PER_VECTOR + shot // BITS_PER_WORD
    return shot >= 0 and (bitmap[word] >> np.uint64(shot % BITS_PER_WORD)) & np.uint64(1) != 0


@kernel(error_model="numpy", nogil=True)
def count_pairs_plainly(later, earlier, first_lag, num_phases, out):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of `count_pairs`."""
    for lag in range(out.shape[0]):
        for shot in range((later.size - WORDS_PER_VECTOR) * BITS_PER_WORD):
            if is_set(later, shot) and is_set(earlier, shot - first_lag - lag):
                out[lag, shot % num_phases] += 1


@kernel(error_model="numpy", nogil=True)
def _full_adder(a, b, c):  # type: ignore[no-untyped-def]
    """Sum and carry of three bits, for each column."""
    return odd_of_three(a, b, c), most_of_three(a, b, c)


@kernel(error_model="numpy", nogil=True)
def _pair(later, earlier, word, lag):  # type: ignore[no-untyped-def]
    """Shots of eight words whose bit is set in `later`, and `lag` shots before in `earlier`."""
    return both(load(later, word), shifted_in(load(earlier, word), load(earlier, word - 1), lag))


@kernel(error_model="numpy", nogil=True)
def _add_eight(later, earlier, first, width, lag, one, two, four):  # type: ignore[no-untyped-def]
    """Add eight words below each other to the planes of 1, 2 and 4; what is carried to that of 8 comes with them."""
    a, b, c, d = first, first + 2 * width, first + 4 * width, first + 6 * width
    one, two1 = _full_adder(one, _pair(later, earlier, a, lag), _pair(later, earlier, a + width, lag))
    one, two2 = _full_adder(one, _pair(later, earlier, b, lag), _pair(later, earlier, b + width, lag))
    one, two3 = _full_adder(one, _pair(later, earlier, c, lag), _pair(later, earlier, c + width, lag))
    one, two4 = _full_adder(one, _pair(later, earlier, d, lag), _pair(later, earlier, d + width, lag))
    two, four1 = _full_adder(two, two1, two2)
    two, four2 = _full_adder(two, two3, two4)
    four, carry = _full_adder(four, four1, four2)
    return one, two, four, carry


@kernel(error_model="numpy", nogil=True)
def _add_columns(later, earlier, first, last, width, first_lag, planes):  # type: ignore[no-untyped-def]
    """Add one vector of columns of all rows between two words to the planes, which are of shape (lags, `PLANES`)."""
    step = ROWS * width
    lags = planes.size // (PLANES * WORDS_PER_VECTOR)
    for group in range((last - first + step - 1) // step):
        word = first + group * step
        for index in range(lags):
            plane, lag = index * PLANES * WORDS_PER_VECTOR, first_lag + index
            one, two = load(planes, plane), load(planes, plane + WORDS_PER_VECTOR)
            four, eight = load(planes, plane + 2 * WORDS_PER_VECTOR), load(planes, plane + 3 * WORDS_PER_VECTOR)
            one, two, four, eight1 = _add_eight(later, earlier, word, width, lag, one, two, four)
            one, two, four, eight2 = _add_eight(later, earlier, word + 8 * width, width, lag, one, two, four)
            eight, carry = _full_adder(eight, eight1, eight2)
            store(planes, plane, one)
            store(planes, plane + WORDS_PER_VECTOR, two)
            store(planes, plane + 2 * WORDS_PER_VECTOR, four)
            store(planes, plane + 3 * WORDS_PER_VECTOR, eight)
            for power in range(4, PLANES):
                old = load(planes, plane + power * WORDS_PER_VECTOR)
                store(planes, plane + power * WORDS_PER_VECTOR, unlike(old, carry))
                carry = both(old, carry)


@kernel(error_model="numpy", nogil=True)
def _empty(planes, sums, column):  # type: ignore[no-untyped-def]
    """Write the sums of one vector of columns to `sums`, shape (lags, row), from `column` on, and clear the planes."""
    pieces = planes.view(np.uint16)
    width = BITS_PER_VECTOR // PIECE
    for lag in range(sums.shape[0]):
        of_lag = sums[lag]
        for piece in range(width):
            total = zeros(sums)
            for power in range(PLANES):
                bits = (lag * PLANES + power) * width + piece
                total = add(total, where_set(pieces, bits, filled(sums, 1 << power)))
            store(of_lag, column + piece * PIECE, total)
    planes[:] = np.uint64(0)


@kernel(error_model="numpy", nogil=True)
def count_pairs(later, earlier, first_lag, num_phases, row, out):  # type: ignore[no-untyped-def]
    """Count shots whose bit is set in `later`, and `lag` shots before in `earlier`, by phase.

    With lag 0 and the same bitmap twice, this counts the bits that are set.

    Parameters
    ----------
    later, earlier : uint64[M]
        From `new_bitmap`.
    first_lag : int
        Lag of the first row of `out`; those of the others follow. All are 0 to 63.
    num_phases : int
    row : int
        Shots of a row, as given to `new_bitmap`.
    out : int64[L, P]
    """
    width = row // BITS_PER_WORD
    size = out.shape[0] * PLANES * WORDS_PER_VECTOR
    planes = aligned(np.zeros(size + WORDS_PER_VECTOR, np.uint64), size)
    sums = np.empty((out.shape[0], row), np.int32)
    for first in range(WORDS_PER_VECTOR, later.size, MOST_ROWS * width):
        last = min(later.size, first + MOST_ROWS * width)
        for column in range(0, width, WORDS_PER_VECTOR):
            _add_columns(later, earlier, first + column, last, width, first_lag, planes)
            _empty(planes, sums, column * BITS_PER_WORD)
        for lag in range(out.shape[0]):
            for cycle in range(row // num_phases):
                for phase in range(num_phases):
                    out[lag, phase] += sums[lag, cycle * num_phases + phase]
