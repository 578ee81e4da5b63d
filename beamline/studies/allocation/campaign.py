"""Campaigns without hardware: passes are drawn, the error is predicted after each, and the campaign stops by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.studies.allocation.cases import COSTS, AllocationCase, brighter
from beamline.studies.allocation.estimate import ESTIMATORS
from reduction.allocation.allocate import Allocation, allocate
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.problem import Problem
from reduction.allocation.shares import reaching
from reduction.allocation.whole import cycles_of_pass
from reduction.counting.kernels import EMPTY, OFF
from reduction.counting.pileup import photons_per_pulse
from reduction.counting.rows import DwellRows, point_rates
from reduction.references.dwell_noise import dwell_noise
from reduction.settings import Settings

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

RATES, NOISES = (0.8, 1.25), (0.006, 0.014)
"""Ranges of what nobody knows before: photons over those expected, and the noise of dwells."""
MOST = 12
"""Passes."""


@dataclass(frozen=True)
class CampaignResult:
    """One campaign.

    Attributes
    ----------
    deviation, error : float
        From the truth, and as quoted; NaN where the reduction quotes no number.
    fixed : tuple of float
        The same of the planned time, whatever the rates are.
    seconds : float
        Wall time.
    predicted : float
        Error at the end over the wanted one.
    """

    deviation: float
    error: float
    fixed: tuple[float, float]
    seconds: float
    predicted: float


def prepared(case: AllocationCase) -> tuple[Allocation, float]:
    """Allocation of a case, and the expected value of its quantity."""
    found = allocate([case.grid], [case.target], COSTS, [[other] for other in case.others])
    return found, found.targets[0].value


def campaign(case: AllocationCase, plan: Allocation, seed: int) -> CampaignResult:
    """One campaign of a case."""
    rng = np.random.default_rng([20, seed])
    truth = brighter(case.grid, float(rng.uniform(*RATES)), float(rng.uniform(*NOISES)))
    ahead, passes, seconds = _Ahead.of(plan), list[DwellRows](), 0.0
    while ahead.error > plan.targets[0].wanted and len(passes) < MOST:
        cycles = cycles_of_pass(ahead.wanted, ahead.done, max(1, COSTS.passes - len(passes)))
        if not passes or not cycles.any():
            cycles = np.maximum(cycles, 1)
        passes.append(drawn_pass(truth, plan.pattern, cycles, rng))
        seconds += float(cycles.sum()) * COSTS.of_cycle(plan.pattern, truth.dwell)
        seconds += COSTS.move * float((cycles > 0).sum())
        ahead = _ahead(case, plan, joined(passes), ahead.done + cycles)
    fixed = _quoted(case, plan, _planned(truth, plan, rng))
    return CampaignResult(*_quoted(case, plan, passes), fixed, seconds, ahead.error / plan.targets[0].wanted)


def _quoted(case: AllocationCase, plan: Allocation, passes: Sequence[DwellRows]) -> tuple[float, float]:
    """Deviation and error of what the reduction quotes of these passes."""
    rates = point_rates(joined(passes), case.grid.settings.i0_noise, np.zeros(24, np.int64))
    return ESTIMATORS[case.target.quantity](case.grid, rates, plan.targets[0].value, _settings(case.grid))


def _planned(truth: ExpectedGrid, plan: Allocation, rng: np.random.Generator) -> list[DwellRows]:
    """All passes of the plan, without a look at the data between them."""
    passes, done = list[DwellRows](), np.zeros(truth.points, np.int64)
    for left in range(COSTS.passes, 0, -1):
        cycles = cycles_of_pass(plan.cycles[0], done, left)
        cycles = cycles if passes else np.maximum(cycles, 1)
        passes.append(drawn_pass(truth, plan.pattern, cycles, rng))
        done = done + cycles
    return [one for one in passes if one.pass_index.size]


def _settings(grid: ExpectedGrid) -> Settings:
    return replace(grid.settings, drift="off")


@dataclass(frozen=True)
class _Ahead:
    """Cycles that are done and wanted at the end, and the error that is predicted of those that are done."""

    done: IntArray
    wanted: Array
    error: float

    @classmethod
    def of(cls, plan: Allocation) -> _Ahead:
        """Before the first pass."""
        return cls(np.zeros(plan.cycles[0].size, np.int64), plan.cycles[0], np.inf)


def _ahead(case: AllocationCase, plan: Allocation, rows: DwellRows, done: IntArray) -> _Ahead:
    """With the rates and the noise of the dwells so far; the transient is that assumed."""
    grid = case.grid
    off = (rows.state == OFF) & (rows.weight > 0)
    seen = np.where(off[..., None], rows.slot_mu, 0.0).sum(axis=1) / off.sum(axis=1)[:, None]
    factor = seen.mean(axis=1) / grid.photons[OFF].mean(axis=0)
    noise = dwell_noise(rows).at_least(grid.settings.i0_noise)
    cycles = done.astype(np.float64)
    measured = replace(grid, photons=grid.photons * factor, noise=noise)
    problem = Problem([measured], plan.pattern, [case.target], cycles=cycles)
    error = float(np.sqrt(problem.variance(cycles)[0]))
    wanted = reaching(problem, np.maximum(plan.cycles[0], 1.0), np.ones(done.size))
    return _Ahead(done, np.maximum(wanted, cycles), error)


def drawn_pass(grid: ExpectedGrid, pattern: Sequence[int], cycles: IntArray, rng: np.random.Generator) -> DwellRows:
    """Dwells of one pass: binomial counts of each slot, and noise that all slots of a dwell share."""
    states = np.tile(np.array(pattern, np.int8), int(cycles.max()))
    taken = np.arange(states.size) < cycles[:, None] * len(pattern)
    gates = round(grid.gates * grid.dwell) * grid.phases.astype(np.int64)
    jet = 1 + grid.noise * rng.standard_normal(taken.shape)
    photons = np.moveaxis(grid.photons, 2, 0)[:, states] * jet[..., None]
    mu, variance = photons_per_pulse(rng.binomial(gates, -np.expm1(-photons)), np.broadcast_to(gates, photons.shape))
    return DwellRows(
        np.zeros(states.size, np.int64), np.where(taken, states, np.int8(EMPTY)), np.where(taken, float(gates[0]), 0.0),
        np.ones(taken.shape), mu, variance, np.zeros((*mu.shape, 0)),
    )  # fmt: skip


def joined(passes: Sequence[DwellRows]) -> DwellRows:
    """All passes of a campaign."""
    number = np.concatenate([np.full(one.pass_index.size, index) for index, one in enumerate(passes)])
    names = ("state", "weight", "flux", "slot_mu", "slot_var", "slot_shift")
    each: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in passes], axis=1) for name in names}
    return DwellRows(pass_index=number, **each)
