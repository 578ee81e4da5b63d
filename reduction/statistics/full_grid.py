"""Expands values of the used points to arrays over the whole grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def on_full_grid(values: Array, used: NDArray[np.bool_], axes: int = 1) -> Array:
    """Values of the used points in an array of all points, NaN elsewhere.

    Parameters
    ----------
    values : ndarray, shape (..., U) or (..., U, U)
        Of the U points that were used; the last `axes` axes are points.
    used : ndarray of bool, shape (E,)
    axes : int

    Returns
    -------
    ndarray, shape (..., E) or (..., E, E)
    """
    lead = values.shape[:-axes]
    full = np.full((*lead, *[used.size] * axes), np.nan)
    full[np.ix_(*map(np.arange, lead), *[used] * axes)] = values
    return full
