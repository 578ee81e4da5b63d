"""Currents of the bunches while each dwell was counted, from what was read with all dwells.

A fill-pattern record is updated every few seconds, so that its reading is older than the dwell it came with, or younger
than its beginning. The current of a bunch is therefore interpolated between all readings of a pass, and averaged over
the dwell. Only the share of a bunch in the total current is used: I0 measures the total.

Errors have three parts (see `reduction.counting.current_errors`): noise of the readings, which dwells that share a
reading have in common; changes since the nearest readings, which grow with their age; and jumps. A top-up that fills
one bunch jumps at an unknown time between two readings, every time being as likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.currents import CurrentStore

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

NOISE = 5e-3
"""Relative noise of a reading where there are too few to find it."""
LEAST_READINGS = 6
"""Readings of a pass from which the noise is found."""
POOLED = 10
"""Readings for which the noise common to all bunches counts in that of each."""
JUMP = 5.0
"""Standard deviations of a difference between two readings above which it is a jump."""
LEAST_JUMP = 2e-3
"""Relative; smaller changes between two readings are followed by the interpolation alone."""
PIECES, MOMENTS = 8, 16
"""Pieces of a dwell over which a current is averaged, and possible times of a jump."""
TO_STDDEV = 1 / 0.6745
"""From the median of absolute values to the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class PassReadings:
    """Readings of one pass in the order of time, and how its dwells are interpolated between them; D dwells.

    Attributes
    ----------
    time : ndarray, shape (Q,), s
    log : ndarray, shape (Q, B)
    point, row : ndarray of int, shape (D,)
    moments : ndarray, shape (D, K), s
        Middles of K pieces of each dwell.
    index, weight : ndarray, shape (D, 2 K)
        Readings that a dwell is a mean of, and their weights.
    age : ndarray, shape (D,), s
        Time for which the current may have changed unseen: to the nearest reading, or less between two.
    distance : ndarray, shape (D,), s
        To the nearest reading.
    """

    time: Array
    log: Array
    point: IntArray
    row: IntArray
    moments: Array
    index: IntArray
    weight: Array
    age: Array
    distance: Array


def pass_readings(store: CurrentStore, rows: list[int], middle: Array, seconds: Array, came: Array) -> PassReadings:
    """Collect the readings of one pass.

    Parameters
    ----------
    store : CurrentStore
    rows : list of int
        Rows of the pass.
    middle, seconds : ndarray, shape (N, R)
        Middle of each dwell and its length, s; NaN where unknown.
    came : ndarray of bool, shape (N, R)
        Whether there is a dwell.
    """
    own = np.array([[r, p] for r in rows if r in store.log for p in np.flatnonzero(~np.isnan(store.log[r][:, 0]))])
    own = own.reshape(-1, 2)
    measured = np.array([store.time[r][p] for r, p in own])
    measured = np.where(np.isnan(measured), middle[own[:, 1], own[:, 0]], measured)
    if np.isnan(measured).any():  # documents without times: each dwell has its own reading
        measured = np.arange(len(own), dtype=np.float64)
    time, first, number = np.unique(measured, return_index=True, return_inverse=True)
    log = np.array([store.log[r][p] for r, p in own[first]]).reshape(time.size, -1)
    point, column = np.nonzero(came[:, rows])
    row = np.array(rows)[column]
    pieces = (np.arange(PIECES) + 0.5) / PIECES - 0.5
    moments = middle[point, row][:, None] + np.nan_to_num(seconds[point, row])[:, None] * pieces
    index, weight, age, distance = _interpolated(time, moments)
    at = {(int(p), int(r)): int(n) for (r, p), n in zip(own, number, strict=True)}
    alone = [d for d, (p, r) in enumerate(zip(point, row, strict=True)) if _is_own(store, int(p), int(r), moments[d])]
    for d in alone:
        found = at.get((int(point[d]), int(row[d])))
        if found is not None:
            index[d], weight[d], age[d] = found, 1 / index.shape[1], 0.0
    return PassReadings(time, log, point, row, moments, index, weight, age, distance)


def _is_own(store: CurrentStore, point: int, row: int, moments: Array) -> bool:
    """Whether a dwell uses its own reading alone: it was measured during the dwell, or times are unknown."""
    return row in store.time and bool(np.isnan(store.time[row][point]) or np.isnan(moments).any())


def _interpolated(time: Array, moments: Array) -> tuple[IntArray, Array, Array, Array]:
    after = np.searchsorted(time, np.nan_to_num(moments, nan=time[0]))
    low, high = (np.clip(each, 0, time.size - 1) for each in (after - 1, after))
    gap = time[high] - time[low]
    part = np.divide(moments - time[low], gap, out=np.zeros_like(moments), where=gap > 0)
    outside = np.where(gap > 0, 0.0, np.abs(moments - time[low]))
    age = np.nan_to_num(part * (1 - part) * gap + outside).mean(axis=1)
    index = np.concatenate([low, high], axis=1)
    distance = np.nan_to_num(np.minimum(np.abs(moments - time[low]), np.abs(moments - time[high])).min(axis=1))
    return index, np.concatenate([1 - part, part], axis=1) / moments.shape[1], age, distance


@dataclass(frozen=True)
class Jump:
    """A jump of some bunches at an unknown time, and the dwells that it may lie in; n of them.

    Attributes
    ----------
    size : ndarray, shape (B,)
        Of the logarithm of each share; 0 for bunches that did not jump.
    point, row : ndarray of int, shape (n,)
    deviation : ndarray, shape (n, T)
        Of the part of the dwell after the jump from its mean, for T equally likely times, over sqrt(T).
    """

    size: Array
    point: IntArray
    row: IntArray
    deviation: Array


@dataclass(frozen=True)
class CurrentModel:
    """Currents while each dwell was counted.

    Attributes
    ----------
    reference : ndarray, shape (B,)
    passes : tuple of PassReadings
    noise : ndarray, shape (B,)
        Relative variance of a reading.
    change : float
        Relative variance that a share gains in one second.
    jumps : tuple of Jump
    without : tuple of int
        Numbers of the passes that have no readings.
    """

    reference: Array
    passes: tuple[PassReadings, ...]
    noise: Array
    change: float
    jumps: tuple[Jump, ...]
    without: tuple[int, ...] = ()

    def scale(self, num_points: int, row: int) -> Array:
        """Factors of the counts of a row, shape (N, B): reference over current."""
        log = np.tile(self.reference, (num_points, 1))
        for one in self.passes:
            mine = one.row == row
            log[one.point[mine]] = np.einsum("dk,dkb->db", one.weight[mine], one.log[one.index[mine]])
        return np.asarray(np.exp(self.reference - log))


def fit_currents(
    store: CurrentStore, row_pass: IntArray, middle: Array, seconds: Array, came: Array, noise: float | None
) -> CurrentModel | None:
    """Currents while each dwell was counted, from all readings; None without any.

    Parameters
    ----------
    store : CurrentStore
    row_pass : ndarray of int, shape (R,)
        Number of the pass of each row.
    middle, seconds, came : ndarray, shape (N, R)
        Of the dwells: middle and length (s), and whether there is one.
    noise : float, optional
        Relative standard deviation of a reading; by default from the readings themselves.
    """
    if store.reference is None:
        return None
    passes, without = [], []
    for number in np.unique(row_pass):
        rows = [int(row) for row in np.flatnonzero(row_pass == number)]
        if any(row in store.log and not np.isnan(store.log[row]).all() for row in rows):
            passes.append(pass_readings(store, rows, middle, seconds, came))
        else:
            without.append(int(number))
    if not passes:
        return None
    given = [store.variance[row][np.isfinite(store.variance[row]).all(axis=1)] for row in store.variance]
    known = np.concatenate(given) if given else np.empty((0, store.reference.size))
    if noise is not None:
        variance = np.full(store.reference.size, noise**2)
    elif len(known):
        variance = known.mean(axis=0)
    else:
        variance = _noise(passes, store.reference.size)
    change = _change(passes, variance)
    jumps = tuple(jump for one in passes for jump in _jumps(one, variance, change))
    return CurrentModel(store.reference, tuple(passes), variance, change, jumps, tuple(without))


def _noise(passes: list[PassReadings], bunches: int) -> Array:
    """Variance of a reading of each bunch, from each reading against the line through its neighbours.

    Medians, so that jumps do not count; with few readings mostly that of all bunches together.
    """
    away = [np.empty((0, bunches))]
    for one in passes:
        if one.time.size >= LEAST_READINGS:
            part = ((one.time[1:-1] - one.time[:-2]) / (one.time[2:] - one.time[:-2]))[:, None]
            line = (1 - part) * one.log[:-2] + part * one.log[2:]
            away.append((one.log[1:-1] - line) / np.sqrt(1 + part**2 + (1 - part) ** 2))
    found = np.abs(np.concatenate(away))
    if not found.size:
        return np.full(bunches, NOISE**2)
    own, common = (TO_STDDEV * np.median(found, axis=0)) ** 2, (TO_STDDEV * np.median(found)) ** 2
    return np.asarray((len(found) * own + POOLED * common) / (len(found) + POOLED))


def _change(passes: list[PassReadings], noise: Array) -> float:
    """Variance that a share gains in a second, from readings a quarter of a pass apart."""
    gained, elapsed = [], []
    for one in passes:
        apart = one.time.size // 4
        if one.time.size >= LEAST_READINGS and apart:
            difference = one.log[apart:] - one.log[:-apart]
            gained.append(float((TO_STDDEV * np.median(np.abs(difference))) ** 2 - 2 * np.median(noise)))
            elapsed.append(float(np.median(one.time[apart:] - one.time[:-apart])))
    return max(0.0, float(np.sum(gained) / np.sum(elapsed))) if gained else 0.0


def _jumps(one: PassReadings, noise: Array, change: float) -> list[Jump]:
    difference, gap = np.diff(one.log, axis=0), np.diff(one.time)
    jumped = np.abs(difference) > np.maximum(JUMP * np.sqrt(2 * noise + change * gap[:, None]), LEAST_JUMP)
    found = []
    for number in np.flatnonzero(jumped.any(axis=1)):
        times = one.time[number] + gap[number] * (np.arange(MOMENTS) + 0.5) / MOMENTS
        later = (one.moments[:, :, None] > times).mean(axis=1)  # (D, T)
        between = (one.index == number).any(axis=1) & (one.index == number + 1).any(axis=1)
        touched = between & (np.ptp(later, axis=1) > 0)
        if touched.any():
            deviation = later[touched] - later[touched].mean(axis=1, keepdims=True)
            size = np.where(jumped[number], difference[number], 0.0)
            found.append(Jump(size, one.point[touched], one.row[touched], deviation / np.sqrt(MOMENTS)))
    return found
