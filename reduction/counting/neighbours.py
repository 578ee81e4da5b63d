"""Correlation of points that share frames of a sweep: what a frame adds to two points, both of them have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbours:
    """Correlation coefficients of each point with the ones above it; axes L distances from 1 on, N points, R rows.

    Entries whose upper point is beyond the last one are 0.

    Attributes
    ----------
    counting : ndarray, shape (L, N, R, S)
        Of the counting errors of each slot.
    noise : ndarray, shape (L, N, R)
        Of noise that differs from frame to frame, such as that of I0.
    """

    counting: Array
    noise: Array

    def rows(self, rows: NDArray[np.bool_]) -> Neighbours:
        """Those of some rows."""
        return Neighbours(self.counting[:, :, rows], self.noise[:, :, rows])

    def slots(self, slots: NDArray[np.bool_]) -> Neighbours:
        """Those of some slots."""
        return replace(self, counting=self.counting[..., slots])

    def only(self, points: NDArray[np.bool_]) -> Neighbours:
        """Those of some points, whose distances may have become shorter."""
        kept = np.flatnonzero(points)
        return Neighbours(*(_between_kept(values, kept) for values in (self.counting, self.noise)))


def _between_kept(values: Array, kept: NDArray[np.int64]) -> Array:
    result = np.zeros((len(values), kept.size, *values.shape[2:]))
    for distance in range(1, min(len(values), kept.size - 1) + 1):
        was = kept[distance:] - kept[:-distance]
        near = was <= len(values)
        result[distance - 1, : was.size][near] = values[was[near] - 1, kept[:-distance][near]]
    return result


def shifted(values: Array, distance: int, axis: int) -> Array:
    """Values of the points `distance` above, 0 beyond the last one."""
    moved = np.roll(values, -distance, axis=axis)
    index = [slice(None)] * values.ndim
    index[axis] = slice(values.shape[axis] - distance, None)
    moved[tuple(index)] = 0.0
    return moved
