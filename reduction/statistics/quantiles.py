"""Quantiles for intervals, and p-values of tests.

From `scipy.special`: `scipy.stats` has the same functions but takes a second to import.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, chdtri, fdtrc, ndtr, ndtri, stdtr


def levels_checked(levels: Sequence[float]) -> tuple[float, ...]:
    """Confidence levels, each between 0 and 1.

    Raises
    ------
    ValueError
    """
    if not all(0 < level < 1 for level in levels):
        raise ValueError(f"confidence levels lie between 0 and 1, not {list(levels)}")
    return tuple(float(level) for level in levels)


def chi_square_of_level(level: float, dof: int = 1) -> float:
    """Rise of chi-square that bounds an interval of a confidence level."""
    return float(chdtri(dof, 1 - level))


def chi_square_interval(value: float, dof: float, level: float = 0.954) -> tuple[float, float]:
    """Interval of a variance ratio ``chi-square / dof`` with `dof` degrees of freedom."""
    tail = (1 - level) / 2
    return value * dof / float(chdtri(dof, tail)), value * dof / float(chdtri(dof, 1 - tail))


def chi_square_p_value(chi_square: float, dof: float) -> float:
    """Probability of a chi-square at least as large."""
    return float(chdtrc(dof, chi_square))


def chi_square_p_values(chi_square: ArrayLike, dof: ArrayLike) -> NDArray[np.float64]:
    """Probability of each chi-square at least as large; NaN where there are no degrees of freedom."""
    dof = np.asarray(dof, dtype=np.float64)
    return np.where(dof > 0, chdtrc(np.maximum(dof, 1), np.asarray(chi_square, dtype=np.float64)), np.nan)


def f_p_values(ratio: ArrayLike, dof: ArrayLike, dof_below: float) -> NDArray[np.float64]:
    """Probability of each ratio of two variance estimates at least as large (Fisher)."""
    return np.asarray(fdtrc(dof, dof_below, ratio))


def f_p_value(ratio: float, dof: float, dof_below: float) -> float:
    """Probability of a ratio of two variance estimates at least as large (Fisher)."""
    return float(f_p_values(ratio, dof, dof_below))


def student_p_value(value: float, dof: float) -> float:
    """Two-sided p-value of a Student t."""
    return float(2 * stdtr(dof, -abs(value)))


def normal_tail(value: ArrayLike) -> NDArray[np.float64]:
    """Probability of a standard normal deviate above a value."""
    return np.asarray(ndtr(-np.asarray(value, dtype=np.float64)))


def normal_threshold(p_value: float) -> float:
    """The value that a standard normal deviate exceeds with this probability."""
    return float(-ndtri(p_value))


def runs_p_value(residuals: ArrayLike) -> float:
    """Probability of as few changes of sign among independent residuals (Wald and Wolfowitz), normal approximation.

    1 for fewer than ten residuals, or if all have one sign: the approximation fails there.
    """
    positive = np.asarray(residuals, dtype=np.float64) > 0
    number, above = positive.size, int(positive.sum())
    if number < 10 or above in (0, number):
        return 1.0
    runs = 1 + int((positive[1:] != positive[:-1]).sum())
    expected = 1 + 2 * above * (number - above) / number
    stddev = np.sqrt((expected - 1) * (expected - 2) / (number - 1))
    return float(ndtr((runs + 0.5 - expected) / stddev))
