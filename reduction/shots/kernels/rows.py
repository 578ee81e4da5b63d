"""How a block of shots is cut for the vector kernels: rows of whole patterns, strips of rows read side by side.

A row is a whole number of patterns and of vectors, so that element `j` of every row is of the same phase. Strips are
long stretches that lie one after the other in the block; reading a few of them at once is as fast as memory gives,
while rows that lie close together are not fetched ahead by the processor.
"""

from __future__ import annotations

from math import lcm

import numpy as np
from numba import njit
from numpy.typing import NDArray

LONGEST_ROW = 1 << 17


def row_length(num_phases: int, lanes: int, least: int) -> int:
    """Shots of a row: a multiple of `num_phases` and of `lanes`, at least `least`.

    Parameters
    ----------
    num_phases : int
        Shots of the pattern.
    lanes : int
        Shots of a vector.
    least : int
        Shots below which a row would be all overhead.

    Raises
    ------
    ValueError
        If the pattern has no phases, or is so long that its rows would not fit into the processor's caches.
    """
    if num_phases < 1:
        raise ValueError(f"a pattern has at least one phase, not {num_phases}")
    row = lcm(num_phases, lanes)
    if row > LONGEST_ROW:
        raise ValueError(f"a pattern of {num_phases} phases is too long for the shot kernels: rows of {row} shots")
    return row * max(1, -(-least // row))


def rotated(by_local_phase: NDArray[np.int64], first_phase: int) -> NDArray[np.int64]:
    """Counts by phase, from those of a block whose first shot was called phase 0; the last axis is the phase."""
    ends = by_local_phase.shape[-1] - first_phase
    return np.concatenate((by_local_phase[..., ends:], by_local_phase[..., :ends]), axis=-1)


@njit(cache=True, error_model="numpy", nogil=True)
def add_bytes(row, num_phases, out):  # type: ignore[no-untyped-def]
    """Add a row of bytes to `out` by phase, and clear it."""
    for cycle in range(row.size // num_phases):
        part = row[cycle * num_phases : (cycle + 1) * num_phases]
        for phase in range(num_phases):
            out[phase] += part[phase]
    row[:] = np.uint8(0)
