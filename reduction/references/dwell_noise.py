"""Noise common to all slots of a dwell: thickness of the jet, and changes of the flux that I0 does not measure.

It is estimated from the data in one of two ways:

* `noise_between_passes`: scatter of the laser-on/off contrast of each point from pass to pass. This is exactly the
  noise of an on/off comparison, whatever its spectrum.
* `noise_within_states`: scatter of the dwells of one point, pass and laser state about their mean, for a single pass.
  It assumes independent noise of successive dwells. For 1/f noise and dwells on-off-off-on it is too large by an
  eighth, because the pattern cancels a drift and the scatter does not: errors are too large rather than too small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import DwellRows, one_pass
from reduction.references.on_off import balanced

Array = NDArray[np.float64]


def dwell_noise(rows: DwellRows) -> float:
    """Relative standard deviation of a dwell beyond counting, by the better of the two methods that the scan allows.

    0 where there is none; NaN if unknown, for a single pass without repeated dwells.
    """
    between = noise_between_passes(rows)
    return noise_within_states(rows) if np.isnan(between) else between


def noise_between_passes(rows: DwellRows) -> float:
    """From the scatter of on/off contrasts between passes; NaN if no point has two passes with both states."""
    contrasts, countings, factors = [], [], []
    for index in np.unique(rows.pass_index):
        of_pass = balanced(one_pass(rows, index))
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.log(of_pass.rate.sum(axis=1))
            counting = of_pass.variance.sum(axis=1) / of_pass.rate.sum(axis=1) ** 2
        contrasts.append(level[ON] - level[OFF])
        countings.append(counting.sum(axis=0))
        factors.append(of_pass.variance_factor.sum(axis=0))
    return _excess_stddev(np.array(contrasts).T, np.array(countings).T, np.array(factors).T)


def noise_within_states(rows: DwellRows) -> float:
    """From the scatter of dwells in one state; NaN without repeated dwells."""
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.log((rows.slot_mu / rows.flux[:, :, None]).sum(axis=2))
        counting = rows.slot_var.sum(axis=2) / rows.slot_mu.sum(axis=2) ** 2
    groups = [
        (rows.state == laser) & (rows.pass_index == index)
        for index in np.unique(rows.pass_index)
        for laser in (OFF, ON)
    ]
    stacked = np.concatenate([np.where(group, level, np.nan) for group in groups])
    return _excess_stddev(stacked, np.tile(counting, (len(groups), 1)), np.ones_like(stacked))


def _excess_stddev(values: Array, counting: Array, variance_factor: Array) -> float:
    """Standard deviation of a dwell from the scatter of `values` (groups, members) about their group's mean.

    Values that are not finite do not count. The variance of a member is ``counting + variance_factor * result**2``.
    """
    member = np.isfinite(values)
    number = member.sum(axis=1, keepdims=True)
    member &= number > 1
    remaining = np.where(member, 1 - 1 / np.maximum(number, 1), 0.0)
    mean = np.where(member, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(number, 1)
    squares = (np.where(member, values - mean, 0.0) ** 2).sum()
    expected = (remaining * np.where(member, counting, 0.0)).sum()
    per_dwell = (remaining * np.where(member, variance_factor, 0.0)).sum()
    if not per_dwell > 0:
        return float("nan")
    return float(np.sqrt(max(0.0, (squares - expected) / per_dwell)))
