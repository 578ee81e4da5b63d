"""The background of a pattern: a straight line, and what the windows of the cell scatter (SI 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.diffraction.pattern import PowderPattern
from reduction.errors import ReductionError

Array = NDArray[np.float64]

ABOVE = 3.0
"""Standard deviations above the background from which a point belongs to a line of the sample."""
CURVED = 0.02
"""Of the background, by which it may be no straight line before what lies above counts as a line of the sample."""
ROUNDS = 50
FEWEST = 12


@dataclass(frozen=True)
class PatternBackground:
    """``level + slope (q - middle)``, plus an amount of another pattern.

    Attributes
    ----------
    middle : float, 1/angstrom
    level, slope : float
        Counts a pixel at the middle, and their change per 1/angstrom.
    amount : float
        Of the pattern of the windows; 0 without it. Where there is next to nothing of them it may be below 0 by its
        error: the line is right with this amount only.
    stddev : ndarray, shape (2,) or (3,)
        Of level, slope and amount. Where the background is no such curve they are larger by the root of chi-square
        over its degrees of freedom.
    points : int
        Of the pattern, between lines of the sample.
    """

    middle: float
    level: float
    slope: float
    amount: float
    stddev: Array
    points: int

    def line(self, q: Array) -> Array:
        """The straight part."""
        return np.asarray(self.level + self.slope * (q - self.middle))


def fit_background(pattern: PowderPattern, windows: PowderPattern | None = None) -> PatternBackground:
    """Fit what lies below the lines of a sample.

    Points above the fit by more than 3 of their standard deviations and 2 % are lines, and are left out until there is
    none.

    Parameters
    ----------
    pattern : PowderPattern
        Integrated.
    windows : PowderPattern, optional
        Of the cell without sample.

    Raises
    ------
    ReductionError
        If too few points lie between the lines, or windows and line cannot be told apart.
    """
    q, middle = pattern.q, float(pattern.q.mean())
    there = np.zeros_like(q) if windows is None else np.interp(q, windows.q, windows.value)
    noise = np.zeros_like(q) if windows is None else np.interp(q, windows.q, windows.stddev)
    basis = np.stack([np.ones_like(q), q - middle, *([] if windows is None else [there])], axis=1)
    amount, kept = float(windows is not None), np.ones(q.size, dtype=np.bool_)
    for _ in range(ROUNDS):
        stddev = np.hypot(pattern.stddev, amount * noise)
        values, covariance, scatter = _least_squares(basis[kept], pattern.value[kept], stddev[kept])
        amount = float(values[2]) if windows is not None else 0.0
        expected = basis @ values
        below = pattern.value - expected < ABOVE * stddev + CURVED * np.abs(expected)
        if (below == kept).all():
            break
        kept = below
    errors = scatter * np.sqrt(np.diagonal(covariance))
    return PatternBackground(middle, float(values[0]), float(values[1]), amount, errors, int(kept.sum()))


def _least_squares(basis: Array, value: Array, stddev: Array) -> tuple[Array, Array, float]:
    """Values, their covariance, and the root of the reduced chi-square, at least 1."""
    if len(value) < FEWEST:
        raise ReductionError(f"{len(value)} points of the pattern lie between its lines: too few for a background")
    design = basis / stddev[:, None]
    values, _, rank, _ = np.linalg.lstsq(design, value / stddev, rcond=None)
    if rank < basis.shape[1]:
        raise ReductionError("the pattern of the windows is a straight line: it has no amount of its own")
    rest = value / stddev - design @ values
    scatter = max(1.0, float(np.sqrt(rest @ rest / (len(value) - basis.shape[1]))))
    return np.asarray(values), np.asarray(np.linalg.inv(design.T @ design)), scatter
