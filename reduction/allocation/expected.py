"""What is assumed of a grid before it is measured, and the dwells that it predicts.

Rates, pile-up, background, noise of dwells and efficiencies are those of the beamline; only the transient is a model.
Nothing here comes from the size of an observed signal: time that follows the signal would bias it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.background import background_shifts
from reduction.counting.kernels import OFF, ON
from reduction.counting.pileup import photons_per_pulse
from reduction.counting.rows import DwellRows
from reduction.errors import ReductionError
from reduction.references.clean_slots import CleanSlots, find_clean_slots
from reduction.references.efficiency import slot_efficiency
from reduction.references.methods import Comparison, logs_of
from reduction.references.on_off import balanced
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings

Array = NDArray[np.float64]

STATES = (OFF, ON)
SURE = 0.7
"""Fraction of the time after which slots have to serve as references, if that is to be relied on: the error rises in a
step where they do not, and the data decide about it with their noise."""
FEWEST = 10.0
"""Gates of a phase without a hit in a dwell, below which a phase may saturate."""


@dataclass(frozen=True)
class ExpectedGrid:
    """One grid of an energy, delay or fluence scan; N points, S slots.

    Attributes
    ----------
    axis : str
        Data key of the axis: ``mono_energy`` (keV), ``laser_delay`` (ps) or ``laser_fluence`` (mJ/cm2).
    position : ndarray, shape (N,)
        Points, ascending.
    photons : ndarray, shape (2, S, N)
        Photons a pulse with the laser off and on, background included.
    background, background_stddev : ndarray, shape (2, S)
        Photons a pulse that are subtracted, and the standard deviations that all dwells share.
    gates : float
        Opened gates of a phase in a second.
    phases : ndarray, shape (S,)
        Phases of each slot.
    dwell : float, s
        Of one dwell.
    noise : float
        Relative standard deviation of a dwell beyond counting: jet, and flux that I0 does not measure.
    settings : Settings
        Of the reduction; windows, reference and response are taken from here.
    slot_delays : ndarray, shape (S,), optional
        Delay of each slot after the pump, ps; by default in slot order.
    labels : mapping
        Which grid this is, for example ``edge`` and ``delay`` (ps); quantities refer to it.
    model : mapping
        What quantities need beyond the spectra: ``comparison`` (windows of C), ``lifetimes`` (ps, infinity for an
        offset), ``response`` (ps).
    """

    axis: str
    position: Array
    photons: Array
    background: Array
    background_stddev: Array
    gates: float
    phases: Array
    dwell: float
    noise: float
    settings: Settings
    slot_delays: Array | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def points(self) -> int:
        return int(self.position.size)


def expected_comparison(grid: ExpectedGrid, pattern: Sequence[int], cycles: Array) -> Comparison:
    """What the references need of dwells that have the expected means and variances.

    Parameters
    ----------
    grid : ExpectedGrid
    pattern : sequence of int
        Laser states of one cycle.
    cycles : ndarray, shape (N,)
        At each point, above zero; need not be whole.
    """
    _refuse_saturated(grid)
    dwells = np.outer([pattern.count(0), pattern.count(1)], cycles)
    table = SlotTable.of(grid.phases.size, grid.slot_delays)
    table = replace(table, share=grid.phases / grid.phases.sum())
    rows = _rows(grid, dwells)
    on_off = replace(balanced(rows), variance_factor=1 / dwells)  # a row stands for many dwells
    efficiency = slot_efficiency(rows, table.share)
    logs = replace(logs_of(on_off, efficiency, table, grid.noise), exact=True)
    clean = find_clean_slots(logs, grid.settings.late_slots)
    if not clean.usable_within(SURE):
        clean = CleanSlots.none(table.order.size, logs.last, clean.significance)
    return Comparison(on_off, efficiency, grid.noise, True, logs, clean)


def _refuse_saturated(grid: ExpectedGrid) -> None:
    empty = grid.gates * grid.dwell * np.exp(-grid.photons.max(axis=(0, 1)))
    if (full := empty < FEWEST).any():
        at, photons = grid.position[full][0], grid.photons.max(axis=(0, 1))[full][0]
        raise ReductionError(f"{photons:.3g} photons a pulse at {at:g} would fill every gate: attenuate the beam")


def _rows(grid: ExpectedGrid, dwells: Array) -> DwellRows:
    """One row for each laser state, with all its dwells."""
    gates = grid.gates * grid.dwell * dwells.T
    state = np.tile(np.array(STATES, np.int8), (grid.points, 1))
    phases = gates[..., None] * grid.phases
    variance = photons_per_pulse(-np.expm1(-_by_row(grid.photons)) * phases, phases)[1]
    return DwellRows(
        pass_index=np.zeros(len(STATES), np.int64),
        state=state,
        weight=gates,
        flux=np.ones_like(gates),
        slot_mu=_by_row(grid.photons - grid.background[..., None]),
        slot_var=variance,
        slot_shift=background_shifts(grid.background_stddev**2, state),
        slot_weight=grid.phases / grid.phases.mean(),
    )


def _by_row(of_slots: Array) -> Array:
    return np.moveaxis(of_slots, 2, 0)
