"""Size of a transient: by projection on a shape, and by its absolute area as the paper has it.

The absolute area is never below zero: noise increases it, the more the weaker the transient is. The projection has no
such bias. `area` computes the number of the paper, and the mean contribution of noise to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from reduction.spectra.normalise import projection
from reduction.statistics.quantiles import normal_tail

Array = NDArray[np.float64]

SMALLEST, LARGEST, SCALES = 0.25, 256.0, 15
"""Standard deviations of true values, in errors of a point, and how many are tried."""
SHARES = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.98)
"""Shares of points that have a signal at all."""
COARSE, ENOUGH = 2.0, 6
"""Steps, in those of the median, from which a grid counts as coarse, and least points of its fine and coarse part. A
grid is fine where a signal is expected: what is true there is not true of the rest, which has most of the noise."""


@dataclass(frozen=True)
class Area:
    """Absolute area under a transient.

    Attributes
    ----------
    value, stddev : float
        Integral of ``abs(t)`` over the energy, in units of the transient times eV.
        The modulus of a point without signal scatters less than the point, by a factor of 0.6.
    signal, signal_stddev : float
        Area without the contribution of noise, and its standard deviation. Where the signal is hidden in the noise, an
        upper end more than a value: an area is never below zero.
    """

    value: float
    stddev: float
    signal: float
    signal_stddev: float

    @property
    def noise(self) -> float:
        """Mean contribution of noise to `value`."""
        return self.value - self.signal

    @property
    def factor(self) -> float:
        """Inverse area, by which the paper scales transients."""
        return 1 / self.value


def area(energy: Array, transient: Array, covariance: Array) -> Area:
    """Absolute area of a transient by trapezoids.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV, ascending
    transient : ndarray, shape (E,)
    covariance : ndarray, shape (E, E)

    Raises
    ------
    ValueError
        If fewer than two points are finite.
    """
    used = np.isfinite(transient)
    if used.sum() < 2:
        raise ValueError("an area needs at least two points")
    at = energy[used]
    steps = 1e3 * np.diff(at)
    weights = np.zeros(at.size)
    weights[:-1] += steps / 2
    weights[1:] += steps / 2
    values, matrix = transient[used], covariance[np.ix_(used, used)]
    sigma = np.sqrt(np.diagonal(matrix))
    whole = float(weights @ np.abs(values))
    if not sigma.any():
        return Area(whole, 0.0, whole, 0.0)
    sigma = np.maximum(sigma, 1e-6 * sigma.max())  # an exact value among others
    moduli = _by_steps(values / sigma, weights, sigma)
    scatter = np.sqrt(1 + moduli.mean**2 - _folded_mean(moduli.mean, np.ones_like(sigma)) ** 2)
    slope = weights * np.sign(values) * scatter
    signal, signal_stddev = moduli.total(weights, sigma, matrix)
    return Area(whole, float(np.sqrt(slope @ matrix @ slope)), signal, signal_stddev)


@dataclass(frozen=True)
class Moduli:
    """Moduli of the true values behind N measured ones, in errors of these.

    Attributes
    ----------
    mean, own, sign : ndarray, shape (N,)
        Posterior mean of the modulus, its variance beyond that of a value of known sign, and mean of the sign.
    between : float
        Variance of the area between the priors.
    """

    mean: Array
    own: Array
    sign: Array
    between: float

    def total(self, lengths: Array, sigma: Array, covariance: Array) -> tuple[float, float]:
        """Weighted sum of the moduli and its standard deviation.

        A point whose sign is known shares the covariance of the others; one that is hidden in noise does not.
        """
        slope, scale = lengths * self.sign, lengths * sigma
        variance = slope @ covariance @ slope + self.own @ scale**2 + self.between
        return float(self.mean @ scale), float(np.sqrt(variance))


def _by_steps(pull: Array, lengths: Array, sigma: Array) -> Moduli:
    """Moduli of the points in the fine and in the coarse part of a grid, each with priors of its own."""
    coarse = lengths > COARSE * np.median(lengths)
    parts = (~coarse, coarse) if min(coarse.sum(), (~coarse).sum()) >= ENOUGH else (np.ones_like(coarse),)
    groups = [np.flatnonzero(part) for part in parts]
    each = [_moduli(pull[group], (lengths * sigma)[group]) for group in groups]
    back = np.argsort(np.concatenate(groups))
    mean, own, sign = (np.concatenate([getattr(one, name) for one in each])[back] for name in ("mean", "own", "sign"))
    return Moduli(mean, own, sign, sum(one.between for one in each))


def _moduli(pull: Array, lengths: Array) -> Moduli:
    """Moduli of the true values behind values with error 1, and of their sum with these lengths.

    A prior is a share of points with signal, whose true values are normal about 0 with one of several scales; it is
    itself weighted by the likelihood of all points (spike and slab: Mitchell and Beauchamp, J. Am. Stat. Assoc. 83,
    1023, 1988). If the values themselves stood for the true ones, noise would count as signal, and its contribution
    would be too small by half.
    """
    scales = np.geomspace(SMALLEST, max(LARGEST, 2 * float(np.abs(pull).max())), SCALES)
    variance = 1 + scales**2
    density = np.exp(-0.5 * pull[:, None] ** 2 / variance) / np.sqrt(variance)
    nothing = np.exp(-0.5 * pull**2)
    centre, width = pull[:, None] * scales**2 / variance, scales / np.sqrt(variance)
    folded = _folded_mean(centre, np.broadcast_to(width, centre.shape))
    square, sign = centre**2 + width**2, np.sign(centre) * (1 - 2 * normal_tail(np.abs(centre) / width))
    evidence, rows = [], []
    for share, scale in product(SHARES, range(SCALES)):
        slab = share * density[:, scale]
        likelihood = slab + (1 - share) * nothing + 1e-300
        slab = slab / likelihood
        mean = slab * folded[:, scale]
        evidence.append(np.log(likelihood).sum())
        rows.append((mean, slab * square[:, scale] - mean**2, slab * sign[:, scale]))
    weights = np.exp(np.array(evidence) - max(evidence))
    weights /= weights.sum()
    means, variances, signs = np.moveaxis(np.array(rows), 1, 0)
    sums = means @ lengths
    own = np.maximum(variances - signs**2, 0)
    return Moduli(weights @ means, weights @ own, weights @ signs, float(weights @ (sums - weights @ sums) ** 2))


def _folded_mean(mean: Array, stddev: Array) -> Array:
    """Mean modulus of normal values."""
    pull = np.abs(mean) / stddev
    return np.asarray(stddev * np.sqrt(2 / np.pi) * np.exp(-0.5 * pull**2) + np.abs(mean) * (1 - 2 * normal_tail(pull)))


def relative_amplitude(
    transient: Array,
    covariance: Array,
    shape: Array,
    shape_covariance: Array | None = None,
    common: Array | None = None,
) -> tuple[float, float]:
    """How many times a shape is in a transient, and its standard deviation; weights as in `projection`.

    Parameters
    ----------
    transient, shape : ndarray, shape (E,)
        Points where either is NaN stay out.
    covariance : ndarray, shape (E, E)
    shape_covariance : ndarray, shape (E, E), optional
        Noise of the shape, added to that of the transient times the amplitude squared; without it the noise of a
        measured shape makes amplitudes too small.
    common : ndarray, shape (E, E), optional
        Covariance of the transient (rows) with the shape (columns), where both are slots of one spectrum: their common
        reference looks like a transient of the same shape, and makes amplitudes too large.
    """
    index = np.flatnonzero(np.isfinite(transient) & np.isfinite(shape))
    own = covariance[np.ix_(index, index)]
    amplitude, stddev = projection(transient[index], own, shape[index])
    if shape_covariance is None:
        return amplitude, stddev
    noise = shape_covariance[np.ix_(index, index)]
    both = np.zeros_like(noise) if common is None else common[np.ix_(index, index)]
    variance = np.diagonal(own)
    weight = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    weighted = weight * shape[index]
    # The sum of squares is larger than that of a shape without noise by the noise itself.
    information = float(weighted @ shape[index] - weight @ np.diagonal(noise))
    amplitude = float(weighted @ transient[index] - weight @ np.diagonal(both)) / information
    total = own + amplitude**2 * noise - amplitude * (both + both.T)
    return amplitude, float(np.sqrt(weighted @ total @ weighted)) / abs(information)
