"""Campaigns of all cases in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from beamline.studies.allocation.campaign import CampaignResult, campaign, prepared
from beamline.studies.allocation.cases import COSTS, AllocationCase
from reduction.allocation.allocate import Allocation
from reduction.allocation.problem import Problem
from reduction.allocation.shares import OtherModel

Array = NDArray[np.float64]

COLUMNS = (
    "quantity", "wanted", "even (s)", "allocated (s)", "times faster", "wrong, foreseen", "wrong, not foreseen", "n",
    "bias, fixed", "bias", "68 %, fixed", "68 %", "95 %", "time / forecast",
)  # fmt: skip


@dataclass(frozen=True)
class AllocationRow:
    """One quantity of the study.

    Attributes
    ----------
    case : AllocationCase
    plan : Allocation
    unforeseen : float
        Largest time over that of the even grid with the models that nobody thought of.
    results : tuple of CampaignResult
    """

    case: AllocationCase
    plan: Allocation
    unforeseen: float
    results: tuple[CampaignResult, ...]

    @property
    def faster(self) -> float:
        return self.plan.even_seconds / self.plan.seconds

    def cells(self) -> tuple[str, ...]:
        """Texts of a line of the table, in the order of `COLUMNS`."""
        target = self.plan.targets[0]
        times = (f"{self.plan.even_seconds:.0f}", f"{self.plan.seconds:.0f}", f"{self.faster:.1f}")
        wrong = (f"{self.plan.worst:.2f}", f"{self.unforeseen:.2f}")
        return self.case.title, f"{target.wanted:.3g} {target.unit}".strip(), *times, *wrong, *self._statistics()

    def _statistics(self) -> tuple[str, ...]:
        stopped = _known([(one.deviation, one.error) for one in self.results])
        fixed = _known([one.fixed for one in self.results])
        if not stopped.size or not fixed.size:
            return ("0", "", "", "", "", "", "")
        time = np.mean([one.seconds for one in self.results]) / self.plan.seconds
        biases = (f"{each[0].mean() / np.sqrt((each[1] ** 2).mean()):+.3f}" for each in (fixed, stopped))
        return (
            str(stopped.shape[1]), *biases, _coverage(fixed, 1.0), _coverage(stopped, 1.0), _coverage(stopped, 2.0),
            f"{time:.2f}",
        )  # fmt: skip


def _known(pairs: Sequence[tuple[float, float]]) -> Array:
    """Deviations and errors that the reduction quotes, shape (2, n)."""
    found = np.array(pairs).reshape(-1, 2).T
    return np.asarray(found[:, np.isfinite(found).all(axis=0)])


def _coverage(found: Array, limit: float) -> str:
    return f"{100 * np.mean(np.abs(found[0]) < limit * found[1]):.1f}"


def studied(case: AllocationCase, campaigns: int, jobs: int = 1, first: int = 0) -> AllocationRow:
    """Allocation of one case, and its campaigns."""
    plan, _ = prepared(case)
    run = partial(campaign, case, plan)
    seeds = range(first, first + campaigns)
    if jobs == 1:
        results = tuple(map(run, seeds))
    else:
        with get_context("spawn").Pool(jobs) as pool:
            results = tuple(pool.imap(run, seeds, chunksize=16))
    return AllocationRow(case, plan, worst_of(case, plan), results)


def worst_of(case: AllocationCase, plan: Allocation) -> float:
    """Largest time over that of the even grid, of the models that nobody thought of."""
    even = np.full(case.grid.points, plan.targets[0].even)
    cost = np.full(case.grid.points, COSTS.of_cycle(plan.pattern, case.grid.dwell))
    models = [OtherModel.of(Problem([one], plan.pattern, [case.target]), even) for one in case.wrong]
    return max(one.worst(plan.cycles[0], cost) for one in models)


def markdown_of(rows: Sequence[AllocationRow]) -> str:
    """The table as it stands in the documentation."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
