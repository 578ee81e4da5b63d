"""Mean and variance by phase of float32 heights, merged without loss of precision (Chan, Golub and LeVeque 1979)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.shots.kernels import floats
from reduction.shots.kernels.layout import float_row

FloatArray = NDArray[np.float64]


class Scatter:
    """Number, mean and sum of squared deviations of heights by phase.

    Parameters
    ----------
    num_phases : int
    """

    def __init__(self, num_phases: int) -> None:
        self.number = np.zeros(num_phases, np.int64)
        self.mean = np.zeros(num_phases)
        self.deviations = np.zeros(num_phases)

    def add(self, heights: NDArray[np.float32], first_phase: int) -> None:
        """Add consecutive heights.

        Raises
        ------
        ValueError
            If they are not contiguous float32, if there are none, or if the first phase is outside the pattern.
        """
        num_phases = self.mean.size
        if heights.dtype != np.float32 or heights.ndim != 1 or not heights.flags.c_contiguous or heights.size == 0:
            raise ValueError(f"heights are {heights.dtype} of shape {heights.shape}, not a contiguous row of float32")
        if not 0 <= first_phase < num_phases:
            raise ValueError(f"first phase {first_phase} is outside the pattern of {num_phases} phases")
        block = Scatter(num_phases)
        origin, sums, squares = np.zeros(num_phases), np.zeros(num_phases), np.zeros(num_phases)
        known = heights[:num_phases]
        origin[: known.size] = known
        floats.sum_deviations(heights, num_phases, float_row(num_phases), origin, sums, squares)
        turns, rest = divmod(heights.size, num_phases)
        block.number += turns
        block.number[:rest] += 1
        some = np.maximum(block.number, 1)
        block.mean, block.deviations = origin + sums / some, squares - sums * sums / some
        for name in ("number", "mean", "deviations"):
            setattr(block, name, np.roll(getattr(block, name), first_phase))
        self.merge(block)

    def merge(self, other: Scatter) -> None:
        """Add the heights of another `Scatter`."""
        number = self.number + other.number
        some = np.maximum(number, 1)
        apart = other.mean - self.mean
        self.mean = self.mean + apart * other.number / some
        self.deviations = self.deviations + other.deviations + apart**2 * self.number * other.number / some
        self.number = number

    def result(self) -> tuple[FloatArray, FloatArray]:
        """Mean and unbiased variance by phase, shape (P,); NaN where there are too few heights."""
        mean = np.where(self.number > 0, self.mean, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return mean, np.where(self.number > 1, self.deviations / (self.number - 1), np.nan)
