"""Quantiles that intervals need."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import chi2, t


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
    return float(chi2.ppf(level, freedom))


def student_factor(level: float, freedom: int) -> float:
    """Half width, in standard errors found from `freedom` + 1 values, of a two-sided interval."""
    return float(t.ppf((1 + level) / 2, freedom))


def chi_square_interval(value: float, freedom: float, level: float = 0.954) -> tuple[float, float]:
    """Interval of a variance ratio ``chi-square / freedom`` that was found from `freedom` degrees of freedom."""
    tail = (1 - level) / 2
    return value * freedom / float(chi2.ppf(1 - tail, freedom)), value * freedom / float(chi2.ppf(tail, freedom))
