"""Which bunch a gate sees: the counts of each bunch against the currents of the fill pattern, shifted by whole bunches.

The second plateau of a gate has as many counts as the first one, but each count is booked for the bunch before: slot 0
is no longer the pumped one. Bunches of unequal currents show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

CERTAIN = 30.0
"""Difference of chi-square to the second best bunch from which on the best one is certain."""
RECORD_NOISE = 3e-3
"""Relative error of the current of a bunch in the fill-pattern record."""
UNLIKELY = 1e-6
"""p-value below which the counts do not follow the currents at all."""


@dataclass(frozen=True)
class Bunch:
    """Which bunch a gate sees.

    Attributes
    ----------
    offset : int
        Bunches that the seen one comes after the gate's own; the nearest to 0 of those that a turn repeats.
    certain : bool
    reason : str
        Why it is not certain; empty if it is.
    margin : float
        chi-square of the second best bunch minus that of the best.
    """

    offset: int
    certain: bool
    reason: str
    margin: float


def seen_bunch(photons: ArrayLike, variance: ArrayLike, currents: ArrayLike) -> Bunch:
    """Find the bunch that a gate sees.

    Parameters
    ----------
    photons, variance : array_like, shape (B,)
        Photons per gate of each bunch as booked, and counting variance.
    currents : array_like, shape (B,)
        Current of each bunch, any unit.
    """
    value, own = np.asarray(photons, dtype=np.float64), np.asarray(currents, dtype=np.float64)
    if own.size != value.size or not np.isfinite(own).all() or not (own > 0).all():
        return Bunch(0, False, "there is no fill pattern with a current of each bunch", 0.0)
    if value.size == 1:
        return Bunch(0, True, "", np.inf)
    error = np.asarray(variance, dtype=np.float64) + (RECORD_NOISE * value) ** 2
    chi_square = np.array([_misfit(value, error, np.roll(own, -offset)) for offset in range(own.size)])
    best, second = np.sort(chi_square)[:2]
    offset = int(np.argmin(chi_square))
    offset -= own.size * (2 * offset > own.size)
    margin = float(second - best)
    if margin < CERTAIN:
        return Bunch(offset, False, "the bunches are too equal to know one from another", margin)
    if chi_square_p_value(float(best), own.size - 1) < UNLIKELY:
        return Bunch(offset, False, "the counts do not follow the currents of the fill pattern", margin)
    return Bunch(offset, True, "", margin)


def _misfit(value: Array, variance: Array, current: Array) -> float:
    """chi-square of counts that are proportional to currents."""
    scale = (value * current / variance).sum() / (current**2 / variance).sum()
    return float(((value - scale * current) ** 2 / variance).sum())
