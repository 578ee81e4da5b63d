"""The small arrays of dwells that grow while a scan runs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels as kernels


@dataclass(frozen=True)
class RowStore:
    """Small arrays of the dwells, shape (points, rows, ...); a row is one segment of one pass."""

    state: NDArray[np.int8]
    weight: NDArray[np.float64]
    flux: NDArray[np.float64]
    laser_phase: NDArray[np.int64]
    slot_mu: NDArray[np.float64]
    slot_var: NDArray[np.float64]

    @classmethod
    def allocate(cls, points: int, capacity: int, slots: int) -> RowStore:
        return cls(
            state=np.full((points, capacity), kernels.EMPTY, np.int8),
            weight=np.zeros((points, capacity)),
            flux=np.zeros((points, capacity)),
            laser_phase=np.zeros((points, capacity), np.int64),
            slot_mu=np.full((points, capacity, slots), np.nan),
            slot_var=np.full((points, capacity, slots), np.nan),
        )

    @property
    def capacity(self) -> int:
        return self.state.shape[1]

    def grown(self) -> RowStore:
        """The same rows with room for twice as many."""
        points, capacity, slots = self.slot_mu.shape
        larger = RowStore.allocate(points, 2 * capacity, slots)
        for field in fields(self):
            getattr(larger, field.name)[:, :capacity] = getattr(self, field.name)
        return larger

    def take(self, ours: int, other: RowStore, theirs: int, points: NDArray[np.bool_]) -> None:
        """Copy row `theirs` of another set into row `ours` at the points marked."""
        for field in fields(self):
            getattr(self, field.name)[points, ours] = getattr(other, field.name)[points, theirs]
