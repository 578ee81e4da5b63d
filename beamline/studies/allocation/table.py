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
    "bias", "68 %", "95 %", "time / forecast",
)  # fmt: skip
FORMS = ("+.3f", ".1f", ".1f", ".2f")
"""Of the last columns."""


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
        found = [one.pull for one in self.results if one.pull is not None]
        if not found:
            return ("0", "", "", "", "")
        error = float(np.sqrt(np.mean([one.error**2 for one in found])))
        held = 100 * np.mean([one.held for one in found], axis=0)
        time = np.mean([one.seconds for one in self.results]) / self.plan.seconds
        numbers = (np.mean([one.deviation for one in found]) / error, *held, time)
        return str(len(found)), *(f"{one:{form}}" for one, form in zip(numbers, FORMS, strict=True))


def studied(case: AllocationCase, campaigns: int, jobs: int = 1, first: int = 0) -> AllocationRow:
    """Allocation of one case, and its campaigns."""
    plan = prepared(case)
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
    models = [OtherModel.of(Problem.of([one], plan.pattern, [case.target]), even) for one in case.wrong]
    return max(one.worst(plan.cycles[0], cost) for one in models)


def markdown_of(rows: Sequence[AllocationRow]) -> str:
    """The table as it stands in the documentation."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
