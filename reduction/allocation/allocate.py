"""Cycles of each point of one or several grids that reach all targets in the least wall time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.names import TargetError
from reduction.allocation.problem import Chosen, Problem, TimeCosts
from reduction.allocation.quantities import Builder, TargetQuantity
from reduction.allocation.shares import LEADING, best_cycles, reaching
from reduction.allocation.wanted import KNOWN, Target

Array = NDArray[np.float64]

PATTERNS = ((1, 0, 0, 1), (1, 0, 1), (1, 1, 0, 1, 1), (0, 1, 0))
"""Shares of laser on and off that are compared; read from either end they are the same, so that a drift cancels."""

LONGEST = 365 * 86400.0
"""Seconds of even counting of the points that a quantity depends on."""


@dataclass(frozen=True)
class TargetForecast:
    """A target, and what is predicted of it.

    Attributes
    ----------
    name, unit : str
    value : float
        Expected.
    wanted, stddev, floor : float
        Standard errors: wanted, predicted at the end, and that which no counting removes.
    even : float
        Cycles of every point with which the even grid reaches it.
    """

    name: str
    unit: str
    value: float
    wanted: float
    stddev: float
    floor: float
    even: float


@dataclass(frozen=True)
class Allocation:
    """Where the time goes.

    Attributes
    ----------
    pattern : tuple of int
    cycles : tuple of ndarray
        Of each grid, shape (N,); not whole.
    seconds, even_seconds : float
        Wall time of this allocation, and of the even grid with the pattern on-off-off-on, to the same errors.
    targets : tuple of TargetForecast
    worst : float
        Largest time over that of the even grid if one of the other models is true; NaN without any.
    """

    pattern: tuple[int, ...]
    cycles: tuple[Array, ...]
    seconds: float
    even_seconds: float
    targets: tuple[TargetForecast, ...]
    worst: float


def allocate(
    grids: Sequence[ExpectedGrid],
    targets: Sequence[Target],
    costs: TimeCosts,
    others: Sequence[Sequence[ExpectedGrid]] = (),
    least: float = 1.0,
    patterns: Sequence[tuple[int, ...]] = PATTERNS,
    known: Mapping[str, Builder] = KNOWN,
) -> Allocation:
    """Cycles of each point with which all targets are reached in the least wall time.

    Parameters
    ----------
    grids : sequence of ExpectedGrid
    targets : sequence of Target
    costs : TimeCosts
    others : sequence of sequences of ExpectedGrid
        The same grids with other models: with none of them the time is more than `WORST` times that of the even grid.
    least : float
        Fewest cycles of a point, so that surprises are seen everywhere.
    patterns : sequence of tuple of int
    known : mapping
        Quantities by name.

    Raises
    ------
    TargetError
        Naming a quantity that is unknown, given twice, or cannot be reached, and its floor.
    ReductionError
        As the reduction of these grids.
    """
    refuse_twice(targets)
    start = Problem.of(grids, PATTERNS[0], targets, known)
    even, cycles, leading = _even_cycles(start)
    chosen = leading if start.large else None
    problem = min(
        (start.with_pattern(each, cycles) for each in patterns),
        key=lambda each: _time(each, cycles, costs, least, chosen),
    )
    of_others = [Problem.of(one, problem.pattern, targets, known, cycles) for one in others]
    found, worst = best_cycles(problem, of_others, costs, cycles, least, chosen)
    return Allocation(
        problem.pattern,
        tuple(problem.split(found)),
        _wall(costs, problem, found),
        _wall(costs, start, cycles),
        _forecasts(problem, found, even),
        worst,
    )


def seconds_with(
    grids: Sequence[ExpectedGrid], targets: Sequence[Target], costs: TimeCosts, shares: Allocation,
    pattern: tuple[int, ...] | None = None, known: Mapping[str, Builder] = KNOWN,
) -> float:  # fmt: skip
    """Wall time to the targets with the shares of an allocation, for a sample, a detector or a rhythm that differs.

    Raises
    ------
    TargetError
        If a target is then out of reach.
    ReductionError
    """
    cycles = np.concatenate(shares.cycles)
    problem = Problem.of(grids, pattern or shares.pattern, targets, known, cycles)
    if (problem.wanted.limits @ problem.floor(cycles) >= 1).any():
        raise TargetError("a target is out of reach")
    return _wall(costs, problem, reaching(problem, cycles, np.ones(cycles.size)))


def _time(problem: Problem, cycles: Array, costs: TimeCosts, least: float, chosen: Chosen) -> float:
    """Seconds until the targets are reached with these shares of the time."""
    return _wall(costs, problem, reaching(problem, cycles, np.full(cycles.size, least), chosen))


def refuse_twice(targets: Sequence[Target]) -> None:
    """Refuse a quantity with two wanted errors.

    Raises
    ------
    TargetError
    """
    if not targets:
        raise TargetError("no target: give at least one quantity with its wanted error")
    names = ["".join(str(each.quantity).split()) for each in targets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TargetError(f"{', '.join(twice)}: given twice")


def _wall(costs: TimeCosts, problem: Problem, cycles: Array) -> float:
    return float(problem.cost(costs) @ cycles) + costs.of_visits(cycles)


def _even_cycles(problem: Problem) -> tuple[Array, Array, list[int]]:
    """Cycles of every point with which each target is reached, shape (Q,), and all are, shape (N,), and the quantities
    that take longest; refuses those that are never reached.

    Raises
    ------
    TargetError
    """
    ones = np.ones(problem.points)
    parts, never = problem.parts(ones)[0], problem.floor(ones)
    wanted = problem.wanted.variances
    for quantity, each, low, variance in zip(problem.wanted.quantities, parts, never, wanted, strict=True):
        _refuse_out_of_reach(quantity, float(each.sum()), float(low), float(variance))
    found = np.maximum(1.0, parts.sum(axis=1) / (wanted - never))
    _refuse_too_long(problem, found, parts, never)
    leading = sorted({*np.argsort(-found)[:LEADING].tolist(), *problem.wanted.weighted})
    chosen = leading if problem.large else None
    cycles = reaching(problem, float(found.max()) * ones, ones, chosen)
    if problem.large:
        return np.maximum(1.0, found * float(cycles[0] / found.max())), cycles, leading
    excess = problem.counted(cycles).variance(cycles) - never
    return np.maximum(1.0, cycles[0] * excess / (wanted - never)), cycles, leading


def _refuse_too_long(problem: Problem, cycles: Array, parts: Array, never: Array) -> None:
    """Refuse targets that take more than `LONGEST` on the even grid: what is expected hardly depends on them."""
    most = LONGEST / ((parts > 0) @ problem.cost(TimeCosts()))
    for index in np.flatnonzero(cycles > most).tolist():
        one, wanted = problem.wanted.quantities[index], problem.wanted.variances[index]
        left = float(np.sqrt(parts[index].sum() / most[index] + never[index]))
        raise TargetError(
            f"{one.name}: an error of {wanted**0.5:.3g} {one.unit}".rstrip()
            + f" is out of reach: {left:.3g} remains after a year; too few photons, or too small a transient there"
        )


def _refuse_out_of_reach(quantity: TargetQuantity, counted: float, never: float, wanted: float) -> None:
    if not np.isfinite(counted):
        raise TargetError(
            f"{quantity.name}: a point saturates, or too few photons are expected; change the attenuation"
        )
    if not counted > 0:
        raise TargetError(f"{quantity.name}: depends on no point of the grid")
    if never >= wanted:
        raise TargetError(
            f"{quantity.name}: an error of {wanted**0.5:.3g} {quantity.unit}".rstrip()
            + f" is out of reach: {never**0.5:.3g} remains however long is counted (background, efficiencies, residual)"
        )


def _forecasts(problem: Problem, cycles: Array, even: Array) -> tuple[TargetForecast, ...]:
    variance, never = problem.counted(cycles).variance(cycles), problem.floor(cycles)
    each = zip(
        problem.wanted.quantities, problem.wanted.values,
        *np.sqrt([problem.wanted.variances, variance, never]).tolist(), even.tolist(), strict=True,
    )  # fmt: skip
    return tuple(
        TargetForecast(quantity.name, quantity.unit, value.value, wanted, stddev, low, needed)
        for quantity, value, wanted, stddev, low, needed in each
    )
