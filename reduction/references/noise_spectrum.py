"""Noise of dwells beyond counting by the time between them, and what it does to a rhythm of laser on and off.

Dwells of one point and one laser state in a pass differ by counting and by noise; half the mean square of the
difference is the variogram of the noise (Matheron, Economic Geology 58, 1246 (1963)). Three parts describe it: noise
that is independent from dwell to dwell, noise of 1/f, and a random walk. An average over a dwell of length d has for
dwells that begin t apart the generalised covariance -(F(t + d) - 2 F(t) + F(t - d)) / d^2, with F'' = ln|t| for 1/f
and |t| / 2 for the walk, up to a constant that cancels in differences. Independent noise beyond that of a reading of
I0 is faster than a dwell, and falls as one over its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]

LAGS = 16
"""Dwells between two that are compared, at most."""
FEW_PAIRS = 8
"""Pairs from which on a lag counts."""
FITS = 3
TINY = 1e-300
WORTH = 4.0
"""Of chi-square, for one more part."""


@dataclass(frozen=True)
class Variogram:
    """By lag, shape (LAGS,); NaN where too few dwells are so far apart.

    Attributes
    ----------
    lag : ndarray, s
        Mean time between two dwells.
    variance, stddev : ndarray
        Half the mean square of the relative difference of two dwells, without counting, and its standard deviation.
    """

    lag: Array
    variance: Array
    stddev: Array


NONE = Variogram(*np.full((3, LAGS), np.nan))
"""Nothing is known."""


def variogram(rows: DwellRows) -> Variogram:
    """Variogram of the noise of all slots together; all NaN without times or without repeated dwells."""
    if rows.time is None:
        return NONE
    found = np.full((3, LAGS), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        photons, variance = rows.of_all_slots()
        level, counting = np.log(photons / rows.flux), variance / photons**2
    there = np.isfinite(level) & (rows.state != EMPTY) & np.isfinite(rows.time)
    for lag in range(1, min(LAGS, level.shape[1] - 1) + 1):
        low, high = (slice(None), slice(None, -lag)), (slice(None), slice(lag, None))
        pairs = there[low] & there[high] & (rows.state[low] == rows.state[high])
        pairs &= rows.pass_index[:-lag] == rows.pass_index[lag:]
        if (number := int(pairs.sum())) >= FEW_PAIRS:
            difference = level[high][pairs] - level[low][pairs]
            square = difference**2 / 2 - (counting[high][pairs] + counting[low][pairs]) / 2
            away = float(np.abs(rows.time[high][pairs] - rows.time[low][pairs]).mean())
            found[:, lag - 1] = away, square.mean(), square.std(ddof=1) / np.sqrt(number)
    return Variogram(*found)


def _independent(apart: Array, _: float) -> Array:
    return np.where(apart == 0, 1.0, 0.0)


def _second_difference(of: Array, dwell: float) -> Array:
    return np.asarray(-(of[2] - 2 * of[1] + of[0]) / dwell**2)


def _flicker(apart: Array, dwell: float) -> Array:
    x = np.abs(np.stack([apart - dwell, apart, apart + dwell]))
    return _second_difference(x**2 / 2 * np.log(np.where(x > 0, x, 1.0)) - 3 * x**2 / 4, dwell)


def _walk(apart: Array, dwell: float) -> Array:
    return _second_difference(np.abs(np.stack([apart - dwell, apart, apart + dwell])) ** 3 / 12, dwell)


PARTS = (_independent, _flicker, _walk)
CHOICES = ((1,), (0,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2))
"""Parts that are fitted together; of equal ones the first is taken."""


def _fitted(basis: Array, variance: Array, stddev: Array, chosen: tuple[int, ...]) -> tuple[float, Array]:
    """Chi-square with the price of its parts, and their sizes."""
    from scipy.optimize import nnls  # imported here: a reduction without advice starts sooner

    size, error, used = np.zeros(len(PARTS)), stddev, list(chosen)
    for _ in range(FITS):
        size[used] = nnls(basis[:, used] / error[:, None], variance / error)[0]
        error = stddev * np.maximum((basis @ size) / np.maximum(variance, TINY), 1.0)
    return float((((basis @ size - variance) / error) ** 2).sum()) + WORTH * len(used), size


@dataclass(frozen=True)
class NoiseSpectrum:
    """Sizes of the parts.

    Attributes
    ----------
    reading : float
        Variance of each dwell, however long.
    white : float
        Variance of a dwell of a second.
    flicker : float
        Of 1/f noise, variance within a factor e of frequency.
    walk : float
        Variance that a second adds.
    """

    reading: float
    white: float
    flicker: float
    walk: float

    @classmethod
    def of(cls, found: Variogram, dwell: float, i0_noise: float = 0.0) -> tuple[NoiseSpectrum, ...]:
        """Those that agree with the variogram of dwells of a length (s), the best first; none if nothing was measured.

        Beside the noise of readings there is one part, or two or three where the variogram needs them: each more has to
        lower chi-square by `WORTH`, since parts are hardly told apart by a few lags, and others agree that are worse by
        less. A variance is known the less the larger it is, so that each fit is repeated with errors by the fitted
        ones.
        """
        known = np.isfinite(found.variance) & (np.nan_to_num(found.stddev) > 0)
        if not known.any():
            return ()
        variance, stddev, none = found.variance[known], found.stddev[known], np.zeros(1)
        reading = min(i0_noise**2, max(float(variance.min()), 0.0))
        basis = np.stack([each(none, dwell) - each(found.lag[known], dwell) for each in PARTS], axis=1)
        fits = [
            _fitted(basis, variance - reading, stddev, chosen) for chosen in CHOICES if len(chosen) <= variance.size
        ]
        best = min(fits, key=lambda each: each[0])
        agreeing = [best, *(each for each in fits if each is not best and each[0] < best[0] + WORTH)]
        return tuple(cls(reading, float(size[0]) * dwell, *size[1:].tolist()) for _, size in agreeing)

    def of_rhythm(self, pattern: Sequence[int], dwell: float, spacing: float) -> float:
        """Relative standard deviation of independent dwells that would give on against off the same scatter.

        Parameters
        ----------
        pattern : sequence of int
            Laser states of a cycle, with both.
        dwell, spacing : float, s
            Length of a dwell, and time from the begin of one to that of the next.
        """
        on = np.array(pattern, bool)
        weight = np.where(on, 1 / max(on.sum(), 1), -1 / max((~on).sum(), 1))
        begin = spacing * np.arange(on.size)
        apart = np.abs(begin[:, None] - begin)
        sizes = (self.reading + self.white / dwell, self.flicker, self.walk)
        covariance = sum(size * part(apart, dwell) for size, part in zip(sizes, PARTS, strict=True))
        return float(np.sqrt(max(weight @ covariance @ weight, 0.0) / (weight @ weight)))
