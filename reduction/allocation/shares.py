"""The best shares of the time for one pattern of dwells, whatever they are good for with other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.problem import Chosen, Problem, TimeCosts
from reduction.allocation.solve import least_cycles

Array = NDArray[np.float64]

WORST = 1.2
"""Largest time against the even grid if one of the other models is the true one."""
ROUNDS, REPEATS, LONGEST = 30, 3, 12
"""Of solutions with other weights, with other predictions, and of times until a target is met."""
SETTLED, ROUGH = 3e-3, 0.2
SAFE = 0.8
"""Of the largest variance with which slots serve as references."""
HALF = 0.5
"""Of a wanted variance that is left to the points at least, while the solution is looked for."""
MIXTURES = (0.0, 0.1, 0.05, 0.2, 0.35, 0.4, 0.5, 0.75, 1.0)
"""Shares of the time spent evenly that are compared."""
LEADING = 3
"""Quantities of a large measurement, those that take longest, for which other models and rhythms are compared; those
with weights come on top."""


@dataclass(frozen=True)
class OtherModel:
    """Another model of the same grids.

    Attributes
    ----------
    problem : Problem
    even : ndarray
        Variances of the compared quantities on the even grid.
    cycles : float
        Of each point of the even grid.
    chosen : list of int
        Quantities that are compared.
    """

    problem: Problem
    even: Array
    cycles: float
    chosen: list[int]

    @classmethod
    def of(cls, problem: Problem, even: Array, chosen: Chosen = None) -> OtherModel:
        """Beside the cycles of an even grid."""
        compared = list(range(len(problem.wanted.quantities))) if chosen is None else list(chosen)
        counted = problem.counted(even)
        return cls(counted, counted.variance(even, compared)[compared], float(even[0]), compared)

    def counted(self, cycles: Array) -> OtherModel:
        """With what all points share as it is after these cycles."""
        return replace(self, problem=self.problem.counted(cycles))

    def parts(self, cycles: Array) -> Array:
        """Variance from one cycle at each point, of the compared quantities, over that of the even grid."""
        return np.asarray(self.problem.parts(cycles, self.chosen)[0][self.chosen] / (self.even * self.cycles)[:, None])

    def worst(self, cycles: Array, cost: Array) -> float:
        """Time over that of the even grid to the same errors.

        What all points share does not fall as one over the time: the same shares are counted for as long as it takes.
        """
        factor = 1.0
        for _ in range(LONGEST):
            longer = factor * cycles
            step = float((self.problem.counted(longer).variance(longer, self.chosen)[self.chosen] / self.even).max())
            factor *= step
            if abs(step - 1) < SETTLED:
                break
        return factor * float(cost @ cycles) / (self.cycles * float(cost.sum()))


def best_cycles(
    problem: Problem, others: Sequence[Problem], costs: TimeCosts, even: Array, least: float, leading: Chosen = None
) -> tuple[Array, float]:
    """Cycles, and the largest time over that of the even grid with the other models; NaN without any.

    The solution takes from the even grid which slots are clean, and how well their residual is known. That depends on
    the shares, too: so the solution is mixed with the even grid, and the best mixture is taken.
    """
    cost, fewest = problem.cost(costs), np.full(problem.points, float(least))
    models = [OtherModel.of(other, even, leading) for other in others]
    found = even
    for _ in range(1 if problem.large else REPEATS):
        there = [model.counted(found) for model in models]
        found = reaching(problem, _cheapest(problem.counted(found), there, cost, found, fewest), fewest)
    scaled = even * float(cost @ found) / float(cost @ even)
    tried = [found]
    if models or not problem.large:
        more = [(1 - one) * found + one * scaled for one in (MIXTURES[2:5:2] if problem.large else MIXTURES[1:])]
        tried += [reaching(problem, cycles, fewest) for cycles in more]
    tried = sorted([*tried, reaching(problem, even, fewest, leading)], key=lambda cycles: float(cost @ cycles))
    risks = ((cycles, max((one.worst(cycles, cost) for one in models), default=np.nan)) for cycles in tried)
    return next((one for one in risks if not one[1] > WORST), (reaching(problem, even, fewest, leading), 1.0))


def reaching(problem: Problem, cycles: Array, fewest: Array, chosen: Chosen = None) -> Array:
    """The same shares for as long as the targets take.

    The error falls in a step where slots begin to serve as references: between times that are too short and long
    enough the next one is tried half way.
    """
    never = problem.wanted.limits @ problem.floor(cycles, chosen)
    short, enough, factor = 0.0, np.inf, 1.0
    close = ROUGH if problem.large else SETTLED
    for _ in range(LONGEST):
        longer = np.maximum(fewest, factor * cycles)
        excess = problem.wanted.limits @ problem.counted(longer).variance(longer, chosen) - never
        step = float((excess / (1 - never)).max())
        short, enough = (factor, enough) if step > 1 else (short, factor)
        if -close < step - 1 < SETTLED or enough < short * (1 + close) or (step < 1 and not (longer > fewest).any()):
            break
        factor = factor * step if short < factor * step < enough else float(np.sqrt(short * enough))
    if step > 1 + SETTLED and np.isfinite(enough):
        factor = enough
    return np.maximum(fewest, factor * cycles)


def _cheapest(problem: Problem, others: Sequence[OtherModel], cost: Array, cycles: Array, fewest: Array) -> Array:
    """Repeats the solution with the weights of the one before, which never takes longer: weights that are not the best
    for a solution give too large a variance."""
    more = np.zeros((1, 1)) if problem.large else problem.wanted.limits @ problem.shared_by_point(cycles)
    levels = [problem.levels(cycles), *(other.problem.levels(cycles, other.chosen) for other in others)]
    for _ in range(ROUNDS):
        total = float(cost @ cycles)
        parts, common = (problem.wanted.limits @ each for each in problem.parts(cycles))
        parts, common = parts + more, common - (more / cycles).sum(axis=1)
        limits = [np.maximum(1 - common, HALF)]
        limits += [np.full(len(other.chosen), WORST * float(cost.sum()) / total) for other in others]
        rows = [parts, *(other.parts(cycles) for other in others), *levels]
        limits.append(np.full(sum(map(len, levels)), SAFE))
        cycles = least_cycles(np.concatenate(rows), np.concatenate(limits), cost, fewest)
        if abs(float(cost @ cycles) - total) < SETTLED * total:
            break
    return cycles
