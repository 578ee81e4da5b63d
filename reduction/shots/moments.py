"""Means, variances and covariances by phase, from exact sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


LARGEST = 2**62
"""Products below this, and differences of two such products, are exact in 64 bits."""


@dataclass(frozen=True)
class Moments:
    """Sums of heights and of the monitor by phase, shape (P,), ADC units; zeros where there is no such channel.

    Attributes
    ----------
    number : ndarray of int64
        Shots.
    sums, squares, monitor_sums, monitor_squares, products : ndarray of int64
        Sums of heights, of their squares, of the monitor, of its squares, of the products of both.
    """

    number: IntArray
    sums: IntArray
    squares: IntArray
    monitor_sums: IntArray
    monitor_squares: IntArray
    products: IntArray

    def mean(self) -> FloatArray:
        """Mean height; NaN where there is no shot."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sums / self.number

    def monitor_mean(self) -> FloatArray:
        """Mean of the monitor; NaN where there is no shot."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.monitor_sums / self.number

    def variance(self) -> FloatArray:
        """Unbiased variance of the heights; NaN below two shots."""
        return _covariance(self.number, self.squares, self.sums, self.sums)

    def monitor_variance(self) -> FloatArray:
        """Unbiased variance of the monitor; NaN below two shots."""
        return _covariance(self.number, self.monitor_squares, self.monitor_sums, self.monitor_sums)

    def covariance(self) -> FloatArray:
        """Unbiased covariance of heights and monitor; NaN below two shots."""
        return _covariance(self.number, self.products, self.sums, self.monitor_sums)


def _covariance(number: IntArray, products: IntArray, first: IntArray, second: IntArray) -> FloatArray:
    """(n P - A B) / (n (n - 1)): the difference is exact, whatever the mean, in integers of any length if need be."""
    largest = max(_largest(number) * _largest(products), _largest(first) * _largest(second))
    if largest < LARGEST:
        with np.errstate(invalid="ignore", divide="ignore"):
            exact = (number * products - first * second) / (number * (number - 1))
        return np.where(number > 1, exact, np.nan)
    columns = zip(number.tolist(), products.tolist(), first.tolist(), second.tolist(), strict=True)
    return np.array([(n * p - a * b) / (n * (n - 1)) if n > 1 else np.nan for n, p, a, b in columns])


def _largest(array: IntArray) -> int:
    return int(np.abs(array).max(initial=0))
