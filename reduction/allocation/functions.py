"""Any function of a result as a quantity, by numerical derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.names import NamedQuantity
from reduction.allocation.predicted import PredictedGrid
from reduction.allocation.quantities import WHERE, Builder, Grids, Linearised, TargetQuantity, grid_of

Array = NDArray[np.float64]

STEP = 1e-4
"""Of numerical derivatives, in errors of a point."""


def of_function(name: str, function: Callable[[Array, Array], float], axis: str = "mono_energy") -> Builder:
    """Any number of a result: `function` of the points (N,) and the transients (S, N) of one grid.

    Its derivatives are numerical.
    """

    def build(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
        number = grid_of(call.only(0, WHERE), grids, axis)

        def linearised(grids: Grids) -> Linearised:
            return _by_differences(function, grids[number], number)

        return [TargetQuantity(name, "", linearised)]

    return build


def _by_differences(function: Callable[[Array, Array], float], grid: PredictedGrid, number: int) -> Linearised:
    value = np.nan_to_num(grid.transient)
    weights = np.zeros_like(value)
    for slot, steps in enumerate(STEP * _errors(grid)):
        for index, step in enumerate(steps):
            moved = np.zeros_like(value)
            moved[slot, index] = step
            ends = (function(grid.grid.position, value + sign * moved) for sign in (1.0, -1.0))
            weights[slot, index] = (next(ends) - next(ends)) / (2 * step) if step else 0.0
    return Linearised(float(function(grid.grid.position, value)), {number: weights})


def _errors(grid: PredictedGrid) -> Array:
    """Standard deviations of the transients, 0 where there is none, shape (S, N)."""
    found = np.zeros_like(grid.transient)
    for slot in np.flatnonzero(~np.isnan(grid.transient).any(axis=1)).tolist():
        found[slot] = np.sqrt(grid.variance(grid.unit(slot)).total)
    return found
