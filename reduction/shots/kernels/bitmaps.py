"""Counts set bits of a bitmap by phase, and pairs of set bits a few shots apart.

Rows of bits are added column by column, all 512 columns of a vector at once, with full adders: sixteen rows, for two
lags at a time while they are in the cache, then the next sixteen; or for one lag, twice sixteen rows at a time. The
sums stay in bit planes (bit `k` of the sum of a column is a bit of plane `k`) until `BITS.most` rows are added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import BITS, BITS_PER_VECTOR, BITS_PER_WORD, WORDS_PER_VECTOR
from reduction.shots.kernels.vector_bits import shifted_in, where_set
from reduction.shots.kernels.vectors import aligned, filled, load_twice, load_two, load_wide, store

ROWS = 16
"""Rows that are added at a time; those of a bitmap, and `BITS.most`, are a multiple of twice as many."""
PIECE = 32
"""Columns that are emptied at once."""
PLANES = 10
WIDE = 2 * WORDS_PER_VECTOR
"""Words of two vectors that are counted side by side, of two lags: more time is taken by loading than by adding."""


def new_bitmap(num_shots: int, row: int) -> NDArray[np.uint64]:
    """Allocate one bit a shot, as in `reduction.shots.kernels.layout`: the vector of zeros, then whole groups of rows.

    Parameters
    ----------
    num_shots : int
    row : int
        From `layout.BITS`.

    Returns
    -------
    ndarray of uint64
        Not written apart from the zeros in front. The bits after the last shot have to be set to 0.
    """
    number = WORDS_PER_VECTOR + -(-num_shots // (2 * ROWS * row)) * 2 * ROWS * row // BITS_PER_WORD
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
    """Shot-by-shot definition of `count_lags`."""
    for lag in range(out.shape[0]):
        for shot in range((later.size - WORDS_PER_VECTOR) * BITS_PER_WORD):
            if is_set(later, shot) and is_set(earlier, shot - first_lag - lag):
                out[lag, shot % num_phases] += 1


@kernel(error_model="numpy", nogil=True)
def _full_adder(a, b, c):  # type: ignore[no-untyped-def]
    """Sum and carry of three bits, for each column."""
    unlike = a ^ b
    return unlike ^ c, a ^ (unlike & (a ^ c))


@kernel(error_model="numpy", nogil=True)
def _load(bits, word, apart):  # type: ignore[no-untyped-def]
    """Eight words twice, or with those that lie `apart`."""
    if apart is None:
        return load_twice(bits, word)
    return load_two(bits, word, word + apart)


@kernel(error_model="numpy", nogil=True)
def _pairs(later, earlier, word, apart, lags):  # type: ignore[no-untyped-def]
    """Shots whose bit is set in `later`, and one or the other lag before in `earlier`, unless that is None."""
    if earlier is None:
        return _load(later, word, apart)
    before = shifted_in(_load(earlier, word, apart), _load(earlier, word - 1, apart), lags)
    return _load(later, word, apart) & before


@kernel(error_model="numpy", nogil=True)
def _add_two(later, earlier, word, width, apart, lags, one):  # type: ignore[no-untyped-def]
    """Add two rows to the plane of 1; with it comes what is carried."""
    return _full_adder(
        one, _pairs(later, earlier, word, apart, lags), _pairs(later, earlier, word + width, apart, lags)
    )


@kernel(error_model="numpy", nogil=True)
def _add_eight(later, earlier, word, width, apart, lags, one, two, four):  # type: ignore[no-untyped-def]
    """Add eight rows to the planes of 1, 2 and 4; what is carried to that of 8 comes with them."""
    one, two1 = _add_two(later, earlier, word, width, apart, lags, one)
    one, two2 = _add_two(later, earlier, word + 2 * width, width, apart, lags, one)
    one, two3 = _add_two(later, earlier, word + 4 * width, width, apart, lags, one)
    one, two4 = _add_two(later, earlier, word + 6 * width, width, apart, lags, one)
    two, four1 = _full_adder(two, two1, two2)
    two, four2 = _full_adder(two, two3, two4)
    four, carry = _full_adder(four, four1, four2)
    return one, two, four, carry


@kernel(error_model="numpy", nogil=True)
def _add_columns(later, earlier, first, last, width, apart, lags, planes):  # type: ignore[no-untyped-def]
    """Add one vector of columns of all rows between two words to the planes, `PLANES` of `WIDE` words for two lags."""
    step = ROWS * width if apart is None else 2 * ROWS * width
    for word in range(first, last, step):
        for two_lags in range(lags.size // WIDE):
            plane, lag = two_lags * PLANES * WIDE, load_wide(lags, two_lags * WIDE)
            one, two = load_wide(planes, plane), load_wide(planes, plane + WIDE)
            four, eight = load_wide(planes, plane + 2 * WIDE), load_wide(planes, plane + 3 * WIDE)
            one, two, four, eight1 = _add_eight(later, earlier, word, width, apart, lag, one, two, four)
            one, two, four, eight2 = _add_eight(later, earlier, word + 8 * width, width, apart, lag, one, two, four)
            eight, carry = _full_adder(eight, eight1, eight2)
            store(planes, plane, one)
            store(planes, plane + WIDE, two)
            store(planes, plane + 2 * WIDE, four)
            store(planes, plane + 3 * WIDE, eight)
            for at in range(plane + 4 * WIDE, plane + PLANES * WIDE, WIDE):
                old = load_wide(planes, at)
                store(planes, at, old ^ carry)
                carry = old & carry


@kernel(error_model="numpy", nogil=True)
def _empty(planes, sums, column):  # type: ignore[no-untyped-def]
    """Write the sums of one vector of columns to `sums`, shape (lags, row), from `column` on, and clear the planes."""
    pieces = planes.view(np.uint32)
    width = BITS_PER_VECTOR // PIECE
    for lag in range(sums.shape[0]):
        of_lag = sums[lag]
        for piece in range(width):
            total = filled(sums, 0)
            for power in range(PLANES):
                bits = ((lag // 2 * PLANES + power) * 2 + lag % 2) * width + piece
                total = total + where_set(pieces, bits, filled(sums, 1 << power))
            store(of_lag, column + piece * PIECE, total)
    planes[:] = np.uint64(0)


@kernel(error_model="numpy", nogil=True)
def count_lags(later, earlier, first_lag, apart, num_phases, row, out):  # type: ignore[no-untyped-def]
    """Count shots whose bit is set in `later`, and `lag` shots before in `earlier`, by phase.

    With lag 0 and the same bitmap twice, or None in place of `earlier`, this counts the bits that are set.

    Parameters
    ----------
    later, earlier : uint64[M]
        From `new_bitmap`.
    first_lag : int
        Lag of the first row of `out`; those of the others follow. All are 0 to 63.
    apart : int or None
        With one row of `out`: words of `ROWS` rows. Else None.
    num_phases : int
    row : int
        Shots of a row, as given to `new_bitmap`.
    out : int64[L, P]
    """
    width, number = row // BITS_PER_WORD, out.shape[0]
    twos = (number + 1) // 2
    size = twos * PLANES * WIDE
    planes = aligned(np.zeros(size + WORDS_PER_VECTOR, np.uint64), size)
    lags = np.empty(twos * WIDE, np.uint64)
    for word in range(lags.size):
        lags[word] = first_lag + (word // WORDS_PER_VECTOR if apart is None else 0)
    sums = np.empty((number if apart is None else 2, row), np.int16)
    for first in range(WORDS_PER_VECTOR, later.size, BITS.most * width):
        last = min(later.size, first + BITS.most * width)
        for column in range(0, width, WORDS_PER_VECTOR):
            _add_columns(later, earlier, first + column, last, width, apart, lags, planes)
            _empty(planes, sums, column * BITS_PER_WORD)
        for index in range(sums.shape[0]):
            for cycle in range(row // num_phases):
                for phase in range(num_phases):
                    out[index % number, phase] += sums[index, cycle * num_phases + phase]


def count_pairs(later, earlier, first_lag, num_phases, row, out):  # type: ignore[no-untyped-def]
    """`count_lags` for any number of lags."""
    apart = ROWS * row // BITS_PER_WORD if out.shape[0] == 1 else None
    bits_alone = apart is not None and first_lag == 0 and later is earlier
    count_lags(later, None if bits_alone else earlier, first_lag, apart, num_phases, row, out)
