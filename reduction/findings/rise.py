"""The rise of the transient in slot 0: time zero and width of the response, with the other slots as reference.

At each delay the logarithm of the ratio of slot 0 to the other slots of the same shots is a constant before time zero,
and after it a decay of one lifetime and a step, through a Gaussian response. Constant and amplitudes are linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from reduction.traces.kinetics.model import decay

Array = NDArray[np.float64]

STARTS = (-60.0, 0.0, 60.0)
"""ps; time zero at which the search starts."""
AT_HEIGHT = 100.0
"""ps after time zero at which the height of the transient is given."""
SLOW = 1000.0
"""ps; a further lifetime that is not fitted: without it a slower decay shifts time zero."""
PRIOR, PRIOR_STDDEV = np.log([50.0, 200.0]), np.array([0.2, 0.8])
"""Logarithms of sigma and lifetime (ps) before any count: bunch and laser have some tens of ps. Counts that leave both
open would have time zero depend on how a few of them fell; counts that do not outweigh them."""
LOW, HIGH = np.array([-1500.0, np.log(5.0), np.log(30.0)]), np.array([1500.0, np.log(400.0), np.log(5000.0)])
"""Of time zero (ps) and of the logarithms of sigma and lifetime (ps)."""
CANDIDATES = np.concatenate([np.arange(-200.0, 401.0, 10.0), [500.0, 600.0, 800.0, 1000.0, 1300.0, 1600.0]])
"""ps after time zero; delays that more counts may have."""


@dataclass(frozen=True)
class Rise:
    """Fitted rise.

    Attributes
    ----------
    zero, zero_stddev, sigma, sigma_stddev : float, ps
    height, height_stddev : float
        Of the transient 100 ps after time zero, relative.
    chi_square, gain : float
        Of the fit, and by how much it is less than that of a constant.
    freedom : int
    x, curve : ndarray, shape (M,)
        Delays (ps) and the fitted curve.
    parameters, covariance : ndarray, shape (7,) and (7, 7)
        Time zero (ps), logarithms of sigma and lifetime (ps), the constant and the three amplitudes.
    """

    zero: float
    zero_stddev: float
    sigma: float
    sigma_stddev: float
    height: float
    height_stddev: float
    chi_square: float
    gain: float
    freedom: int
    x: Array
    curve: Array
    parameters: Array
    covariance: Array

    def best_delays(self, variance: float, number: int) -> Array:
        """Delays after time zero (ps) at which more counts, of this variance each, say most of time zero.

        One after the other, each the best beside all counts so far: the covariance of the parameters with one more
        count follows from that without it (Fedorov, Theory of Optimal Experiments, 1972).
        """
        x, amplitudes = self.parameters[:3], self.parameters[3:]
        slopes, covariance = _slopes(x, amplitudes, x[0] + CANDIDATES), self.covariance
        chosen = []
        for _ in range(number):
            spread = slopes @ covariance
            norm = variance + (spread * slopes).sum(axis=1)
            best = int(np.argmax(spread[:, 0] ** 2 / norm))
            covariance = covariance - np.outer(spread[best], spread[best]) / norm[best]
            chosen.append(CANDIDATES[best])
        return np.sort(chosen)


def fit_rise(delay: Array, value: Array, variance: Array, lifetime: tuple[float, float] | None = None) -> Rise:
    """Fit the rise.

    Parameters
    ----------
    delay : ndarray, shape (N,), ps
        Ascending with the time after the pump.
    value, variance : ndarray, shape (N,)
    lifetime : tuple of float, optional
        ps; lifetime of the transient's fast decay and its error, where that is known: time zero then needs half of the
        counts.
    """
    error = np.sqrt(variance)
    prior, prior_stddev = PRIOR.copy(), PRIOR_STDDEV.copy()
    if lifetime is not None:
        prior[1], prior_stddev[1] = np.log(lifetime[0]), lifetime[1] / lifetime[0]

    def linear(x: Array) -> Array:
        return np.asarray(np.linalg.lstsq(_basis(x, delay) / error[:, None], value / error, rcond=None)[0], np.float64)

    def residual(x: Array) -> Array:
        return np.append((value - _basis(x, delay) @ linear(x)) / error, (x[1:] - prior) / prior_stddev)

    found = min(
        (
            least_squares(residual, [start, np.log(50.0), np.log(300.0)], bounds=(LOW, HIGH), x_scale=[20.0, 0.3, 0.5])
            for start in STARTS
        ),
        key=lambda each: float(each.cost),
    )
    amplitudes = linear(found.x)
    covariance = _covariance(_slopes(found.x, amplitudes, delay) / error[:, None], prior_stddev)
    stddev = np.sqrt(np.diagonal(covariance))
    fine = np.linspace(delay.min(), delay.max(), 400)
    sigma = float(np.exp(found.x[1]))
    shape = _basis(found.x, found.x[:1] + AT_HEIGHT)[0] * np.array([0.0, 1.0, 1.0, 1.0])
    constant = (value / variance).sum() / (1 / variance).sum()
    gain = float(((value - constant) ** 2 / variance).sum()) - 2 * float(found.cost)
    return Rise(
        float(found.x[0]), float(stddev[0]), sigma, sigma * float(stddev[1]),
        float(shape @ amplitudes), float(np.sqrt(shape @ covariance[3:, 3:] @ shape)),
        2 * float(found.cost), gain, delay.size - 5, fine, _basis(found.x, fine) @ amplitudes,
        np.append(found.x, amplitudes), covariance,
    )  # fmt: skip


def _basis(x: Array, at: Array) -> Array:
    """The linear parts at some delays: the constant, both decays and the step; shape (N, 4)."""
    shifted, sigma = at - x[0], float(np.exp(x[1]))
    decays = (decay(shifted, each, sigma) for each in (np.exp(x[2]), SLOW, np.inf))
    return np.stack([np.ones_like(at), *decays], axis=1)


def _slopes(x: Array, amplitudes: Array, at: Array) -> Array:
    """Derivatives by the three nonlinear parameters, the constant and the three amplitudes; shape (N, 7)."""
    columns = []
    for index, step in enumerate((0.5, 1e-3, 1e-3)):
        move = np.zeros(3)
        move[index] = step
        columns.append((_basis(x + move, at) - _basis(x - move, at)) @ amplitudes / (2 * step))
    return np.concatenate([np.stack(columns, axis=1), _basis(x, at)], axis=1)


def _covariance(jacobian: Array, prior_stddev: Array) -> Array:
    """Covariance of all parameters from their derivatives over errors."""
    information = jacobian.T @ jacobian
    information[[1, 2], [1, 2]] += prior_stddev**-2
    return np.asarray(np.linalg.pinv(information), np.float64)
