"""Hits and opened gates of all dwells by phase, and the photons a pulse that follow from them.

Counts take a quarter of the memory of photons and their variance, which cost tens of nanoseconds a phase to compute.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.background import Background
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

LARGEST = int(np.iinfo(np.int32).max)
"""Counts up to which 32 bits are enough."""


class CountsByPhase:
    """Counts of all dwells; rows are those of `reduction.counting.dwell_store.DwellStore`.

    Parameters
    ----------
    pattern : Pattern
    num_points : int
    background : Background
        Subtracted from the photons.
    pile_up : bool
        Whether hits are corrected for it.
    """

    def __init__(self, pattern: Pattern, num_points: int, background: Background, pile_up: bool = True) -> None:
        self._pattern, self._num_points, self._background = pattern, num_points, background
        self._pile_up = pile_up
        self._rows: list[NDArray[np.int32 | np.int64]] = []  # (N, 2, P): hits, gates
        self._background_phases: dict[int, IntArray | None] = {}

    def add_row(self) -> None:
        """Make room for one more segment of one more pass; what exists is never copied."""
        self._rows.append(np.zeros((self._num_points, 2, self._pattern.num_phases), np.int32))

    def put(self, row: int, dwell: Dwell) -> None:
        """Store the counts of a dwell, replacing earlier ones."""
        if max(dwell.gates.max(), dwell.hits.max()) > LARGEST:
            self._rows[row] = self._rows[row].astype(np.int64, copy=False)
        self._rows[row][dwell.point] = dwell.hits, dwell.gates

    def take(self, row: int, other: CountsByPhase, theirs: int, points: NDArray[np.bool_]) -> None:
        """Copy a row of other counts at the selected points."""
        self._rows[row] = self._rows[row].astype(np.promote_types(self._rows[row].dtype, other._rows[theirs].dtype))
        self._rows[row][points] = other._rows[theirs][points]

    def photons(
        self, row: int, points: IntArray, laser: NDArray[np.int8], laser_phase: IntArray
    ) -> tuple[Array, Array]:
        """Photons a pulse of each phase without the background, and their variance from counting, shape (D, P).

        Parameters
        ----------
        row : int
        points, laser, laser_phase : ndarray of int, shape (D,)
            Points, laser states and laser phases of the dwells.
        """
        mu, var = np.empty((2, points.size, self._pattern.num_phases))
        flags = np.empty(self._pattern.num_phases, np.uint8)
        for each, point in enumerate(points):
            hits, gates = self._rows[row][point].astype(np.int64)
            background = self.background_of(int(laser_phase[each]), int(laser[each]))
            kernels.estimate_phases(hits, gates, background, self._pile_up, mu[each], var[each], flags)
        return mu, var

    def background_phases(self, laser_phase: int) -> IntArray | None:
        """Phase of the background for each phase of a dwell, as from `Background.phases`."""
        if laser_phase not in self._background_phases:
            self._background_phases[laser_phase] = self._background.phases(self._pattern, laser_phase)
        return self._background_phases[laser_phase]

    def background_of(self, laser_phase: int, laser: int) -> Array:
        """Background of each phase of a dwell, photons a pulse, shape (P,)."""
        phases, photons = self.background_phases(laser_phase), self._background.photons[laser]
        return photons if phases is None else photons[phases]
