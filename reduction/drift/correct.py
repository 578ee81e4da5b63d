"""Takes the drift of the sample out of the dwells of an energy scan; what remains of it becomes part of the errors.

The drift is that of the thickness: a factor common to laser on and off and to all slots. It is determined by what is
visited more than once: monitor energies within a pass, and the points of the grid in repeated passes. A monitor dwell
and the mean of a point's laser-on and laser-off dwells are visits of `reduction.drift.model`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows, one_pass, only
from reduction.drift.fit import Drift, fit_drift
from reduction.drift.model import Visits
from reduction.drift.within_points import fast_noise, without_steady_drift
from reduction.references.dwell_noise import dwell_noise
from reduction.references.on_off import balanced, summed
from reduction.statistics.matrix_root import matrix_root

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

CONTRAST = 1.4
"""Noise of dwells from the contrast of laser on and off over that of `fast_noise`, for 1/f noise."""
LEAST_JET = 0.2
"""Least noise of the jet, in noise of one I0 reading."""
LEAST_FREEDOM = 3
"""Visits beyond those that levels of energies and passes need, for a drift to be fitted."""


@dataclass(frozen=True)
class WithoutDrift:
    """A scan without its drift; axes P passes, N points.

    Attributes
    ----------
    rows : DwellRows
    root : ndarray, shape (N, M)
        Relative change of all rates of a point by one standard deviation of each of M parameters common to laser on and
        off and to all slots: drift beyond what counting and noise of dwells already contribute.
    time, curve, stddev : ndarray, shape (P, N)
        Time of each visit (s), logarithm of the thickness and its standard deviation; NaN for missing points.
    by_monitors : bool
        Whether monitor energies were visited.
    slope_separated : bool
        Whether a slope common to all passes is determined.
    """

    rows: DwellRows
    root: Array
    time: Array
    curve: Array
    stddev: Array
    by_monitors: bool
    slope_separated: bool

    @property
    def rms(self) -> tuple[float, float]:
        """Root of the mean square of the curve about the mean of each pass, and typical standard deviation."""
        centred = self.curve - np.nanmean(self.curve, axis=1, keepdims=True)
        return float(np.sqrt(np.nanmean(centred**2))), float(np.sqrt(np.nanmean(self.stddev**2)))


def correct_drift(rows: DwellRows, usable: Flags, monitors: DwellRows | None, i0_noise: float) -> WithoutDrift | None:
    """Take the drift out of a scan; None if nothing is visited twice, or times are unknown.

    Parameters
    ----------
    rows : DwellRows
    usable : ndarray of bool, shape (N,)
        Points with rates above zero in every slot, laser on and off.
    monitors : DwellRows, optional
        Dwells at the monitor energies.
    i0_noise : float
        Relative standard deviation of one I0 reading: the least that the noise of a dwell can be.
    """
    if rows.time is None or not np.isfinite(rows.time[rows.state != EMPTY]).all():
        return None
    steady = without_steady_drift(rows) if np.unique(rows.pass_index).size == 1 else rows
    seen = dwell_noise(only(steady, usable))
    noise = float(np.nan_to_num(seen.noise))
    placed = rows if rows.neighbours is None else _at_mean_times(rows)
    visits = _visits(placed, usable, monitors, seen.at_least(i0_noise))
    if not _is_repeated(visits):
        return None
    fast = fast_noise(only(rows, usable))
    fast = noise / CONTRAST if np.isnan(fast) else max(fast, noise / CONTRAST / 2)  # of few dwells it may be 0
    jet = np.sqrt(max(fast**2 - i0_noise**2, (LEAST_JET * i0_noise) ** 2, 1e-10))
    found = _corrected(placed, usable, visits, float(jet), monitors is not None)
    return replace(found, rows=replace(found.rows, time=rows.time))


def _at_mean_times(rows: DwellRows) -> DwellRows:
    """Dwells of sweeps, each of which passes the whole grid: a point of a pass sees the mean drift of its sweeps.

    That is a curve over the mean of their times, which are as far from it for all points.
    """
    assert rows.time is not None  # checked before
    time = rows.time.copy()
    for index in np.unique(rows.pass_index):
        mine = rows.pass_index == index
        time[:, mine] = _time_of_points(one_pass(rows, index))[:, None]
    return replace(rows, time=time)


def _visits(rows: DwellRows, usable: Flags, monitors: DwellRows | None, noise: float) -> Visits:
    """Visits of the points, numbered by their index on the grid, and of the monitor energies after these."""
    states = [OFF, ON] if (rows.state == ON).any() else [OFF]
    parts = [
        _visits_of_points(one_pass(rows, index), int(index), states, usable, noise)
        for index in np.unique(rows.pass_index)
    ]
    if monitors is not None:
        of_monitors = _visits_of_monitors(monitors, usable.size, noise)
        parts.append(
            of_monitors.only(np.isin(of_monitors.pass_index, np.concatenate([each.pass_index for each in parts])))
        )
    visits = Visits(*(np.concatenate([getattr(each, one.name) for each in parts]) for one in fields(Visits)))
    return visits.only(np.lexsort((visits.time, visits.pass_index)))


def _visits_of_points(rows: DwellRows, index: int, states: list[int], usable: Flags, noise: float) -> Visits:
    """Points of one pass that have all laser states of the scan."""
    mean = balanced(rows) if len(states) > 1 else summed(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, counting = mean.of_all_slots()
        level = np.log(rate[states]).mean(axis=0)
        variance = counting / rate**2 + noise**2 * mean.variance_factor
        variance = variance[states].sum(axis=0) / len(states) ** 2
    point = np.flatnonzero(usable & np.isfinite(level) & (variance > 0))
    time = _time_of_points(rows)[point]
    return Visits(np.full(point.size, index), point, time, level[point], variance[point], _lengths(rows)[point])


def _time_of_points(rows: DwellRows) -> Array:
    """Mean time of the dwells of each point, shape (N,); NaN without any."""
    assert rows.time is not None  # checked before
    counts = rows.state != EMPTY
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counts, rows.time, 0.0).sum(axis=1) / counts.sum(axis=1))


def _lengths(rows: DwellRows) -> Array:
    """Seconds from the begin of the first to the end of the last dwell of each point, shape (N,)."""
    assert rows.time is not None  # checked before
    counts = rows.state != EMPTY
    number = counts.sum(axis=1)
    first = np.where(counts, rows.time, np.inf).min(axis=1)
    last = np.where(counts, rows.time, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(number > 1, (last - first) * number / np.maximum(number - 1, 1), 0.0)


def _visits_of_monitors(monitors: DwellRows, points: int, noise: float) -> Visits:
    assert monitors.time is not None  # of an accumulator
    total, counting = monitors.of_all_slots()
    with np.errstate(invalid="ignore"):
        counts = (monitors.state == OFF) & (total > 0) & np.isfinite(monitors.time)
    energy, row = np.nonzero(counts)
    level = np.log(total[energy, row] / monitors.flux[energy, row])
    variance = counting[energy, row] / total[energy, row] ** 2 + noise**2
    time = monitors.time[energy, row]
    return Visits(monitors.pass_index[row], points + energy, time, level, variance, np.zeros_like(time))


def _is_repeated(visits: Visits) -> bool:
    """Whether repeats connect all passes and leave enough degrees of freedom."""
    levels = np.unique(visits.effect).size + np.unique(visits.pass_index).size - 1
    return visits.level.size - levels >= LEAST_FREEDOM and visits.connected


def _corrected(rows: DwellRows, usable: Flags, visits: Visits, jet: float, by_monitors: bool) -> WithoutDrift:
    assert rows.time is not None  # checked before
    effects, effect = np.unique(visits.effect, return_inverse=True)
    compact = replace(visits, effect=effect)
    passes = np.unique(visits.pass_index)
    points = rows.state.shape[0]
    mine = [np.flatnonzero(rows.pass_index == index) for index in passes]
    of_point = np.stack([_time_of_points(one_pass(rows, index)) for index in passes])
    taken = np.where(rows.state != EMPTY, rows.time, np.nan)
    ends = np.array([(np.nanmin(taken[:, columns]), np.nanmax(taken[:, columns])) for columns in mine])
    wanted = np.concatenate([np.where(np.isfinite(of_point), of_point, ends[:, :1]), ends], axis=1)
    drift = fit_drift(compact, wanted, jet)
    factor = np.where(rows.state != EMPTY, np.exp(-drift.curve.mean()), 1.0)  # of a pass without any complete point
    for number, columns in enumerate(mine):
        order = np.argsort(wanted[number])
        curve = np.interp(rows.time[:, columns], wanted[number, order], drift.curve[number, order])
        factor[:, columns] = np.where(rows.state[:, columns] != EMPTY, np.exp(-curve), 1.0)
    corrected = replace(
        rows,
        slot_mu=rows.slot_mu * factor[..., None],
        ground=None if rows.ground is None else rows.ground.scaled(factor),
        slot_var=rows.slot_var * factor[..., None] ** 2,
        slot_shift=rows.slot_shift * factor[..., None, None],
    )
    there = np.isfinite(of_point)
    curve, stddev = (np.where(there, each[:, :points], np.nan) for each in (drift.curve, drift.stddev))
    root = _root(drift, compact, effects, points)
    return WithoutDrift(corrected, root, of_point, curve, stddev, by_monitors, drift.slope_separated)


def _root(drift: Drift, visits: Visits, effects: NDArray[np.int64], points: int) -> Array:
    """Root of the covariance of the points' levels beyond that of counting and noise of dwells, shape (N, M)."""
    on_grid = effects < points
    weight = np.bincount(visits.effect, 1 / visits.variance)[on_grid]
    centred = np.eye(weight.size) - 1 / weight.size
    known = drift.covariance[np.ix_(on_grid, on_grid)]
    beyond = centred @ (known - np.diag(1 / weight)) @ centred
    root = np.zeros((points, weight.size))
    root[effects[on_grid]] = matrix_root(beyond)
    return root
