"""Predicted variance of any sum of transients, by the weights that it gives to the rates of each point.

The reduction computes the covariance of all transients; a few sums of them need less. Weights of transients become
weights of rates by the same derivatives (`weights_of_rates`, `weights_of_on_off`), and with the covariance of the rates
at each point, which falls as one over its cycles, they give the share of every point in the variance of the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.expected import SURE, ExpectedGrid, expected_comparison
from reduction.counting.kernels import OFF, ON
from reduction.errors import ReductionError
from reduction.references import methods
from reduction.references.clean_slots import BOUND, level_parts
from reduction.references.compared import Compared
from reduction.references.methods import Comparison
from reduction.references.relative import compared_by, weights_of_on_off
from reduction.spectra.normalise import (
    normalise_values,
    weights_of_rates,
    window_integral_weights,
    window_mean_weights,
)

Array = NDArray[np.float64]

LONG = 1e9
"""Times the cycles after which only what no counting removes is left of an error."""
SAME = 0.02
"""Change of the logarithm of a time with which what all points share is not predicted again."""
BY = {
    "paper": methods.by_balanced, "shutter": methods.by_shutter, "slots": methods.by_slots,
    "combined": methods.combined,
}  # fmt: skip


@dataclass(frozen=True)
class Variance:
    """Variances of Q sums.

    Attributes
    ----------
    by_point : ndarray, shape (Q, N)
        What each point contributes; falls as one over its cycles.
    shared : ndarray, shape (Q,)
        Of efficiencies, residuals and backgrounds, which all points share.
    """

    by_point: Array
    shared: Array

    @property
    def total(self) -> Array:
        """Shape (Q,)."""
        return np.asarray(self.by_point.sum(axis=1) + self.shared)


class Prediction:
    """References and transients of a grid for some times, predicted when they are first asked for: most grids of a
    large measurement have no part in a target.

    Attributes
    ----------
    cycles : ndarray, shape (N,)
    """

    def __init__(self, grid: ExpectedGrid, pattern: tuple[int, ...], cycles: Array) -> None:
        self.grid, self.pattern, self.cycles = grid, pattern, cycles

    @cached_property
    def compared(self) -> Compared:
        """Rates to be compared, with their covariance."""
        return _compared(self.grid, self._comparison)

    @cached_property
    def _comparison(self) -> Comparison:
        return expected_comparison(self.grid, self.pattern, self.cycles)

    @property
    def level(self) -> Array | None:
        """Variance of the level of the reference slots from one cycle at each point, over the largest with which they
        serve, shape (N,); None where no slots do."""
        by_slots = self.grid.axis == "mono_energy" and self.grid.settings.reference in ("slots", "combined")
        if not by_slots or not self._comparison.clean.usable:
            return None
        return level_parts(self._comparison.logs) * self.cycles / (SURE * BOUND**2)

    @cached_property
    def transient(self) -> Array:
        """Shape (S, N)."""
        make = _spectrum if self.grid.axis == "mono_energy" else _trace
        return make(self.grid, self.compared)

    def serves(self, cycles: Array) -> bool:
        """Whether what all points share is the same after other times, nearly."""
        return bool(np.abs(np.log(cycles / self.cycles)).max() < SAME)


@dataclass(frozen=True)
class PredictedGrid:
    """A grid as it will be reduced; N points, S slots.

    Attributes
    ----------
    source : Prediction
        For other times: what all points share is taken from there.
    cycles : ndarray, shape (N,)
    """

    source: Prediction
    cycles: Array

    @property
    def grid(self) -> ExpectedGrid:
        return self.source.grid

    @property
    def pattern(self) -> tuple[int, ...]:
        return self.source.pattern

    @property
    def transient(self) -> Array:
        """Without noise, shape (S, N); NaN for a slot without a reference."""
        return self.source.transient

    @cached_property
    def compared(self) -> Compared:
        """Rates to be compared, with their covariance after these cycles."""
        found = self.source.compared
        return replace(found, local=found.local * (self.source.cycles / self.cycles))

    def at(self, cycles: Array) -> PredictedGrid:
        """The same grid counted for other times; what all points share stays as it is."""
        return PredictedGrid(self.source, cycles)

    def counted(self, cycles: Array) -> PredictedGrid:
        """With what all points share as it is after these cycles."""
        return PredictedGrid(Prediction(self.grid, self.pattern, cycles), self.cycles)

    def variance(self, weights: Array) -> Variance:
        """Variance of sums of transients with weights, shape (Q, S, N).

        Raises
        ------
        ReductionError
            For a slot that has no reference.
        """
        if (weights[:, np.isnan(self.transient)] != 0).any():
            raise ReductionError("a slot that is the only reference has no transient: take another slot or reference")
        flat, half, moved = self._halves(weights)
        return Variance((half * flat).sum(axis=2).T, (moved**2).sum(axis=1))

    def _halves(self, weights: Array) -> tuple[Array, Array, Array]:
        """Weights of the rates, the same times their covariance, both (N, Q, 2 S), and sums of what is shared."""
        of_rates = self._of_rates(weights)
        local, shared = np.nan_to_num(self.compared.local), np.nan_to_num(self.compared.shared)
        size = 2 * local.shape[1]
        flat = np.moveaxis(of_rates.reshape(len(weights), size, -1), 2, 0)
        half = flat @ np.moveaxis(local.reshape(size, size, -1), 2, 0)
        return flat, half, of_rates.reshape(len(weights), -1) @ shared.reshape(of_rates[0].size, shared.shape[3])

    def covariance(self, slot: int) -> Array:
        """Of the transients of one slot, shape (N, N)."""
        flat, half, moved = self._halves(self.unit(slot))
        return np.asarray(np.einsum("nqa,nra->qr", half, flat, optimize=True) + moved @ moved.T)

    def unit(self, slot: int) -> Array:
        """Weights of the single points of a slot, shape (N, S, N)."""
        weights = np.zeros((self.grid.points, *self.transient.shape))
        weights[:, slot] = np.eye(self.grid.points)
        return weights

    def _of_rates(self, weights: Array) -> Array:
        """Weights of the rates, shape (Q, 2, S, N)."""
        if self.grid.axis == "mono_energy":
            return self._by_normalisation(weights)
        derivative = weights_of_on_off(np.nan_to_num(self.compared.rate, nan=1.0))
        return np.asarray(_after_level(self.grid, weights)[:, None] * derivative)

    def _by_normalisation(self, weights: Array) -> Array:
        pre, edge = _windows(self.grid)
        result = np.zeros((len(weights), *self.compared.rate.shape))
        for laser, sign in ((OFF, -1.0), (ON, 1.0)):
            for slot, rate in enumerate(self.compared.rate[laser]):
                if weights[:, slot].any() and not np.isnan(rate).any():
                    value, _, integral = normalise_values(rate, pre, edge, self.grid.settings)
                    of_slot = weights_of_rates(weights[:, slot], value, pre, edge)
                    result[:, laser, slot] = sign / integral * of_slot
        return result


def predicted(grid: ExpectedGrid, pattern: Sequence[int], cycles: Array) -> PredictedGrid:
    """What the reduction will find in a grid, and with which errors; computed when it is first asked for.

    Parameters
    ----------
    grid : ExpectedGrid
    pattern : sequence of int
        Laser states of one cycle.
    cycles : ndarray, shape (N,)
        At each point, above zero.

    Raises
    ------
    ReductionError
        As the reduction: for empty windows, or without points before time zero.
    """
    return PredictedGrid(Prediction(grid, tuple(pattern), cycles), cycles)


def floor(of: PredictedGrid, weights: Array) -> Array:
    """Variances that no counting removes, shape (Q,): those of backgrounds."""
    if not of.grid.background_stddev.any():
        return np.zeros(len(weights))
    return of.counted(of.source.cycles * LONG).variance(weights).shared


def _compared(grid: ExpectedGrid, comparison: Comparison) -> Compared:
    name = grid.settings.reference
    if grid.axis == "mono_energy":
        return BY[name](comparison)
    return compared_by(name, comparison, _times(grid))[1]


def _times(grid: ExpectedGrid) -> Array | None:
    """Times of slots and points after the pump, in distances between slots, of a delay scan."""
    if grid.axis != "laser_delay" or grid.slot_delays is None or grid.slot_delays.size < 2:
        return None
    first, second = np.sort(grid.slot_delays)[:2]
    return np.asarray((grid.slot_delays[:, None] + grid.position) / (second - first))


def _windows(grid: ExpectedGrid) -> tuple[Array, Array]:
    settings = grid.settings
    return window_mean_weights(grid.position, settings.pre_edge), window_integral_weights(
        grid.position, settings.integral
    )


def _spectrum(grid: ExpectedGrid, compared: Compared) -> Array:
    pre, edge = _windows(grid)

    def one(rate: Array) -> Array:
        return rate if np.isnan(rate).any() else normalise_values(rate, pre, edge, grid.settings)[0]

    return np.array([one(on) - one(off) for off, on in zip(*compared.rate, strict=True)])


def _trace(grid: ExpectedGrid, compared: Compared) -> Array:
    transient = compared.rate[ON] / compared.rate[OFF] - 1
    level = _level(grid)
    if level is not None:
        transient[0] -= level @ transient[0]
    return transient


def _level(grid: ExpectedGrid) -> Array | None:
    """Weights of the points before time zero, whose mean a delay scan subtracts from slot 0."""
    if grid.axis != "laser_delay":
        return None
    before = grid.position <= grid.settings.before_zero
    if not before.any() or before.all():
        raise ReductionError("a delay scan needs points before and after time zero")
    return np.asarray(before / before.sum())


def _after_level(grid: ExpectedGrid, weights: Array) -> Array:
    level = _level(grid)
    if level is None:
        return weights
    moved = weights.copy()
    moved[:, 0] -= weights[:, 0].sum(axis=1)[:, None] * level
    return moved
