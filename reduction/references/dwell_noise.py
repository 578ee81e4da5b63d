"""Noise common to all slots of a dwell: thickness of the jet, and changes of the flux that I0 does not measure.

It is estimated from the data in one of two ways:

* `noise_between_passes`: scatter of the laser-on/off contrast of each point from pass to pass, and within passes that
  repeat their pattern of dwells from one part to the next. This is exactly the noise of an on/off comparison, whatever
  its spectrum.
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
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]

ENOUGH = 12
"""Pairs of dwells in one state, one after the other, that determine the noise."""
TINY = 1e-300
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
    """From the scatter of on/off contrasts between passes or their parts; NaN if no point has two with both states."""
    parts, (photons, variance) = parts_of_passes(rows), rows.of_all_slots()
    order = np.argsort(parts, kind="stable")
    begins = np.flatnonzero(np.diff(parts[order], prepend=-1))

    def of_parts(laser: int) -> list[Array]:
        """Logarithm of the rate, its variance from counting, and that from a variance of 1 in each dwell."""
        exposure = np.where(rows.state == laser, rows.exposure, 0.0)
        counts = np.where(exposure > 0, rows.weight * photons, 0.0)
        counting = np.where(exposure > 0, rows.weight**2 * variance, 0.0)
        each = [one[:, order] for one in (exposure, exposure**2, counts, counting)]
        total, squares, count, of_count = (np.add.reduceat(one, begins, axis=1) for one in each)
        with np.errstate(invalid="ignore", divide="ignore"):
            return [np.log(count / total), of_count / count**2, squares / total**2]

    off, on = map(of_parts, (OFF, ON))
    return excess(on[0] - off[0], on[1] + off[1], on[2] + off[2])


def parts_of_passes(rows: DwellRows) -> NDArray[np.int64]:
    """Number of the part of a pass that each row belongs to, shape (R,): whole repetitions of its pattern of dwells.

    Parts have 1, 1, 2, 4, ... of them: all points have the first ones, and few parts are enough for the longest.
    """
    found, begin = np.empty(rows.pass_index.size, np.int64), 0
    fullest = rows.state[(rows.state != EMPTY).sum(axis=1).argmax()]
    for index in np.unique(rows.pass_index):
        mine = np.flatnonzero(rows.pass_index == index)
        part = np.frexp(np.arange(mine.size) // _cycle(fullest[mine]))[1]
        found[mine], begin = begin + part, begin + int(part[-1]) + 1
    return found


def _cycle(states: NDArray[np.int8]) -> int:
    """Dwells after which laser states repeat; all of them if they never do."""
    for length in range(2, states.size // 2 + 1):
        same = states.size % length == 0 and (states == np.resize(states[:length], states.size)).all()
        if same and {OFF, ON} <= set(states[:length].tolist()):
            return length
    return int(states.size)


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

    Values that are not finite do not count. The variance of a member is ``counting + variance_factor * result``, by
    which members are weighted, after a first result without weights.
    """
    member = np.isfinite(values)
    member &= member.sum(axis=1, keepdims=True) > 1
    counting, factor = np.where(member, counting, 0.0), np.where(member, variance_factor, 0.0)
    first = _weighted_excess(np.where(member, values, 0.0), counting, factor, np.where(member, 1.0, 0.0))
    if np.isnan(first.variance):
        return first
    weight = np.where(member, 1 / np.maximum(counting + factor * max(first.variance, 0.0), TINY), 0.0)
    return _weighted_excess(np.where(member, values, 0.0), counting, factor, weight)


def _weighted_excess(values: Array, counting: Array, factor: Array, weight: Array) -> Excess:
    total = np.maximum(weight.sum(axis=1, keepdims=True), TINY)
    mean = (weight * values).sum(axis=1, keepdims=True) / total
    kept = weight * (1 - weight / total)
    per_dwell = float((kept * factor).sum())
    if not per_dwell > 0:
        return Excess(float("nan"), float("nan"))
    variance = float(((weight * (values - mean) ** 2).sum() - (kept * counting).sum()) / per_dwell)
    each = counting + factor * max(variance, 0.0)  # chi-square has the variance 2 for each degree of freedom
    return Excess(variance, float(np.sqrt(2 * (weight * kept * each**2).sum()) / per_dwell))
