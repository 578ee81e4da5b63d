"""Grids, targets and costs of an allocation, all points in one row of cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.predicted import PredictedGrid, Variance, floor, predicted
from reduction.allocation.quantities import Builder
from reduction.allocation.wanted import KNOWN, Target, WantedQuantities
from reduction.errors import ReductionError

Array = NDArray[np.float64]
Chosen = Sequence[int] | None
"""Numbers of quantities; None for all."""

GROUPS, LONGER = 12, 1.3
"""Groups of points whose worth to what all share is found by differences, and times that they are counted."""
TINY = 1e-300
KEPT = 4
"""Predictions of a grid for other times."""
MANY = 2000
"""Points from which on everything is predicted as few times as possible."""


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
    """Grids with one pattern of dwells, and what is wanted of them.

    Parameters
    ----------
    base : sequence of PredictedGrid
        With one cycle at each point.
    wanted : WantedQuantities
    """

    def __init__(self, base: Sequence[PredictedGrid], wanted: WantedQuantities) -> None:
        self.base, self.wanted = base, wanted
        self.sizes = np.cumsum([each.grid.points for each in base])[:-1]
        self._kept = [[each] for each in base]

    @classmethod
    def of(
        cls, grids: Sequence[ExpectedGrid], pattern: tuple[int, ...], targets: Sequence[Target],
        known: Mapping[str, Builder] = KNOWN, cycles: Array | None = None,
    ) -> Problem:  # fmt: skip
        """With what all points share predicted for some times, shape (N,); for one cycle by default."""
        base = _predicted(grids, pattern, np.ones(sum(grid.points for grid in grids)) if cycles is None else cycles)
        return cls(base, WantedQuantities(targets, base, known))

    def with_pattern(self, pattern: tuple[int, ...], cycles: Array) -> Problem:
        """The same targets with other laser states, what all points share predicted for other times."""
        if pattern == self.pattern:
            return self.counted(cycles)
        return Problem(_predicted([each.grid for each in self.base], pattern, cycles), self.wanted)

    @property
    def pattern(self) -> tuple[int, ...]:
        """Laser states of a cycle."""
        return self.base[0].pattern

    @property
    def _numbers(self) -> list[NDArray[np.int64]]:
        """Of the points of each grid in the row of all."""
        return np.split(np.arange(self.points), self.sizes)

    def split(self, cycles: Array) -> list[Array]:
        return np.split(cycles, self.sizes)

    def weights(self, cycles: Array, chosen: Chosen = None) -> list[tuple[list[int], Array]]:
        """Of each grid, the quantities that depend on it, and their weights, shape (those, S, N), with the errors after
        these cycles."""
        grids = [grid.at(part) for grid, part in zip(self.base, self.split(cycles), strict=True)]
        rows = range(len(self.wanted.quantities)) if chosen is None else chosen
        found = {row: self.wanted.quantities[row].about(grids).weights for row in rows}
        own = [[row for row, each in found.items() if number in each] for number in range(len(grids))]
        return [(mine, np.array([found[row][number] for row in mine])) for number, mine in enumerate(own)]

    def parts(self, cycles: Array, chosen: Chosen = None) -> tuple[Array, Array]:
        """Variance from one cycle at each point, shape (Q, N), and that which all share, shape (Q,)."""
        each, common = np.zeros((len(self.wanted.quantities), cycles.size)), np.zeros(len(self.wanted.quantities))
        of_grids = zip(self.base, self.weights(cycles, chosen), self._numbers, strict=True)
        for grid, (rows, weights), points in of_grids:
            if rows:
                found = self._variance(grid, rows, weights)
                each[np.array(rows)[:, None], points] = found.by_point
                common[rows] += found.shared
        return each, common

    def _variance(self, grid: PredictedGrid, rows: list[int], weights: Array) -> Variance:
        try:
            return grid.variance(weights)
        except ReductionError as error:
            raise ReductionError(f"{', '.join(self.wanted.quantities[row].name for row in rows)}: {error}") from error

    def variance(self, cycles: Array, chosen: Chosen = None) -> Array:
        """After these cycles, shape (Q,); 0 for quantities that are not chosen."""
        parts, common = self.parts(cycles, chosen)
        return np.asarray(parts @ (1 / cycles) + common)

    def levels(self, cycles: Array, chosen: Chosen = None) -> Array:
        """Variances from one cycle at each point that have to be 1 at most after all cycles, so that slots serve as
        references as they do now; shape (those grids, N)."""
        used = [bool(rows) for rows, _ in self.weights(cycles, chosen)]
        found = []
        for grid, needed, points in zip(self.base, used, self._numbers, strict=True):
            if needed and (level := grid.source.level) is not None:
                found.append(np.zeros(self.points))
                found[-1][points] = level
        return np.array(found).reshape(-1, self.points)

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

    def shared(self, weights: Sequence[tuple[list[int], Array]]) -> Array:
        """Variances of sums with these weights that all points share, shape (Q,)."""
        return self._summed(weights, lambda grid, of_grid: grid.variance(of_grid).shared)

    def floor(self, cycles: Array, chosen: Chosen = None) -> Array:
        """Variances that no counting removes, shape (Q,); 0 for quantities that are not chosen."""
        if not any(each.grid.background_stddev.any() for each in self.base):
            return np.zeros(len(self.wanted.quantities))
        return self._summed(self.weights(cycles, chosen), floor)

    def _summed(
        self, weights: Sequence[tuple[list[int], Array]], of_grid: Callable[[PredictedGrid, Array], Array]
    ) -> Array:
        total = np.zeros(len(self.wanted.quantities))
        for grid, (rows, each) in zip(self.base, weights, strict=True):
            if rows:
                total[rows] += of_grid(grid, each)
        return total

    @property
    def points(self) -> int:
        return sum(each.grid.points for each in self.base)

    @property
    def large(self) -> bool:
        """Whether everything is predicted as few times as possible."""
        return self.points >= MANY

    def cost(self, costs: TimeCosts) -> Array:
        """Wall seconds of one cycle at each point, shape (N,)."""
        return np.concatenate(
            [np.full(each.grid.points, costs.of_cycle(self.pattern, each.grid.dwell)) for each in self.base]
        )

    def counted(self, cycles: Array) -> Problem:
        """The same with what all points share as it is after these cycles."""
        other = copy(self)
        other.base = [_served(kept, part) for kept, part in zip(self._kept, self.split(cycles), strict=True)]
        return other


def _predicted(grids: Sequence[ExpectedGrid], pattern: tuple[int, ...], cycles: Array) -> list[PredictedGrid]:
    """Grids with what all points share after these cycles, each counted for one cycle."""
    parts = np.split(cycles, np.cumsum([grid.points for grid in grids])[:-1])
    return [predicted(grid, pattern, part).at(np.ones_like(part)) for grid, part in zip(grids, parts, strict=True)]


def _served(kept: list[PredictedGrid], cycles: Array) -> PredictedGrid:
    """One of the latest predictions that serves for these cycles, or a new one."""
    found = next((each for each in kept if each.source.serves(cycles)), None)
    if found is None:
        found = kept[0].counted(cycles)
        kept.insert(1, found)
        del kept[KEPT:]
    return found
