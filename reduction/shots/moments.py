"""Means and variances by phase, from exact sums."""

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

    def variance(self) -> FloatArray:
        """Unbiased variance of the heights; NaN below two shots."""
        return _variance(self.number, self.squares, self.sums)


def _variance(number: IntArray, squares: IntArray, sums: IntArray) -> FloatArray:
    """(n Q - S S) / (n (n - 1)): the difference is exact, whatever the mean, in integers of any length if need be."""
    if max(_largest(number) * _largest(squares), _largest(sums) ** 2) < LARGEST:
        with np.errstate(invalid="ignore", divide="ignore"):
            exact = (number * squares - sums * sums) / (number * (number - 1))
        return np.where(number > 1, exact, np.nan)
    columns = zip(number.tolist(), squares.tolist(), sums.tolist(), strict=True)
    return np.array([(n * q - s * s) / (n * (n - 1)) if n > 1 else np.nan for n, q, s in columns])


def _largest(array: IntArray) -> int:
    return int(np.abs(array).max(initial=0))
