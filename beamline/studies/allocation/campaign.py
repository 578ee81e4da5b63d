"""Campaigns without hardware: passes are drawn, the error is predicted after each, and the campaign stops by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.studies.allocation.cases import COSTS, AllocationCase, brighter
from beamline.studies.allocation.estimate import ESTIMATORS, PullOfTarget
from reduction.allocation.allocate import Allocation, allocate
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.predicted import predicted
from reduction.allocation.problem import Problem
from reduction.allocation.shares import reaching
from reduction.allocation.wanted import WantedQuantities
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
NEAR = 1.5
"""Times the planned time up to which an error is scaled, and not predicted again."""


@dataclass(frozen=True)
class CampaignResult:
    """One campaign.

    Attributes
    ----------
    pull : PullOfTarget
        Of what the reduction quotes; None where it quotes no number.
    seconds : float
        Wall time.
    """

    pull: PullOfTarget | None
    seconds: float


def prepared(case: AllocationCase) -> Allocation:
    """Allocation of a case."""
    return allocate([case.grid], [case.target], COSTS, [[other] for other in case.others])


def campaign(case: AllocationCase, plan: Allocation, seed: int) -> CampaignResult:
    """One campaign of a case: it ends when the error that is predicted with the rates so far is the wanted one."""
    rng = np.random.default_rng([20, seed])
    truth = brighter(case.grid, float(rng.uniform(*RATES)), float(rng.uniform(*NOISES)))
    quantity = WantedQuantities([case.target], [predicted(case.grid, plan.pattern, np.ones(case.grid.points))])
    passes, done, seconds = list[DwellRows](), np.zeros(truth.points, np.int64), 0.0
    wanted: Array | None = plan.cycles[0]
    while wanted is not None and len(passes) < MOST:
        cycles = cycles_of_pass(wanted, done, max(1, COSTS.passes - len(passes)))
        if not passes or not cycles.any():
            cycles = np.maximum(cycles, 1)
        passes.append(drawn_pass(truth, plan.pattern, cycles, rng))
        seconds += float(cycles.sum()) * COSTS.of_cycle(plan.pattern, truth.dwell)
        seconds += COSTS.move * float((cycles > 0).sum())
        done = done + cycles
        wanted = _wanted(case.grid, plan, quantity, joined(passes), done)
    rates = point_rates(joined(passes), case.grid.settings.i0_noise, np.zeros(24, np.int64))
    return CampaignResult(ESTIMATORS[case.target.quantity](case.grid, rates, _settings(case.grid)), seconds)


def _settings(grid: ExpectedGrid) -> Settings:
    return replace(grid.settings, drift="off")


def _wanted(
    grid: ExpectedGrid, plan: Allocation, quantity: WantedQuantities, rows: DwellRows, done: IntArray
) -> Array | None:
    """Cycles of each point at the end, with the rates and the noise of the dwells so far; None if the target is
    reached. The transient is that assumed."""
    off = (rows.state == OFF) & (rows.weight > 0)
    seen = np.where(off[..., None], rows.slot_mu, 0.0).sum(axis=1) / off.sum(axis=1)[:, None]
    factor = seen.mean(axis=1) / grid.photons[OFF].mean(axis=0)
    noise = dwell_noise(rows).at_least(grid.settings.i0_noise)
    cycles = done.astype(np.float64)
    measured = predicted(replace(grid, photons=grid.photons * factor, noise=noise), plan.pattern, cycles)
    problem = Problem([measured.at(np.ones_like(cycles))], quantity)
    parts, common = problem.parts(cycles)
    variance = plan.targets[0].wanted ** 2
    if float(parts[0] @ (1 / cycles) + common[0]) <= variance:
        return None
    shared = float(common[0]) * float(done.sum() / plan.cycles[0].sum())  # it falls with the time, nearly
    longer = (float(parts[0] @ (1 / plan.cycles[0])) + shared) / variance
    if longer > NEAR:  # slots may serve as references only after more time
        return np.maximum(done, reaching(problem, plan.cycles[0], np.ones_like(cycles)))
    return np.maximum(done, longer * plan.cycles[0])


def drawn_pass(grid: ExpectedGrid, pattern: Sequence[int], cycles: IntArray, rng: np.random.Generator) -> DwellRows:
    """Dwells of one pass: binomial counts of each slot, and noise that all slots of a dwell share."""
    states = np.tile(np.array(pattern, np.int8), int(cycles.max()))
    taken = np.arange(states.size) < cycles[:, None] * len(pattern)
    gates = round(grid.gates * grid.dwell) * grid.phases.astype(np.int64)
    point, at = np.nonzero(taken)
    jet = 1 + grid.noise * rng.standard_normal(point.size)
    photons = grid.photons[states[at], :, point] * jet[:, None]
    mu, variance = np.zeros((*taken.shape, gates.size)), np.zeros((*taken.shape, gates.size))
    mu[taken], variance[taken] = photons_per_pulse(
        rng.binomial(gates, -np.expm1(-photons)), np.broadcast_to(gates, photons.shape)
    )
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
