"""Hours of dwelling until a difference is significant."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
WANTED = 3.0
"""Standard deviations."""
TIMES = np.geomspace(1 / 64, 4096, 19)
"""Times the hours spent, for which an error is predicted."""
COUNTING = 1 / np.sqrt(TIMES)
"""Errors of counting alone after these times, over that of now."""
FLAT = 0.05
"""Exponent of the time below which an error no longer falls."""


def hours_to(
    value: ArrayLike, stddev: ArrayLike, hours: ArrayLike, errors: ArrayLike = COUNTING, wanted: float = WANTED
) -> tuple[Array, Array, Array]:
    """Total hours until a value is `wanted` standard deviations.

    Parameters
    ----------
    value, stddev : array_like, shape (...)
        A difference and its standard deviation.
    hours : array_like
        Hours spent so far, broadcast against them.
    errors : array_like, shape (..., len(TIMES)) or (len(TIMES),)
        Predicted standard deviations after `TIMES` these hours, over that of now; by default those of counting alone.
    wanted : float

    Returns
    -------
    hours, low, high : ndarray, shape (...)
        For the value itself, and one standard deviation above and below; infinite where that is zero or changes sign,
        or the error does not fall so far. NaN without a value.
    """
    value, stddev, spent = (np.asarray(each, dtype=np.float64) for each in (value, stddev, hours))
    size, falls = np.abs(value), np.broadcast_to(errors, (*value.shape, len(TIMES)))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [
            np.where(
                each > 0, spent * _times(each / (wanted * stddev), falls), np.where(np.isfinite(each), np.inf, np.nan)
            )
            for each in (size, size + stddev, size - stddev)
        ]
    return found[0], found[1], found[2]


def _times(wanted: Array, errors: Array) -> Array:
    """Times the hours spent after which errors (..., T) are so large, in straight lines of the logarithms."""
    times, found = np.log(TIMES), np.full(wanted.shape, np.nan)
    for index in np.ndindex(wanted.shape):
        error, to = np.log(errors[index]), np.log(wanted[index])
        if not (np.isfinite(error).all() and np.isfinite(to)):
            continue
        (first, last), (steep, slope) = error[[0, -1]], (error[[1, -1]] - error[[0, -2]]) / (times[1] - times[0])
        if to < last:
            found[index] = times[-1] + (to - last) / slope if slope < -FLAT else np.inf
        elif to > first:
            found[index] = times[0] + (to - first) / min(steep, -FLAT)
        else:
            found[index] = np.interp(-to, -error, times)
    return np.exp(found)
