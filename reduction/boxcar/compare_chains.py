"""Compares boxcar and counting on the same dwells: linearity, and which has the smaller error at this rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.statistics.quantiles import chi_square_interval, student_p_value

Array = NDArray[np.float64]


LEAST_RANGE = 100.0
"""Scatter of the rates from dwell to dwell, in counting errors, that a comparison needs."""


@dataclass(frozen=True)
class Linearity:
    """Boxcar signal against photons a pulse by counting, both over I0, ``a + b x + c x^2`` over all dwells.

    Attributes
    ----------
    intercept, slope : float
        Of the straight line: offset of the analogue chain, and volts a photon.
    slope_stddev, intercept_stddev : float
        From the scatter about the line.
    departure, departure_stddev : float
        By how much the curve lies below (-) or above (+) a straight line through zero rate at the highest rate,
        relative.
    p_value : float
        Probability of a departure as large if the chains are linear.
    dwells : int
    """

    intercept: float
    intercept_stddev: float
    slope: float
    slope_stddev: float
    departure: float
    departure_stddev: float
    p_value: float
    dwells: int

    @property
    def linear(self) -> bool:
        """Whether the data are compatible with a straight line."""
        return self.p_value > 1e-3


@dataclass(frozen=True)
class ErrorRatio:
    """Relative error of the transient by the boxcar over that by counting.

    Attributes
    ----------
    ratio : float
        Boxcar error over counting error, both relative to the chain's own edge; root mean square over the points.
    low, high : float
        Its 95 % interval: the boxcar's error comes from the scatter of few pairs.
    time : float
        Beam time that counting needs, in units of what the boxcar needs, for the same error.
    """

    ratio: float
    low: float
    high: float

    @property
    def time(self) -> float:
        return 1 / self.ratio**2

    @property
    def counting_is_better(self) -> bool | None:
        """True: counting is better; False: the boxcar is; None: not significant."""
        if self.low > 1:
            return True
        return False if self.high < 1 else None


def linearity(photons: Array, signal: Array, noise: float = 0.0) -> Linearity:
    """Compare dwell by dwell.

    Parameters
    ----------
    photons : ndarray, any shape
        Photons a pulse by counting, pile-up corrected; not divided by I0 to test for saturation of the boxcar.
    signal : ndarray, same shape
        Of the boxcar.
    noise : float
        Error (rms) of a dwell's photons from counting.

    Raises
    ------
    ValueError
        If both chains have fewer than five dwells in common, or all have the same rate.
    """
    good = np.isfinite(photons) & np.isfinite(signal)
    x, y = photons[good], signal[good]
    if x.size < 5:
        raise ValueError(f"{x.size} dwells measured by both chains are too few to compare them")
    # Errors of x reduce the slope by their fraction of the variance of x: below 1e-4 that does not matter.
    if not x.std() > max(1e-3 * np.abs(x).max(), LEAST_RANGE * noise):
        raise ValueError("all dwells have the same rate: linearity cannot be tested")
    line, line_covariance = _polynomial(x, y, 1)
    curve, covariance = _polynomial(x, y, 2)
    top = float(x.max())
    departure = curve[2] * top / curve[1]
    gradient = np.array([0.0, -curve[2] * top / curve[1] ** 2, top / curve[1]])
    stddev = float(np.sqrt(gradient @ covariance @ gradient))
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = abs(departure) / stddev
    return Linearity(
        float(line[0]), float(np.sqrt(line_covariance[0, 0])), float(line[1]), float(np.sqrt(line_covariance[1, 1])),
        float(departure), stddev, student_p_value(pull, x.size - 3), int(x.size),
    )  # fmt: skip


def _polynomial(x: Array, y: Array, degree: int) -> tuple[Array, Array]:
    """Coefficients, lowest first, and their covariance with the scatter of the residuals."""
    design = np.vander(x, degree + 1, increasing=True)
    inverse = np.linalg.inv(design.T @ design)
    solution = inverse @ (design.T @ y)
    residual = y - design @ solution
    return solution, inverse * float(residual @ residual) / (x.size - degree - 1)


def error_ratio(counting_stddev: Array, boxcar_stddev: Array, dof: int) -> ErrorRatio:
    """Compare the errors of a transient by both chains, in the same unit (edge integrals, or the laser-off signal).

    Parameters
    ----------
    counting_stddev, boxcar_stddev : ndarray, shape (N,)
    dof : int
        Of the boxcar's errors (pairs less one).

    Raises
    ------
    ValueError
        If no point has both.
    """
    good = (counting_stddev > 0) & (boxcar_stddev > 0)
    if not good.any() or dof < 1:
        raise ValueError("no point has an error from both chains")
    square = float(np.mean((boxcar_stddev[good] / counting_stddev[good]) ** 2))
    # Normalisation and jet noise correlate the points of a pair: half of them count as independent.
    low, high = chi_square_interval(square, dof * max(1.0, good.sum() / 2))
    return ErrorRatio(square**0.5, low**0.5, high**0.5)
