"""Size of a transient: by projection on a shape, and by its absolute area as the paper has it.

The absolute area is never below zero: noise increases it, the more the weaker the transient is. The projection has no
such bias. `area` computes the number of the paper, and the mean contribution of noise to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.spectra.normalise import projection
from reduction.statistics.quantiles import normal_tail

Array = NDArray[np.float64]

SCALES = np.append(0.0, np.geomspace(0.25, 256, 21))
"""Widths, in errors of a point, among which the distribution of what is true is looked for."""
NOTHING = 3
"""Points without any signal that are added to those of a transient: what is not seen is taken as not there."""
ROUNDS = 200
"""Of that search."""


@dataclass(frozen=True)
class Area:
    """Absolute area under a transient.

    Attributes
    ----------
    value, stddev : float
        Integral of ``abs(t)`` over the energy, in units of the transient times eV.
        The modulus of a point without signal scatters less than the point, by a factor of 0.6.
    noise : float
        Mean contribution of noise.
    """

    value: float
    stddev: float
    noise: float

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
    known = sigma > 0
    added, scatter = np.zeros_like(values), np.ones_like(values)
    modulus = _modulus(values[known] / sigma[known])
    added[known] = np.abs(values[known]) - sigma[known] * modulus
    scatter[known] = np.sqrt(1 + modulus**2 - _folded_mean(modulus, np.ones_like(modulus)) ** 2)
    noise = float(weights @ added)
    slope = weights * np.sign(values) * scatter
    return Area(float(weights @ np.abs(values)), float(np.sqrt(slope @ matrix @ slope)), noise)


def _modulus(pull: Array) -> Array:
    """Mean modulus of the true value behind each of many values with error 1.

    The prior of the true values is a mixture of normal distributions about 0 with widths `SCALES`, whose weights
    maximise the likelihood of all points (empirical Bayes; Stephens, Biostatistics 18, 275, 2017). If the values
    themselves stood for the true ones, noise would count as signal, and its contribution would be too small by half.
    """
    variance = 1 + SCALES**2
    likelihood = np.exp(-0.5 * pull[:, None] ** 2 / variance) / np.sqrt(variance)
    likelihood /= likelihood.max(axis=1, keepdims=True)
    probability = np.full(SCALES.size, 1 / SCALES.size)
    for _ in range(ROUNDS):
        each = likelihood * probability
        probability = (each / each.sum(axis=1, keepdims=True)).sum(axis=0) + NOTHING * (SCALES == 0)
        probability /= probability.sum()
    each = likelihood * probability
    mean, stddev = pull[:, None] * SCALES**2 / variance, np.maximum(SCALES / np.sqrt(variance), 1e-300)
    return np.asarray((each * _folded_mean(mean, stddev)).sum(axis=1) / each.sum(axis=1))


def _folded_mean(mean: Array, stddev: Array) -> Array:
    """Mean modulus of normal values."""
    pull = np.abs(mean) / stddev
    return np.asarray(stddev * np.sqrt(2 / np.pi) * np.exp(-0.5 * pull**2) + np.abs(mean) * (1 - 2 * normal_tail(pull)))


def relative_amplitude(
    transient: Array, covariance: Array, shape: Array, shape_covariance: Array | None = None
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
    """
    index = np.flatnonzero(np.isfinite(transient) & np.isfinite(shape))
    own = covariance[np.ix_(index, index)]
    amplitude, stddev = projection(transient[index], own, shape[index])
    if shape_covariance is None:
        return amplitude, stddev
    noise = shape_covariance[np.ix_(index, index)]
    variance = np.diagonal(own)
    weight = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    weighted = weight * shape[index]
    # The sum of squares is larger than that of a shape without noise by the noise itself.
    information = float(weighted @ shape[index] - weight @ np.diagonal(noise))
    amplitude = float(weighted @ transient[index]) / information
    total = own + amplitude**2 * noise
    return amplitude, float(np.sqrt(weighted @ total @ weighted)) / abs(information)
