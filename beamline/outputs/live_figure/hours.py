"""Hours of dwelling until a difference is significant."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
WANTED = 3.0
"""Standard deviations."""


def hours_to(
    value: ArrayLike, stddev: ArrayLike, hours: ArrayLike, wanted: float = WANTED
) -> tuple[Array, Array, Array]:
    """Total hours until a value is `wanted` standard deviations, if its error falls with the square root of time.

    Parameters
    ----------
    value, stddev : array_like, shape (...)
        A difference and its standard deviation.
    hours : array_like
        Hours spent so far, broadcast against them.
    wanted : float

    Returns
    -------
    hours, low, high : ndarray, shape (...)
        For the value itself, and one standard deviation above and below; infinite where that is zero or changes sign.
        NaN without a value.
    """
    value, stddev, spent = (np.asarray(each, dtype=np.float64) for each in (value, stddev, hours))
    size = np.abs(value)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [
            np.where(each > 0, spent * (wanted * stddev / each) ** 2, np.where(np.isfinite(each), np.inf, np.nan))
            for each in (size, size + stddev, size - stddev)
        ]
    return found[0], found[1], found[2]
