"""How long to go on counting: hours of dwelling until a difference stands out of its error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
WANTED = 3.0
"""Standard deviations."""


def hours_to(
    value: ArrayLike, stddev: ArrayLike, hours: ArrayLike, wanted: float = WANTED
) -> tuple[Array, Array, Array]:
    """Hours in all after which a value is `wanted` standard deviations, if its error falls with the root of the time.

    Parameters
    ----------
    value, stddev : array_like, shape (...)
        A difference and its standard deviation.
    hours : array_like
        Hours that it took, broadcast against them.
    wanted : float

    Returns
    -------
    hours, low, high : ndarray, shape (...)
        Of the value as it is, and one standard deviation more and less; infinite where that is zero or has the other
        sign. NaN where there is no value.
    """
    value, stddev, spent = (np.asarray(each, dtype=np.float64) for each in (value, stddev, hours))
    size = np.abs(value)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [
            np.where(each > 0, spent * (wanted * stddev / each) ** 2, np.where(np.isfinite(each), np.inf, np.nan))
            for each in (size, size + stddev, size - stddev)
        ]
    return found[0], found[1], found[2]
