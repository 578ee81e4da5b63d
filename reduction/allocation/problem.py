"""Grids, targets and costs of an allocation, all points in one row of cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.fitted import FITTED
from reduction.allocation.names import wanted_error
from reduction.allocation.predicted import PredictedGrid, floor, predicted
from reduction.allocation.quantities import SPECTRAL, Builder, TargetQuantity, built

Array = NDArray[np.float64]

GROUPS, LONGER = 12, 1.3
"""Groups of points whose worth to what all share is found by differences, and times that they are counted."""
TINY = 1e-300
KNOWN: Mapping[str, Builder] = {**SPECTRAL, **FITTED}
"""Quantities by name."""


@dataclass(frozen=True)
class Target:
    """A quantity and the standard error that is wanted of it.

    Attributes
    ----------
    quantity : str
        By name, as in `KNOWN`.
    wanted : float, str or pair of float
        See `reduction.allocation.names.wanted_error`.
    """

    quantity: str
    wanted: Any


@dataclass(frozen=True)
class TimeCosts:
    """Wall seconds beside those of dwells.

    Attributes
    ----------
    move : float
        Of a visit of a point: the move and its settling.
    shutter : float
        Of one travel of the laser shutter.
    message : float
        Of one dwell: start and readout.
    passes : int
        Passes in which the time is distributed.
    """

    move: float = 0.0
    shutter: float = 0.0
    message: float = 0.0
    passes: int = 1

    def of_cycle(self, pattern: Sequence[int], dwell: float) -> float:
        """Wall seconds of one cycle."""
        changes = sum(a != b for a, b in zip((pattern[-1], *pattern), pattern, strict=False))
        return len(pattern) * (dwell + self.message) + changes * self.shutter

    def of_visits(self, cycles: Array) -> float:
        """Wall seconds of the moves: a point is visited in as many passes as it has cycles, at most in all."""
        return self.move * float(np.minimum(np.ceil(cycles), self.passes).sum())


class Problem:
    """Grids with one pattern of dwells, and what is wanted of them."""

    def __init__(
        self, grids: Sequence[ExpectedGrid], pattern: tuple[int, ...], targets: Sequence[Target],
        known: Mapping[str, Builder] = KNOWN,
    ) -> None:  # fmt: skip
        self.sizes = np.cumsum([grid.points for grid in grids])[:-1]
        self.base = [predicted(grid, pattern, np.ones(grid.points)) for grid in grids]
        self._targets, self._known = targets, known

    @cached_property
    def quantities(self) -> list[tuple[TargetQuantity, Any]]:
        """Each with what is wanted."""
        return [(one, each.wanted) for each in self._targets for one in built(each.quantity, self.base, self._known)]

    @cached_property
    def wanted(self) -> Array:
        """Variances, shape (Q,)."""
        values = [quantity.linearised(self.base).scale for quantity, _ in self.quantities]
        pairs = zip(self.quantities, values, strict=True)
        errors = [wanted_error(one.name, wanted, value, one.unit) for (one, wanted), value in pairs]
        return np.array(errors) ** 2

    def at(self, cycles: Array) -> list[PredictedGrid]:
        return [grid.at(part) for grid, part in zip(self.base, self.split(cycles), strict=True)]

    def split(self, cycles: Array) -> list[Array]:
        return np.split(cycles, self.sizes)

    def weights(self, cycles: Array) -> list[Array]:
        """Of each grid, shape (Q, S, N), with the errors after these cycles."""
        grids = self.at(cycles)
        found = [quantity.linearised(grids).weights for quantity, _ in self.quantities]
        return [
            np.array([one.get(number, np.zeros_like(grid.transient)) for one in found])
            for number, grid in enumerate(grids)
        ]

    def parts(self, cycles: Array) -> tuple[Array, Array]:
        """Variance from one cycle at each point, shape (Q, N), and that which all share, shape (Q,)."""
        weights = self.weights(cycles)
        each = [grid.variance(weight) for grid, weight in zip(self.base, weights, strict=True)]
        return np.concatenate([one.by_point for one in each], axis=1), sum((one.shared for one in each), np.zeros(1))

    def variance(self, cycles: Array) -> Array:
        """After these cycles, shape (Q,)."""
        parts, common = self.parts(cycles)
        return np.asarray((parts / cycles).sum(axis=1) + common)

    def shared_by_point(self, cycles: Array) -> Array:
        """How much one cycle at each point is worth to what all points share, as `parts`, shape (Q, N).

        By differences: groups of neighbours are counted longer, and each gain is distributed by the signal and the
        time of the points.
        """
        weights, base = self.weights(cycles), self.counted(cycles)
        before = base.shared(weights)
        signal = np.concatenate([np.nansum(each.transient**2, axis=0) for each in self.base]) * cycles
        result = np.zeros((before.size, cycles.size))
        for group in np.array_split(np.arange(cycles.size), GROUPS):
            longer = cycles.copy()
            longer[group] *= LONGER
            gain = np.maximum(before - base.counted(longer).shared(weights), 0.0) / np.log(LONGER)
            result[:, group] = np.outer(gain, signal[group] / max(signal[group].sum(), TINY)) * cycles[group]
        return result

    def shared(self, weights: Sequence[Array]) -> Array:
        pairs = zip(self.base, weights, strict=True)
        return sum((grid.variance(weight).shared for grid, weight in pairs), np.zeros(1))

    @property
    def points(self) -> int:
        return sum(each.grid.points for each in self.base)

    def cost(self, costs: TimeCosts) -> Array:
        """Wall seconds of one cycle at each point, shape (N,)."""
        return np.concatenate(
            [np.full(each.grid.points, costs.of_cycle(each.pattern, each.grid.dwell)) for each in self.base]
        )

    def floor(self, cycles: Array) -> Array:
        """Variances that no counting removes, shape (Q,)."""
        pairs = zip(self.base, self.weights(cycles), strict=True)
        return sum((floor(grid, weight) for grid, weight in pairs), np.zeros(1))

    def counted(self, cycles: Array) -> Problem:
        """The same with what all points share as it is after these cycles."""
        other = copy(self)
        pairs = zip(self.base, self.split(cycles), strict=True)
        other.base = [predicted(grid.grid, grid.pattern, part).at(np.ones_like(part)) for grid, part in pairs]
        return other
