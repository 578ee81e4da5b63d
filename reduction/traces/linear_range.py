"""Linear range and saturation of a fluence scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from reduction.statistics.quantiles import chi_square_p_value, normal_tail

Array = NDArray[np.float64]

SHARPNESS = (0.8, 1.0, 1.3, 1.7, 2.3, 4.0, 8.0, 16.0, 32.0)
"""Sharpness of the bend from the line to the plateau; a nuisance parameter."""
LIKELY = 2.0 ** np.arange(-0.5, 5.25, 0.5)
"""Sharpnesses over which the position of a bend is averaged, evenly spaced in their logarithm."""
WEIGHTS = np.exp(-0.5 * np.log(LIKELY / 4.0) ** 2)
"""Of these before the data: normal in the logarithm about 4, the width 1."""
RISE = 2.0
"""Likely rise of a line that bends, in heights of the data."""
LEVELS = (0.6827, 0.9545)
"""Of the intervals of a knee."""
LEVEL = 0.05
"""A line is rejected at a smaller p-value."""


@dataclass(frozen=True)
class Line:
    """``intercept + slope x`` with its covariance (2, 2), and chi-square and degrees of freedom of its model."""

    intercept: float
    slope: float
    covariance: Array
    chi_square: float
    dof: int

    @property
    def slope_stddev(self) -> float:
        return float(np.sqrt(self.covariance[1, 1]))

    @property
    def intercept_stddev(self) -> float:
        return float(np.sqrt(self.covariance[0, 0]))

    def value(self, x: Array) -> Array:
        """The line at some x."""
        return np.asarray(self.intercept + self.slope * x)

    def stddev(self, x: Array) -> Array:
        """Its errors there."""
        (a, mixed), (_, b) = self.covariance
        return np.asarray(np.sqrt(a + 2 * mixed * x + b * x**2))


@dataclass(frozen=True)
class Tangent(Line):
    """A line at x = 0, averaged over models: mean and covariance, and the distribution of its slope.

    Attributes
    ----------
    weights, slopes, errors : ndarray, shape (M,)
        Of each model: its weight (they add up to 1), its slope and the standard deviation of that.
    """

    weights: Array
    slopes: Array
    errors: Array

    def below(self, slope: float) -> float:
        """Probability that the true slope is below `slope`."""
        return float(1 - self.weights @ normal_tail((slope - self.slopes) / self.errors))

    def slope_interval(self, level: float = 0.6827) -> tuple[float, float]:
        """Central interval of the slope: its distribution has long tails, and `slope_stddev` is no measure of them."""
        from scipy.optimize import brentq  # imported here: most sessions scan no fluence, and start sooner

        far = 10 * self.errors
        span = float((self.slopes - far).min()), float((self.slopes + far).max())
        low, high = (
            brentq(lambda slope, at=at: self.below(slope) - at, *span) for at in (0.5 - level / 2, 0.5 + level / 2)
        )
        return float(low), float(high)


@dataclass(frozen=True)
class Saturation:
    """How a signal bends over against fluence.

    Attributes
    ----------
    linear : Line
        Through the points of the linear range. The data determine that range, which biases the slope low, by many
        standard deviations where saturation is gradual. `initial` has no such bias.
    linear_up_to : float
        Largest x of the points that one line describes; the last point if the signal does not bend.
    saturates_at : float
        Intersection of line and plateau, from ``x / (1 + (x / xs)^n)^(1/n)``, the most likely one, averaged like its
        intervals; infinity if no bend is better.
    interval, wide : tuple of float
        Central intervals of 68.3 and 95.4 % of it, averaged over the sharpness of the bend, which few fluences
        determine: the best sharpness alone, as in a profile of the likelihood, makes them too short. Where a knee
        beyond the data is as likely, the upper end is infinity.
    initial : Tangent
        Tangent at x = 0 of a line that bends: averaged over all knees and sharpnesses of the bend, each weighted by
        how well it explains the data, and over none. Where saturation is gradual its slope is the one to quote.
        chi-square is that of the best bend, which takes two degrees of freedom.
    significance : float
        Standard deviations by which a bend is better than a line (root of the gain in chi-square).
    """

    linear: Line
    linear_up_to: float
    saturates_at: float
    interval: tuple[float, float]
    wide: tuple[float, float]
    initial: Tangent
    significance: float


def straight_line(x: Array, y: Array, covariance: Array) -> Line:
    """Line with free intercept by generalised least squares.

    Parameters
    ----------
    x, y : ndarray, shape (N,)
    covariance : ndarray, shape (N,) or (N, N)

    Raises
    ------
    ValueError
        If there are fewer than three points, all at the same x, something is not finite or the covariance is singular.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.size < 3 or np.unique(x).size < 2:
        raise ValueError(f"a line with its errors needs three points at two positions, not {x.size}")
    solution, fit_covariance, chi_square = _linear(np.stack([np.ones_like(x), x], axis=1), y, covariance)
    return Line(float(solution[0]), float(solution[1]), fit_covariance, chi_square, x.size - 2)


def saturation(x: Array, y: Array, covariance: Array) -> Saturation:
    """Linear range and saturation of y against x, in ascending order of x.

    Raises
    ------
    ValueError
        As `straight_line`, and for fewer than five points.
    """
    if len(x) < 5:
        raise ValueError(f"a linear range needs at least five points, not {len(x)}")
    order = np.argsort(x, kind="stable")
    x, y = np.asarray(x, dtype=np.float64)[order], np.asarray(y, dtype=np.float64)[order]
    full = np.diag(covariance)[np.ix_(order, order)] if covariance.ndim == 1 else covariance[np.ix_(order, order)]
    number, line = _linear_range(x, y, full)
    straight = straight_line(x, y, full).chi_square
    coarse = np.geomspace(x[x > 0][0], 4 * x[-1], 121)
    profile = _profile(x, y, full, coarse).chi_square.min(axis=0)
    near = coarse[profile <= profile.min() + 9]
    fine = np.geomspace(near[0] / 1.1, min(near[-1] * 1.1, coarse[-1]), 600)
    bent = _profile(x, y, full, fine)
    profile = bent.chi_square.min(axis=0)
    weight = _weight_of_knees(*(_profile(x, y, full, knees, LIKELY) for knees in (fine, coarse)))
    best = int(np.argmax(weight))
    gain = max(0.0, straight - float(profile.min()))
    bends = bool(gain > 1 and best < fine.size - 1 and profile.argmin() < fine.size - 1)
    return Saturation(
        linear=line,
        linear_up_to=float(x[number - 1]),
        saturates_at=float(fine[best]) if bends else float("inf"),
        interval=_central(fine, weight, LEVELS[0], bends, coarse[-1]),
        wide=_central(fine, weight, LEVELS[1], bends, coarse[-1]),
        initial=_averaged(bent, RISE * float(np.ptp(y)), x.size - 4),
        significance=float(np.sqrt(gain)) if bends else 0.0,
    )


def _weight_of_knees(bent: _Bent, whole: _Bent) -> Array:
    """Probability of each knee, averaged over the sharpnesses `LIKELY`; sum 1.

    Before the data a knee is the more likely, the better the data tell it from its neighbours (the reference prior of
    Berger and Bernardo, J. Am. Stat. Assoc. 84 (1989) 200, for one sharpness): beyond the data they hardly do, and with
    all knees as likely as each other intervals would reach too far up. `whole` has all knees.
    """
    likely = np.exp(-0.5 * (bent.chi_square - bent.chi_square.min())) * bent.apart
    weight = (WEIGHTS / whole.apart.sum(axis=1)) @ likely
    return np.asarray(weight / weight.sum())


def _central(knees: Array, weight: Array, level: float, bends: bool, last: float) -> tuple[float, float]:
    """Central interval of a knee; up to infinity for what may be a line, or reaches the `last` knee."""
    below = np.cumsum(weight) - weight / 2
    low, high = np.interp([0.5 - level / 2, 0.5 + level / 2], below, knees)
    return float(low), float(high) if bends and high < last else float("inf")


def _linear_range(x: Array, y: Array, covariance: Array) -> tuple[int, Line]:
    """Number of the lowest points that one line describes, and that line."""
    number = 4
    line = straight_line(x[:number], y[:number], covariance[:number, :number])
    for end in range(5, x.size + 1):
        longer = straight_line(x[:end], y[:end], covariance[:end, :end])
        rise = longer.chi_square - line.chi_square
        if chi_square_p_value(longer.chi_square, longer.dof) < LEVEL or chi_square_p_value(rise, 1) < LEVEL:
            break
        number, line = end, longer
    return number, line


@dataclass(frozen=True)
class _Bent:
    """Lines that bend, one for each sharpness and position of the bend; axes of all: sharpnesses, knees.

    Attributes
    ----------
    chi_square, intercept, slope : ndarray
    covariance : ndarray, shape (sharpnesses, knees, 2, 2)
        Of intercept and initial slope.
    reach : ndarray
        Rise from x = 0 to the last point for an initial slope of 1.
    apart : ndarray
        Angle between the curve of a knee and that of the one before it, in units of their errors, as far as intercept
        and slope leave any.
    """

    chi_square: Array
    intercept: Array
    slope: Array
    covariance: Array
    reach: Array
    apart: Array


def _profile(x: Array, y: Array, covariance: Array, knees: Array, sharpnesses: Iterable[float] = SHARPNESS) -> _Bent:
    """Bent lines, their intercept and initial slope free, for each sharpness and position of the bend."""
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    one = whiten @ np.ones_like(x)
    weight = one @ one
    data = whiten @ y
    mean = one @ data / weight
    rest = data - one * mean
    ratio = np.maximum(x, 0.0) / knees[:, None]
    found = []
    for sharpness in sharpnesses:
        rise = x / (1 + ratio**sharpness) ** (1 / sharpness)
        bent = rise @ whiten.T
        middle = bent @ one / weight
        bent = bent - np.outer(middle, one)
        power = (bent**2).sum(axis=1)
        slope = bent @ rest / power
        matrix = np.array([[1 / weight + middle**2 / power, -middle / power], [-middle / power, 1 / power]])
        unit = bent / np.sqrt(power)[:, None]
        apart = np.linalg.norm(np.diff(unit, axis=0, prepend=unit[:1]), axis=1)
        chi_square, intercept = rest @ rest - slope**2 * power, mean - slope * middle
        found.append((chi_square, intercept, slope, matrix.transpose(2, 0, 1), rise[:, -1], apart))
    return _Bent(*(np.array(each) for each in zip(*found, strict=True)))


def _averaged(bent: _Bent, largest: float, dof: int) -> Tangent:
    """Intercept and slope over models, by their likelihoods.

    Before the data the rise up to the last point is normal about 0 with the standard deviation `largest`. If any slope
    were as likely as any other, a signal hidden in the noise would bend at once, from a slope without limit.
    """
    variance, prior = bent.covariance[..., 1, 1], (largest / bent.reach) ** 2
    middle, kept = -bent.covariance[..., 0, 1] / variance, prior / (prior + variance)
    weight = np.exp(-0.5 * (bent.chi_square - bent.chi_square.min() + bent.slope**2 / (prior + variance)))
    weight *= np.sqrt(1 - kept)
    weight /= weight.sum()
    each = np.stack([bent.intercept + middle * (1 - kept) * bent.slope, kept * bent.slope], axis=-1)
    mean = np.einsum("sp,spi->i", weight, each)
    between = np.einsum("sp,spi,spj->ij", weight, each - mean, each - mean)
    direction = np.stack([-middle, np.ones_like(middle)], axis=-1)
    within = bent.covariance - ((1 - kept) * variance)[..., None, None] * direction[..., None] * direction[..., None, :]
    covariance = np.einsum("sp,spij->ij", weight, within) + between
    slopes, errors = (kept * bent.slope).ravel(), np.sqrt(kept * variance).ravel()
    chi_square = float(bent.chi_square.min())
    return Tangent(float(mean[0]), float(mean[1]), covariance, chi_square, dof, weight.ravel(), slopes, errors)


def _linear(design: Array, y: Array, covariance: Array) -> tuple[Array, Array, float]:
    """Solution, its covariance and chi-square of a linear model by generalised least squares."""
    full = np.diag(covariance) if covariance.ndim == 1 else covariance
    if not (np.isfinite(design).all() and np.isfinite(y).all() and np.isfinite(full).all()):
        raise ValueError("values, positions or errors are not finite: exclude those points")
    try:
        factor = cho_factor(full)
    except LinAlgError as error:
        raise ValueError(f"the covariance cannot be inverted ({error}): leave a point out") from error
    inverse = np.linalg.inv(design.T @ cho_solve(factor, design))
    solution = inverse @ (design.T @ cho_solve(factor, y))
    residual = y - design @ solution
    return solution, inverse, float(residual @ cho_solve(factor, residual))
