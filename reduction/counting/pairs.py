"""Pair counters of dwells: hits in gates that follow each other; see the table of pair counters in the glossary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.after_effects import AfterEffects
from reduction.counting.dead_time import Correlation

IntArray = NDArray[np.int64]
LARGEST = int(np.iinfo(np.int32).max)
FAULTS = (
    None,
    "pair counters out of range",
    "pair counters: more coincidences than hits",
    "pair counters: more hits than gates",
)
"""By what `kernels.fault_of_pairs` returns."""


@dataclass(frozen=True)
class Pairs:
    """Pair counters of one dwell, shape (L, P): row = lag - 1, element = phase of the later gate.

    Attributes
    ----------
    gates : ndarray of int64
        N, opened gates with an opened gate `lag` before.
    hits : ndarray of int64
        K, hits in the later gate of those pairs.
    previous_hits : ndarray of int64
        B, hits in the earlier gate.
    coincidences : ndarray of int64
        C, pairs with hits in both gates.
    """

    gates: IntArray
    hits: IntArray
    previous_hits: IntArray
    coincidences: IntArray

    def fault(self) -> str | None:
        """Why these counters cannot be right, in a few words; None if they can."""
        return FAULTS[kernels.fault_of_pairs(self.gates, self.hits, self.previous_hits, self.coincidences, LARGEST)]


class PairStore:
    """Pair counters of all dwells: lag 1 by phase, and sums over phases of every lag.

    Parameters
    ----------
    num_points, num_phases : int
        No phases where only the sums over them are needed.

    Attributes
    ----------
    first : list of ndarray of int32, shape (N, 4, P)
        One array a row, with N, K, B and C of lag 1. N is 0 where there are no pair counters.
    sums : list of ndarray, shape (N, L, 3)
        One array a row: over the phases, coincidences, those of independent gates, and their variance.
    """

    def __init__(self, num_points: int, num_phases: int) -> None:
        self._points, self._phases = num_points, num_phases
        self.first: list[NDArray[np.int32]] = []
        self.sums: list[NDArray[np.float64]] = []

    def add_row(self) -> None:
        """Make room for one more segment of one more pass."""
        self.first.append(np.zeros((self._points, 4, self._phases), np.int32))
        self.sums.append(np.zeros((self._points, 0, 3)))

    def put(self, row: int, point: int, pairs: Pairs | None) -> None:
        """Store the counters of a dwell, replacing earlier ones; None clears them."""
        if pairs is None:
            self.first[row][point] = 0
            self.sums[row][point] = 0.0
            return
        if self._phases:
            counters = (pairs.gates, pairs.hits, pairs.previous_hits, pairs.coincidences)
            self.first[row][point] = [array[0] for array in counters]
        sums = lag_sums(pairs)
        if self.sums[row].shape[1] != len(sums):
            self.sums[row] = np.zeros((self._points, len(sums), 3))
        self.sums[row][point] = sums

    def take(self, row: int, other: PairStore, theirs: int, points: NDArray[np.bool_]) -> None:
        """Copy a row of another store at the selected points."""
        self.first[row][points] = other.first[theirs][points]
        if self.sums[row].shape[1] != other.sums[theirs].shape[1]:
            self.sums[row] = np.zeros_like(other.sums[theirs])
        self.sums[row][points] = other.sums[theirs][points]


def lag_sums(pairs: Pairs) -> NDArray[np.float64]:
    """Coincidences of each lag, those that independent gates would have, and their variance; shape (L, 3).

    Expected from each phase's own hits, so that neither unequal bunches nor the slow noise between dwells count as
    correlation. With both numbers of hits given, independent coincidences are hypergeometric.
    """
    sums = np.zeros((pairs.gates.shape[0], 3))
    kernels.sum_lags(pairs.gates, pairs.hits, pairs.previous_hits, pairs.coincidences, sums)
    return sums


@dataclass(frozen=True)
class PairReport:
    """Results from the pair counters of a scan.

    Attributes
    ----------
    correlation : Correlation
    effects : AfterEffects or None
        Afterpulses and blinding, where the settings enable them.
    lag_2_pull : float
        Standard deviations between lag 2 and its prediction from the effects; NaN if unknown.
    check, check_stddev : float
        Mean relative difference of the per-phase form from the pooled form, and its standard deviation.
    """

    correlation: Correlation
    effects: AfterEffects | None = None
    lag_2_pull: float = float("nan")
    check: float = float("nan")
    check_stddev: float = float("nan")
