"""Noise common to all slots of a dwell: thickness of the jet, and changes of the flux that I0 does not measure.

It is estimated from the data in one of two ways:

* `noise_between_passes`: scatter of the laser-on/off contrast of each point from pass to pass. This is exactly the
  noise of an on/off comparison, whatever its spectrum.
* `noise_within_states`: scatter of the dwells of one point, pass and laser state, for a single pass. Of dwells that
  follow each other in one state, half of the mean squared difference is the variance of an on/off comparison
  on-off-off-on, for independent noise and for a random walk alike. Without enough of these the scatter of all dwells
  about their mean takes its place: for 1/f noise it is too large by an eighth, because the pattern cancels a drift and
  the scatter does not, so errors are too large rather than too small.

The noise of I0 that the settings give is its least value, unless the data contradict it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows, one_pass
from reduction.references.on_off import balanced

Array = NDArray[np.float64]

ENOUGH = 12
"""Pairs of dwells in one state, one after the other, that determine the noise."""
CONTRADICTS = 2.0
"""Standard deviations of its estimate by which the variance of a dwell is below that of the settings."""


@dataclass(frozen=True)
class Excess:
    """Relative variance of a dwell beyond counting, which may come out below zero, and its standard deviation."""

    variance: float
    stddev: float

    @property
    def noise(self) -> float:
        """Relative standard deviation of a dwell, 0 where there is no excess; NaN if unknown."""
        return float(np.sqrt(np.maximum(self.variance, 0.0)))

    def at_least(self, i0_noise: float) -> float:
        """The noise, or that of I0 if it is larger and the data do not contradict it."""
        contradicted = self.variance + CONTRADICTS * self.stddev < i0_noise**2
        return self.noise if contradicted else max(float(np.nan_to_num(self.noise)), i0_noise)


def dwell_noise(rows: DwellRows) -> Excess:
    """Noise of a dwell beyond counting, by the better of the two methods that the scan allows.

    NaN if unknown, for a single pass without repeated dwells.
    """
    between = noise_between_passes(rows)
    return noise_within_states(rows) if np.isnan(between.variance) else between


def noise_between_passes(rows: DwellRows) -> Excess:
    """From the scatter of on/off contrasts between passes; NaN if no point has two passes with both states."""
    contrasts, countings, factors = [], [], []
    for index in np.unique(rows.pass_index):
        of_pass = balanced(one_pass(rows, index))
        with np.errstate(invalid="ignore", divide="ignore"):
            rate, variance = of_pass.of_all_slots()
            level, counting = np.log(rate), variance / rate**2
        contrasts.append(level[ON] - level[OFF])
        countings.append(counting.sum(axis=0))
        factors.append(of_pass.variance_factor.sum(axis=0))
    return excess(np.array(contrasts).T, np.array(countings).T, np.array(factors).T)


def noise_within_states(rows: DwellRows) -> Excess:
    """From dwells in one state that follow each other, else from all in one state; NaN without repeated dwells."""
    with np.errstate(invalid="ignore", divide="ignore"):
        photons, variance = rows.of_all_slots()
        level, counting = np.log(photons / rows.flux), variance / photons**2
    known = np.isfinite(level)
    alike = (rows.state[:, :-1] == rows.state[:, 1:]) & (np.diff(rows.pass_index) == 0) & known[:, :-1] & known[:, 1:]
    point, at = np.nonzero(alike & (rows.state[:, 1:] != EMPTY))
    if point.size >= ENOUGH:
        pairs = point[:, None], np.stack([at, at + 1], axis=1)
        return excess(level[pairs], counting[pairs], np.ones(pairs[1].shape))
    groups = [
        (rows.state == laser) & (rows.pass_index == index)
        for index in np.unique(rows.pass_index)
        for laser in (OFF, ON)
    ]
    stacked = np.concatenate([np.where(group, level, np.nan) for group in groups])
    return excess(stacked, np.tile(counting, (len(groups), 1)), np.ones_like(stacked))


def excess(values: Array, counting: Array, variance_factor: Array) -> Excess:
    """Variance of a dwell from the scatter of `values` (groups, members) about their group's mean.

    Values that are not finite do not count. The variance of a member is ``counting + variance_factor * result``.
    """
    member = np.isfinite(values)
    number = member.sum(axis=1, keepdims=True)
    member &= number > 1
    remaining = 1 - 1 / np.maximum(number, 1)
    mean = np.where(member, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(number, 1)
    squares = (np.where(member, values - mean, 0.0) ** 2).sum()
    counting, factor = np.where(member, counting, 0.0), np.where(member, variance_factor, 0.0)
    per_dwell = (remaining * factor).sum()
    if not per_dwell > 0:
        return Excess(float("nan"), float("nan"))
    variance = float((squares - (remaining * counting).sum()) / per_dwell)
    each = counting + factor * max(variance, 0.0)  # chi-square has the variance 2 for each degree of freedom
    return Excess(variance, float(np.sqrt(2 * (remaining * each**2).sum()) / per_dwell))
