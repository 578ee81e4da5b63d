"""Small arrays of all dwells of a sum: what is known of each one as a whole, and its slot means."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels

States = NDArray[np.int8]


@dataclass(frozen=True)
class RowStore:
    """Small arrays of the dwells, shape (points, rows, ...); a row is one segment of one pass.

    Attributes
    ----------
    came : ndarray of bool
        Whether a dwell was recorded, of whatever quality.
    taken : ndarray of int8
        Laser state of each dwell that could count.
    state : ndarray of int8
        The same without dwells excluded by their bunches (see `reduction.counting.bunches`).
    gain : ndarray
        Amplifier gain of I0.
    off_point : ndarray, keV
        Energy readback minus the energy of the point.
    time : ndarray, s
        From an origin that the dwells of a pass share; NaN if unknown.
    seconds : ndarray, s
        Length of the dwell; NaN if unknown.
    live_shift : ndarray
        Relative change of the photons by one standard deviation of the dead time of an element.
    """

    came: NDArray[np.bool_]
    taken: NDArray[np.int8]
    state: NDArray[np.int8]
    weight: NDArray[np.float64]
    flux: NDArray[np.float64]
    laser_phase: NDArray[np.int64]
    gain: NDArray[np.float64]
    off_point: NDArray[np.float64]
    time: NDArray[np.float64]
    seconds: NDArray[np.float64]
    live_shift: NDArray[np.float64]
    slot_mu: NDArray[np.float64]
    slot_var: NDArray[np.float64]

    @classmethod
    def allocate(cls, points: int, capacity: int, slots: int) -> RowStore:
        return cls(
            came=np.zeros((points, capacity), np.bool_),
            taken=np.full((points, capacity), kernels.EMPTY, np.int8),
            state=np.full((points, capacity), kernels.EMPTY, np.int8),
            weight=np.zeros((points, capacity)),
            flux=np.zeros((points, capacity)),
            laser_phase=np.zeros((points, capacity), np.int64),
            gain=np.ones((points, capacity)),
            off_point=np.zeros((points, capacity)),
            time=np.full((points, capacity), np.nan),
            seconds=np.full((points, capacity), np.nan),
            live_shift=np.zeros((points, capacity)),
            slot_mu=np.full((points, capacity, slots), np.nan),
            slot_var=np.full((points, capacity, slots), np.nan),
        )

    @property
    def capacity(self) -> int:
        return self.state.shape[1]

    def grown(self) -> RowStore:
        """The same rows with twice the capacity."""
        points, capacity, slots = self.slot_mu.shape
        larger = RowStore.allocate(points, 2 * capacity, slots)
        for field in fields(self):
            getattr(larger, field.name)[:, :capacity] = getattr(self, field.name)
        return larger

    def take(self, ours: int, other: RowStore, theirs: int, points: NDArray[np.bool_]) -> None:
        """Copy row `theirs` of another set into row `ours` at the points marked."""
        for field in fields(self):
            getattr(self, field.name)[points, ours] = getattr(other, field.name)[points, theirs]
