"""Any function of a result as a quantity, by numerical derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.names import NamedQuantity, TargetError
from reduction.allocation.predicted import PredictedGrid
from reduction.allocation.quantities import WHERE, Builder, Grids, Linearised, TargetQuantity, grid_of

Array = NDArray[np.float64]

STEP = 1e-4
"""Of numerical derivatives, in errors of a point."""


Function = Callable[[Array, Array], float]


def of_function(name: str, function: Function, axis: str = "mono_energy", unit: str = "") -> Builder:
    """Any number of a result: `function` of the points (N,) and the transients (S, N) of one grid.

    Its derivatives are numerical. Where it raises, or gives no number, the quantity is refused by its name.
    """

    def checked(position: Array, value: Array) -> float:
        try:
            found = float(function(position, value))
        except Exception as error:  # whatever a function of the user raises
            raise TargetError(f"{name}: its function fails with {type(error).__name__}: {error}") from error
        if not np.isfinite(found):
            raise TargetError(f"{name}: its function gives {found}")
        return found

    def build(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
        number = grid_of(call.only(0, WHERE), grids, axis)

        def linearised(grids: Grids) -> Linearised:
            return _by_differences(checked, grids[number], number)

        return [TargetQuantity(call.text, unit, linearised)]

    return build


def _by_differences(function: Function, grid: PredictedGrid, number: int) -> Linearised:
    value = np.nan_to_num(grid.transient)
    weights = np.zeros_like(value)
    for slot, steps in enumerate(STEP * _errors(grid)):
        for index, step in enumerate(steps):
            moved = np.zeros_like(value)
            moved[slot, index] = step
            ends = (function(grid.grid.position, value + sign * moved) for sign in (1.0, -1.0))
            weights[slot, index] = (next(ends) - next(ends)) / (2 * step) if step else 0.0
    return Linearised(function(grid.grid.position, value), {number: weights})


def _errors(grid: PredictedGrid) -> Array:
    """Standard deviations of the transients, 0 where there is none, shape (S, N)."""
    found = np.zeros_like(grid.transient)
    for slot in np.flatnonzero(~np.isnan(grid.transient).any(axis=1)).tolist():
        found[slot] = np.sqrt(grid.variance(grid.unit(slot)).total)
    return found
