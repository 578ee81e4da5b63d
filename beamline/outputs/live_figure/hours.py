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
    times, error, to = np.log(TIMES), np.log(errors), np.log(wanted)
    first, last = error[..., 0], error[..., -1]
    steep = (error[..., 1] - first) / (times[1] - times[0])
    slope = (last - error[..., -2]) / (times[-1] - times[-2])
    before = times[0] + (to - first) / np.minimum(steep, -FLAT)
    after = np.where(slope < -FLAT, times[-1] + (to - last) / slope, np.inf)
    there = np.maximum((error <= to[..., None]).argmax(axis=-1), 1)
    left, right = (np.take_along_axis(error, there[..., None] - n, axis=-1)[..., 0] for n in (1, 0))
    between = times[there - 1] + (times[there] - times[there - 1]) * (to - left) / (right - left)
    known = np.isfinite(error).all(axis=-1) & np.isfinite(to)
    return np.exp(np.where(known, np.where(to < last, after, np.where(to < first, between, before)), np.nan))
