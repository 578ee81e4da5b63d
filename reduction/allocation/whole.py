"""Whole cycles of each pass from an allocation: what a pass rounds off the next ones make up for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SLACK = 0.25
"""Of a cycle that the last pass may leave out: an eighth of all points' rounding, less than errors of rates."""


def cycles_of_pass(wanted: Array, done: IntArray, passes_left: int) -> IntArray:
    """Cycles of each point in the next pass, shape (N,).

    Parameters
    ----------
    wanted : ndarray, shape (N,)
        Cycles of each point at the end, those that are done included.
    done : ndarray of int, shape (N,)
    passes_left : int
        The next one included.

    Raises
    ------
    ValueError
        If no pass is left.
    """
    if passes_left < 1:
        raise ValueError("no pass is left for the remaining cycles")
    missing = np.maximum(wanted - done, 0.0)
    rounded = np.ceil(missing - SLACK) if passes_left == 1 else np.rint(missing / passes_left)
    return np.asarray(rounded, dtype=np.int64)
