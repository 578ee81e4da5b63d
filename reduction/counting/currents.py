"""Currents of the bunches, as they were read with the dwells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurrentReading:
    """Currents of the bunches, read with a dwell.

    Attributes
    ----------
    values : ndarray, shape (B,)
        Of each bunch, in any unit.
    time : float
        When they were measured, in beamline seconds from the start of the run; NaN if during the dwell itself.
    stddev : ndarray, shape (B,), optional
        Standard deviations of the values, where they are known.
    """

    values: Array
    time: float = float("nan")
    stddev: Array | None = None

    def fault(self) -> str:
        """Why the reading cannot be used; empty if it can."""
        return "" if np.isfinite(self.values).all() and (self.values > 0).all() else "a bunch without current"

    def log_share(self) -> Array:
        """Logarithm of each current over their mean, shape (B,)."""
        return np.asarray(np.log(self.values / self.values.mean()))


class CurrentStore:
    """Readings of all dwells, by row and point; NaN where a dwell has none.

    Parameters
    ----------
    num_points, num_bunches : int

    Attributes
    ----------
    reference : ndarray, shape (B,), or None
        Logarithms of the shares to which counts are scaled: those of the first reading.
    log, variance : dict of int to ndarray, shape (N, B)
        By row: logarithms of the shares, and their variances where they came with the reading.
    time : dict of int to ndarray, shape (N,)
    """

    def __init__(self, num_points: int, num_bunches: int) -> None:
        self._shape = (num_points, num_bunches)
        self.reference: Array | None = None
        self.log: dict[int, Array] = {}
        self.variance: dict[int, Array] = {}
        self.time: dict[int, Array] = {}
        self._unusable: set[tuple[int, int]] = set()

    def notes(self) -> tuple[str, ...]:
        """A note about readings that could not be used."""
        if not (number := len(self._unusable)):
            return ()
        instead = "interpolated between the others" if self else "not divided by them"
        return (
            f"{number} readings of the bunches' currents could not be used: the record shows bunches without current or"
            f" another number of them; these dwells are {instead}.",
        )

    def __bool__(self) -> bool:
        return self.reference is not None

    def put(self, row: int, point: int, reading: CurrentReading | None) -> None:
        """Store the reading of a dwell, replacing an earlier one; None clears it."""
        self._unusable.discard((row, point))
        if reading is not None and reading.fault():
            self._unusable.add((row, point))
        if reading is not None and not reading.fault():
            if row not in self.log:
                self.log[row], self.time[row] = np.full(self._shape, np.nan), np.full(self._shape[0], np.nan)
            self.log[row][point], self.time[row][point] = reading.log_share(), reading.time
            self._put_variance(row, point, reading)
            if self.reference is None:
                self.reference = self.log[row][point].copy()
        elif row in self.log:
            self.log[row][point] = np.nan

    def _put_variance(self, row: int, point: int, reading: CurrentReading) -> None:
        if reading.stddev is not None:
            self.variance.setdefault(row, np.full(self._shape, np.nan))
            self.variance[row][point] = (reading.stddev / reading.values) ** 2
        elif row in self.variance:
            self.variance[row][point] = np.nan

    def take(self, row: int, other: CurrentStore, theirs: int, points: NDArray[np.bool_]) -> None:
        """Copy a row of another store at the selected points."""
        self._unusable |= {(row, point) for at, point in other._unusable if at == theirs}
        if self.reference is None:
            self.reference = other.reference
        for mine, source in ((self.log, other.log), (self.variance, other.variance), (self.time, other.time)):
            if theirs in source:
                mine.setdefault(row, np.full_like(source[theirs], np.nan))
                mine[row][points] = source[theirs][points]
            elif row in mine:
                mine[row][points] = np.nan

    def scale(self, row: int, point: int) -> Array | None:
        """Factors of the counts of a dwell, shape (B,): reference over its own reading; None without one."""
        if self.reference is None or row not in self.log or np.isnan(self.log[row][point, 0]):
            return None
        return np.asarray(np.exp(self.reference - self.log[row][point]))
