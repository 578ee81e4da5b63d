"""Size of a transient: by projection on a shape, and by its absolute area as the paper has it.

The absolute area is never below zero: noise increases it, the more the weaker the transient is. The projection has no
such bias. `area` computes the number of the paper, and the contribution of noise to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.spectra.normalise import projection
from reduction.statistics.quantiles import normal_tail

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """Absolute area under a transient.

    Attributes
    ----------
    value, stddev : float
        Integral of ``abs(t)`` over the energy, in units of the transient times eV.
        The modulus of a point without signal scatters less than the point, by a factor of 0.6.
    signal, signal_stddev : float
        Area without the contribution of noise, and its standard deviation. Without a signal it scatters about zero.
        Where true values of about one error fill the grid, it is too small by up to half the error of each point.
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


def area(energy: Array, transient: Array, covariance: Array, signs: Array | None = None) -> Area:
    """Absolute area of a transient by trapezoids.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV, ascending
    transient : ndarray, shape (E,)
    covariance : ndarray, shape (E, E)
    signs : ndarray, shape (E,), optional
        Of the true transient where they are known, from a model or another measurement: `signal` is then a plain sum,
        without any bias.

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
    pull, scale = values / sigma, weights * sigma
    hidden = _likely(pull)
    slope = weights * np.sign(values) * np.sqrt(1 + hidden**2 - _folded_mean(hidden) ** 2)
    noise = scale @ _noise_of_moduli(pull, matrix / np.outer(sigma, sigma)) @ scale
    signal = float(scale @ _debiased(pull))
    if signs is not None:
        signed = weights * np.sign(signs[used])
        signal, noise = float(signed @ values), signed @ matrix @ signed
    return Area(whole, float(np.sqrt(slope @ matrix @ slope)), signal, float(np.sqrt(noise)))


def _debiased(pull: Array) -> Array:
    """Moduli of the true values behind values with error 1, without the contribution of noise.

    The sign comes from one half of the data, the value from the other; a single value x is split into ``x + z`` and
    ``x - z`` with z normal, which are independent, and the mean over z is taken (data thinning: Neufeld et al., J.
    Mach. Learn. Res. 25, 57, 2024). It has no bias where there is no signal and where it is clear. No estimate is
    without bias everywhere, since the modulus has a kink (Cai and Low, Ann. Stat. 39, 1012, 2011): true values of
    about one error lose half an error.
    """
    return np.asarray(pull * (1 - 2 * normal_tail(pull)) - 2 * np.exp(-0.5 * pull**2) / np.sqrt(2 * np.pi))


def _noise_of_moduli(pull: Array, correlation: Array) -> Array:
    """Covariance of the debiased moduli of values with error 1, shape (N, N).

    The mean of a debiased modulus is ``m(t) = t erf(t / 2)`` for a true value t, and the covariance of two follows from
    the derivatives of m by powers of the correlation.
    """
    t = _likely(pull)
    bell = np.exp(-(t**2) / 4) / np.sqrt(np.pi)
    first = np.sign(pull) * (1 - 2 * normal_tail(t / np.sqrt(2)) + t * bell)
    second, third = 2 * bell * (1 - t**2 / 4), np.sign(pull) * bell * t * (t**2 / 4 - 2)
    parts = ((first, 1), (second, 2), (third, 6))
    return np.asarray(
        sum(correlation ** (power + 1) * np.outer(one, one) / factorial for power, (one, factorial) in enumerate(parts))
    )


def _likely(pull: Array) -> Array:
    """Moduli for which errors are computed: squares less twice the noise, or noise alone would pass for signal."""
    return np.sqrt(np.maximum(pull**2 - 2, 0.0))


def _folded_mean(mean: Array) -> Array:
    """Mean modulus of normal values with error 1."""
    bell = np.exp(-0.5 * mean**2) / np.sqrt(2 * np.pi)
    return np.asarray(mean * (1 - 2 * normal_tail(mean)) + 2 * bell)


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
