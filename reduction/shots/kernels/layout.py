"""How the kernels lay out shots in vectors, rows, strips and bitmaps; the sizes that they share are named here.

A vector is 512 bits. How many shots it holds depends on what is stored per shot:

    hits       uint8     64 shots    HITS_PER_VECTOR
    heights    int16     32 shots    HEIGHTS_PER_VECTOR
    floats     float32   16 shots    FLOATS_PER_VECTOR
    bitmap     1 bit    512 shots    BITS_PER_VECTOR, in WORDS_PER_VECTOR = 8 words of BITS_PER_WORD = 64

A block is cut into rows, and rows are grouped into strips:

             |<--------------- row --------------->|
             | vector | vector | ........ | vector |
    strip 0    0 1 2 ... P-1 0 1 2 ... P-1 0 1 2 ...     phases of the shots
               0 1 2 ... P-1 0 1 2 ... P-1 0 1 2 ...
    strip 1    0 1 2 ... P-1 0 1 2 ... P-1 0 1 2 ...
               .....
    rest       0 1 2 ... P-1 0 1                         summed shot by shot

A row is a whole number of patterns (P phases) and of vectors, so element `j` of every row has the same phase. Rows are
added element by element; only the sums are folded to P phases. Strips lie one after the other in the block, and the
kernels add one row of each strip at a time: a few parallel streams reach the bandwidth of the memory, while the
processor does not prefetch rows that lie close together.

A bitmap has one bit a shot, and one vector of zeros in front, which stands for the shots before the first:

    word        0 ... 7          8              9          ...
    shots       none (zeros)     0 ... 63       64 ... 127

so the bit of shot `i` is bit ``i % 64`` of word ``WORDS_PER_VECTOR + i // 64``.
"""

from __future__ import annotations

from math import lcm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel

VECTOR_BYTES = 64
HITS_PER_VECTOR, HEIGHTS_PER_VECTOR, FLOATS_PER_VECTOR, WORDS_PER_VECTOR = 64, 32, 16, 8
BITS_PER_WORD = 64
BITS_PER_VECTOR = WORDS_PER_VECTOR * BITS_PER_WORD
LONGEST_ROW = 1 << 17
"""Shots; longer rows of sums would not fit into the caches of the processor."""


class Form(NamedTuple):
    """How a kernel walks through a block, one of the table below.

    Attributes
    ----------
    lanes : int
        Shots of a vector.
    strips : int
        Strips whose rows are added at a time.
    shortest : int
        Shots of a row below which its overhead would dominate.
    most : int
        Rows of a strip until the sums are emptied, which are then still within their integers.
    """

    lanes: int
    strips: int
    shortest: int
    most: int

    def row(self, num_phases: int) -> int:
        """Shots of a row; see `row_length`."""
        return row_length(num_phases, self.lanes, self.shortest)


HITS = Form(HITS_PER_VECTOR, strips=4, shortest=3840, most=63)  # a byte counts the hits of 252 rows
HEIGHTS = Form(HEIGHTS_PER_VECTOR, strips=8, shortest=480, most=625)
PRODUCTS = Form(HEIGHTS_PER_VECTOR, strips=2, shortest=480, most=625)
FLOATS = Form(FLOATS_PER_VECTOR, strips=4, shortest=240, most=600)
BITS = Form(BITS_PER_VECTOR, strips=1, shortest=7680, most=992)  # bit planes hold numbers below 1024


def row_length(num_phases: int, per_vector: int, least: int) -> int:
    """Shots of a row: a multiple of `num_phases` and of `per_vector`, at least `least`.

    Parameters
    ----------
    num_phases : int
        Shots of the pattern.
    per_vector : int
        Shots of a vector.
    least : int
        Shots below which the overhead of a row would dominate.

    Raises
    ------
    ValueError
        If the pattern has no phases, or is so long that its rows would not fit into the processor's caches.
    """
    if num_phases < 1:
        raise ValueError(f"a pattern has at least one phase, not {num_phases}")
    row = lcm(num_phases, per_vector)
    if row > LONGEST_ROW:
        raise ValueError(f"a pattern of {num_phases} phases is too long for the shot kernels: rows of {row} shots")
    return row * max(1, -(-least // row))


def rotated(by_local_phase: NDArray[np.int64], first_phase: int) -> NDArray[np.int64]:
    """Counts by phase, from those of a block whose first shot was called phase 0; the last axis is the phase."""
    ends = by_local_phase.shape[-1] - first_phase
    return np.concatenate((by_local_phase[..., ends:], by_local_phase[..., :ends]), axis=-1)


@kernel(error_model="numpy", nogil=True)
def add_bytes(row, num_phases, out):  # type: ignore[no-untyped-def]
    """Add a row of bytes to `out` by phase, and clear it."""
    for cycle in range(row.size // num_phases):
        part = row[cycle * num_phases : (cycle + 1) * num_phases]
        for phase in range(num_phases):
            out[phase] += part[phase]
    row[:] = np.uint8(0)


@kernel(error_model="numpy", nogil=True)
def contains(array, value):  # type: ignore[no-untyped-def]
    """Whether an array of a few elements has a value; `min` would take numba longer to compile."""
    found = False
    for each in array:
        found |= each == value
    return found
