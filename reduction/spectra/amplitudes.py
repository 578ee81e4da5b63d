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


@dataclass(frozen=True)
class Area:
    """Absolute area under a transient.

    Attributes
    ----------
    value, stddev : float
        Integral of ``abs(t)`` over the energy, in units of the transient times eV.
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

    @property
    def factor_stddev(self) -> float:
        return self.stddev / self.value**2


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
    slope = weights * np.sign(values)
    sigma = np.sqrt(np.diagonal(matrix))
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(sigma > 0, values / sigma, np.inf * np.sign(values))
        # mean of |x| of a normal x (folded normal) less |mean|
        added = sigma * np.sqrt(2 / np.pi) * np.exp(-0.5 * pull**2) - 2 * np.abs(values) * normal_tail(np.abs(pull))
    noise = float(weights @ np.where(sigma > 0, added, 0.0))
    return Area(float(weights @ np.abs(values)), float(np.sqrt(slope @ matrix @ slope)), noise)


def relative_amplitude(
    transient: Array, covariance: Array, shape: Array, shape_covariance: Array | None = None
) -> tuple[float, float]:
    """How many times a shape is in a transient, and its standard deviation.

    Parameters
    ----------
    transient, shape : ndarray, shape (E,)
        Points where either is NaN stay out. Two more stay out, the first and the last: a normalised transient has one
        constraint for the pre-edge and one for the edge integral, so over all points its covariance is singular.
    covariance : ndarray, shape (E, E)
    shape_covariance : ndarray, shape (E, E), optional
        Noise of the shape, added to that of the transient times the amplitude squared; without it the noise of a
        measured shape makes amplitudes too small.
    """
    index = np.flatnonzero(np.isfinite(transient) & np.isfinite(shape))[1:-1]
    own = covariance[np.ix_(index, index)]
    amplitude, stddev = projection(transient[index], own, shape[index])
    if shape_covariance is None:
        return amplitude, stddev
    noise = shape_covariance[np.ix_(index, index)]
    for _ in range(4):  # the weights depend weakly on the amplitude
        total = own + amplitude**2 * noise
        weighted = np.linalg.solve(total, shape[index])
        # s' W s is larger than with a shape without noise by the trace of W N
        information = float(weighted @ shape[index] - np.trace(np.linalg.solve(total, noise)))
        amplitude = float(weighted @ transient[index]) / information
        stddev = float(np.sqrt(weighted @ total @ weighted)) / abs(information)
    return amplitude, stddev
