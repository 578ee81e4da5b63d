"""The best shares of the time for one pattern of dwells, whatever they are good for with other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.problem import Problem, TimeCosts
from reduction.allocation.solve import least_cycles

Array = NDArray[np.float64]

WORST = 1.2
"""Largest time against the even grid if one of the other models is the true one."""
ROUNDS, REPEATS = 30, 3
SETTLED = 3e-3
HALF = 0.5
"""Of a wanted variance that is left to the points at least, while the solution is looked for."""
MIXTURES = (0.0, 0.1, 0.05, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the time spent evenly that are compared."""
MANY = 2000
"""Points from which on two of them are, and everything is predicted once."""


@dataclass(frozen=True)
class OtherModel:
    """Another model of the same grids.

    Attributes
    ----------
    problem : Problem
    even : ndarray, shape (Q,)
        Variances on the even grid times its cycles.
    """

    problem: Problem
    even: Array

    @classmethod
    def of(cls, problem: Problem, even: Array) -> OtherModel:
        """Beside the cycles of an even grid."""
        counted = problem.counted(even)
        return cls(counted, counted.variance(even) * even[0])

    def counted(self, cycles: Array) -> OtherModel:
        """With what all points share as it is after these cycles."""
        return OtherModel(self.problem.counted(cycles), self.even)

    def worst(self, cycles: Array, cost: Array) -> float:
        """Time over that of the even grid to the same errors."""
        variance = self.problem.counted(cycles).variance(cycles)
        return float((variance / self.even).max()) * float(cost @ cycles / cost.sum())


def best_cycles(
    problem: Problem, others: Sequence[Problem], costs: TimeCosts, even: Array, least: float
) -> tuple[Array, float]:
    """Cycles, and the largest time over that of the even grid with the other models; NaN without any.

    The solution takes from the even grid which slots are clean, and how well their residual is known. That depends on
    the shares, too: so the solution is mixed with the even grid, and the best mixture is taken.
    """
    cost, fewest = problem.cost(costs), np.full(problem.points, float(least))
    models = [OtherModel.of(other, even) for other in others]
    few = problem.points < MANY
    found = even
    for _ in range(REPEATS if few else 1):
        there = [model.counted(found) for model in models]
        found = reaching(problem, _cheapest(problem.counted(found), there, cost, found, fewest), fewest)
    scaled = even * float(cost @ found) / float(cost @ even)
    tried = [(1 - one) * found + one * scaled for one in (MIXTURES if few else MIXTURES[:2])]
    tried = sorted((reaching(problem, cycles, fewest) for cycles in tried), key=lambda cycles: float(cost @ cycles))
    risks = ((cycles, max((one.worst(cycles, cost) for one in models), default=np.nan)) for cycles in tried)
    return next((one for one in risks if not one[1] > WORST), (reaching(problem, even, fewest), 1.0))


def reaching(problem: Problem, cycles: Array, fewest: Array) -> Array:
    """The same shares for as long as the targets take."""
    never = problem.floor(cycles)
    for _ in range(REPEATS):  # which slots are clean, and their residual, depend on the time
        excess = problem.counted(cycles).variance(cycles) - never
        factor = float((excess / (problem.wanted - never)).max())
        cycles = np.maximum(fewest, cycles * factor)
        if abs(factor - 1) < SETTLED:
            break
    return cycles


def _cheapest(problem: Problem, others: Sequence[OtherModel], cost: Array, cycles: Array, fewest: Array) -> Array:
    """Repeats the solution with the weights of the one before, which never takes longer: weights that are not the best
    for a solution give too large a variance."""
    more = problem.shared_by_point(cycles) if problem.points < MANY else np.zeros((1, 1))
    for _ in range(ROUNDS):
        total = float(cost @ cycles)
        parts, common = problem.parts(cycles)
        parts, common = parts + more, common - (more / cycles).sum(axis=1)
        limits = [np.maximum(problem.wanted - common, HALF * problem.wanted)]
        limits += [WORST * other.even * float(cost.sum()) / total for other in others]
        rows = [parts, *(other.problem.parts(cycles)[0] for other in others)]
        cycles = least_cycles(np.concatenate(rows), np.concatenate(limits), cost, fewest)
        if abs(float(cost @ cycles) - total) < SETTLED * total:
            break
    return cycles
