"""Quantiles that intervals need, and chances that tests need.

From `scipy.special`: `scipy.stats` holds the same functions and takes a second to import.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, chdtri, ndtr, ndtri, stdtr, stdtrit


def levels_checked(levels: Sequence[float]) -> tuple[float, ...]:
    """Confidence levels, each between 0 and 1.

    Raises
    ------
    ValueError
    """
    if not all(0 < level < 1 for level in levels):
        raise ValueError(f"confidence levels lie between 0 and 1, not {list(levels)}")
    return tuple(float(level) for level in levels)


def chi_square_of_level(level: float, freedom: int = 1) -> float:
    """Rise of chi-square that bounds an interval of a confidence level."""
    return float(chdtri(freedom, 1 - level))


def student_factor(level: float, freedom: int) -> float:
    """Half width, in standard errors found from `freedom` + 1 values, of a two-sided interval."""
    return float(stdtrit(freedom, (1 + level) / 2))


def chi_square_interval(value: float, freedom: float, level: float = 0.954) -> tuple[float, float]:
    """Interval of a variance ratio ``chi-square / freedom`` that was found from `freedom` degrees of freedom."""
    tail = (1 - level) / 2
    return value * freedom / float(chdtri(freedom, tail)), value * freedom / float(chdtri(freedom, 1 - tail))


def chi_square_p_value(chi_square: float, freedom: float) -> float:
    """Chance of a chi-square at least as large."""
    return float(chdtrc(freedom, chi_square))


def student_p_value(value: float, freedom: float) -> float:
    """Chance of a Student t at least as far from 0, on either side."""
    return float(2 * stdtr(freedom, -abs(value)))


def normal_tail(value: ArrayLike) -> NDArray[np.float64]:
    """Chance of a standard normal number above a value."""
    return np.asarray(ndtr(-np.asarray(value, dtype=np.float64)))


def normal_threshold(chance: float) -> float:
    """The value that a standard normal number exceeds with a chance."""
    return float(-ndtri(chance))
