"""Photons per gate from hits and gates, for findings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def photons_per_gate(hits: ArrayLike, gates: ArrayLike) -> tuple[Array, Array]:
    """Mean photons per gate, ``-ln(1 - k / n)``, and its variance ``k / (n (n - k))``; same shape.

    Without a hit the variance is that of one; with a hit in every gate both are infinite, without gates NaN.
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(gates, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = -np.log1p(-k / n)
        variance = np.maximum(k, 1.0) / (n * (n - k))
    return np.asarray(mean), np.asarray(np.where(k < n, variance, np.where(n > 0, np.inf, np.nan)))


def with_scatter(residual: Array, value: Array, variance: Array, freedom: int) -> Array:
    """Variance with a relative scatter of the points added, such that chi-square is its degrees of freedom.

    A jet scatters by a percent from count to count, more than the counts do. Without excess scatter nothing is added.

    Parameters
    ----------
    residual, value, variance : ndarray, shape (N,)
        Measured minus fitted, fitted, and counting variance.
    freedom : int
    """

    def excess(scatter: float) -> float:
        return float((residual**2 / (variance + (scatter * value) ** 2)).sum()) - freedom

    low, high = 0.0, 1.0
    if freedom < 1 or excess(low) <= 0:
        return variance
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return np.asarray(variance + (high * value) ** 2)
