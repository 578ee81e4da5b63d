"""Steady drift of a pass from the dwells inside its points: imprecise, but available in any scan.

A point is measured for a few seconds, and the energy stands still meanwhile: a rate that changes between its first and
its last dwell is drift, or noise of the jet. The mean over all points, scaled to the length of the pass, shows how much
a steady drift may have bent a spectrum for which nothing better is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows, one_pass

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SteadyDrift:
    """Relative change of the thickness from the beginning to the end of a pass, mean of the passes.

    Attributes
    ----------
    change, stddev : float
        The standard deviation is that of the scatter between points, noise of the jet included.
    """

    change: float
    stddev: float

    @property
    def limit(self) -> float:
        """Largest change in either direction at two standard deviations."""
        return abs(self.change) + 2 * self.stddev


def steady_drift(rows: DwellRows) -> SteadyDrift | None:
    """Steady drift from the changes within points; None if fewer than three points have repeated dwells of one state.

    Parameters
    ----------
    rows : DwellRows
        With their times.
    """
    if rows.time is None:
        return None
    slopes, weights, lengths = [], [], []
    for index in np.unique(rows.pass_index):
        mine = one_pass(rows, index)
        slope, weight = _slopes(mine)
        assert mine.time is not None  # as in `rows`
        taken = mine.time[mine.state != EMPTY]
        if not taken.size:
            continue
        slopes.append(slope)
        weights.append(weight)
        lengths.append(np.ptp(taken))
    if not slopes:
        return None
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    if np.count_nonzero(weight) < 3:
        return None
    mean = float(weight @ slope / weight.sum())
    number = np.count_nonzero(weight)
    variance = float((weight**2) @ (slope - mean) ** 2) / weight.sum() ** 2 * number / (number - 1)
    length = float(np.mean(lengths))
    return SteadyDrift(mean * length, float(np.sqrt(variance)) * length)


def fast_noise(rows: DwellRows) -> float:
    """Relative standard deviation of a dwell by noise that is not the drift, from dwells of a point in one laser state.

    Half of the mean squared difference of two such dwells, counting subtracted, grows with the time between them if
    the thickness walks away. Its value extrapolated to no time is the noise. NaN without two distances in time.
    """
    apart, squares = [], []
    for index in np.unique(rows.pass_index):
        mine = without_steady_drift(one_pass(rows, index))
        assert mine.time is not None  # checked before
        with np.errstate(invalid="ignore", divide="ignore"):
            photons, variance = mine.of_all_slots()
            level, counting = np.log(photons / mine.flux), variance / photons**2
        for first, second in combinations(range(level.shape[1]), 2):
            pair = (mine.state[:, first] == mine.state[:, second]) & (mine.state[:, first] != EMPTY)
            pair &= np.isfinite(level[:, [first, second]]).all(axis=1)
            apart.append(np.abs(mine.time[pair, second] - mine.time[pair, first]))
            difference = level[pair, second] - level[pair, first]
            squares.append((difference**2 - counting[pair, first] - counting[pair, second]) / 2)
    time, square = np.concatenate(apart or [np.empty(0)]), np.concatenate(squares or [np.empty(0)])
    if not time.size or np.ptp(time) < 0.5 * time.mean():
        return float("nan")
    centred = time - time.mean()
    slope = max(0.0, float(centred @ square / (centred @ centred)))
    return float(np.sqrt(max(0.0, square.mean() - slope * time.mean())))


def without_steady_drift(rows: DwellRows) -> DwellRows:
    """Dwells of one pass without its steady drift, so that this is not taken for noise of dwells."""
    slope, weight = _slopes(rows)
    assert rows.time is not None  # checked before
    if not weight.any():
        return rows
    mean = float(weight @ slope / weight.sum())
    factor = np.exp(-mean * (np.nan_to_num(rows.time) - np.nanmean(rows.time)))[..., None]
    return replace(rows, slot_mu=rows.slot_mu * factor, slot_var=rows.slot_var * factor**2)


def _slopes(rows: DwellRows) -> tuple[Array, Array]:
    """Slope of the logarithm of the rate at each point (1/s), and its weight (s^2), 0 without any; shape (N,).

    Laser on and off have levels of their own.
    """
    assert rows.time is not None  # checked before
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.log(rows.of_all_slots()[0] / rows.flux)
    products, weight = np.zeros(len(level)), np.zeros(len(level))
    for laser in (OFF, ON):
        counts = (rows.state == laser) & np.isfinite(level) & np.isfinite(rows.time)
        number = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        time = np.where(counts, rows.time, 0.0)
        time = np.where(counts, time - time.sum(axis=1, keepdims=True) / number, 0.0)
        products += (time * np.where(counts, level, 0.0)).sum(axis=1)
        weight += (time**2).sum(axis=1)
    return np.divide(products, weight, out=np.zeros_like(products), where=weight > 0), weight
