"""Ratio of two noisy numbers with Fieller's interval, and the comparison parameter C of the paper.

Fieller: the ratios r for which ``a - r b`` is compatible with zero, ``(a - r b)^2 <= z^2 (Va - 2 r Cab + r^2 Vb)``,
are an interval where b differs significantly from zero, otherwise the outside of an interval, or all numbers. Unlike
the propagated error it has the right coverage also where the denominator is poorly known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.statistics.quantiles import chi_square_of_level

Array = NDArray[np.float64]

SPACING = 1e-3
"""Relative tolerance for equal steps within a window."""


@dataclass(frozen=True)
class Ratio:
    """A ratio a / b.

    Attributes
    ----------
    value : float
    stddev : float
        Propagated to first order; valid only where b is many of its errors from zero.
    low, high : float
        Ends of Fieller's set at the requested level. ``bounded``: it lies between them; otherwise it is the outside,
        or, if both are NaN, all numbers.
    bounded : bool
    """

    value: float
    stddev: float
    low: float
    high: float
    bounded: bool

    def holds(self, ratio: float) -> bool:
        """Whether a number lies in Fieller's set."""
        if np.isnan(self.low):
            return True
        between = self.low <= ratio <= self.high
        return between if self.bounded else not between


def fieller(a: float, b: float, covariance: Array, level: float = 0.683) -> Ratio:
    """Ratio a / b with Fieller's set.

    Parameters
    ----------
    a, b : float
    covariance : ndarray, shape (2, 2)
        Of (a, b).
    level : float

    Raises
    ------
    ValueError
        If something is not finite, or a variance is negative.
    """
    covariance = np.asarray(covariance, dtype=np.float64)
    if not (np.isfinite([a, b]).all() and np.isfinite(covariance).all()):
        raise ValueError("a ratio needs finite numbers and errors")
    variance_a, variance_b, mixed = covariance[0, 0], covariance[1, 1], covariance[0, 1]
    if variance_a < 0 or variance_b < 0:
        raise ValueError(f"variances must not be below 0: {variance_a}, {variance_b}")
    z2 = chi_square_of_level(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.divide(a, b))
        stddev = float(np.sqrt(max(0.0, variance_a - 2 * value * mixed + value**2 * variance_b)) / abs(b))
    # (b^2 - z2 Vb) r^2 - 2 (a b - z2 Cab) r + (a^2 - z2 Va) <= 0
    square, half, constant = b**2 - z2 * variance_b, a * b - z2 * mixed, a**2 - z2 * variance_a
    root = half**2 - square * constant
    if square == 0 or root < 0:
        return Ratio(value, stddev, float("nan"), float("nan"), False)
    ends = sorted(((half - np.sqrt(root)) / square, (half + np.sqrt(root)) / square))
    return Ratio(value, stddev, float(ends[0]), float(ends[1]), bool(square > 0))


def comparison_parameter(
    energy: Array,
    transient: Array,
    covariance: Array,
    main: tuple[float, float],
    pre: tuple[float, float],
    level: float = 0.683,
) -> Ratio:
    """C, the mean of a transient over the main-edge window divided by that over the pre-edge window.

    The paper sums over as many points in both, which is the same.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
    transient : ndarray, shape (E,)
    covariance : ndarray, shape (E, E)
    main, pre : tuple of float
        Windows, keV, ends included.

    Raises
    ------
    ValueError
        If a window has fewer than two points, points are not equally spaced, or the windows' steps differ.
    """
    inside = [_inside(energy, window) for window in (main, pre)]
    steps = [np.diff(energy[chosen]) for chosen in inside]
    for step, window in zip(steps, (main, pre), strict=True):
        if step.size < 1 or np.ptp(step) > SPACING * step.mean():
            raise ValueError(f"points from {window[0]} to {window[1]} keV are not two or more at equal steps")
    if abs(steps[0].mean() - steps[1].mean()) > SPACING * steps[0].mean():
        raise ValueError("the two windows of C have different steps")
    weights = np.stack([chosen / chosen.sum() for chosen in inside])
    used = np.any(inside, axis=0)
    a, b = weights[:, used] @ transient[used]
    return fieller(float(a), float(b), weights[:, used] @ covariance[np.ix_(used, used)] @ weights[:, used].T, level)


def comparison_where_known(
    energy: Array, transient: Array, covariance: Array, main: tuple[float, float], pre: tuple[float, float]
) -> Ratio:
    """`comparison_parameter` of the points that have a transient."""
    used = np.isfinite(transient)
    return comparison_parameter(energy[used], transient[used], covariance[np.ix_(used, used)], main, pre)


def _inside(energy: Array, window: tuple[float, float]) -> NDArray[np.bool_]:
    slack = 1e-9  # keV; see reduction.spectra.normalise
    return np.asarray((energy >= window[0] - slack) & (energy <= window[1] + slack))
