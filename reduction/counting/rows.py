"""The slot means of every dwell as plain arrays, and the rates of each point from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.current_errors import CurrentErrors
from reduction.counting.neighbours import Neighbours
from reduction.counting.pairs import PairReport
from reduction.counting.phases import Pattern
from reduction.counting.pileup import photons_per_pulse
from reduction.counting.row_parts import BunchAgreement, GroundState

Array = NDArray[np.float64]


PER_DWELL = ("state", "weight", "flux", "slot_mu", "slot_var", "slot_shift")
"""Arrays of `DwellRows` whose first axes are points and rows."""
OPTIONAL = ("currents", "ground", "neighbours")
"""Parts of `DwellRows` that some measurements have."""


@dataclass(frozen=True)
class DwellRows:
    """Slot means of all dwells; axes N points, R rows (a row is one segment of one pass), S slots.

    Attributes
    ----------
    pass_index : ndarray of int, shape (R,)
        Number of the pass that a row belongs to, in the order in which passes came.
    state : ndarray of int8, shape (N, R)
        `kernels.OFF`, `kernels.ON`, or `kernels.EMPTY` where no dwell counts.
    weight : ndarray, shape (N, R)
        Mean opened gates per phase.
    flux : ndarray, shape (N, R)
        I0 counts per pulse, dark subtracted.
    slot_mu, slot_var : ndarray, shape (N, R, S)
        Photons per pulse, unweighted mean over the slot's phases, and its variance from counting.
    slot_shift : ndarray, shape (N, R, S, M)
        Change of `slot_mu` by one standard deviation of each of M independent parameters common to all dwells; M may
        be 0.
    time : ndarray, shape (N, R), optional
        Seconds from an origin that the dwells of a pass share; NaN where unknown.
    currents : CurrentErrors, optional
        Relative errors of `slot_mu` from the currents of the bunches by which it was divided.
    ground : GroundState, optional
        Of the same dwells, where the laser is slow.
    slot_weight : ndarray, shape (S,), optional
        Phases of each slot over their mean, where slots have different numbers of them.
    neighbours : Neighbours, optional
        Correlation of the errors of points that share frames of a sweep.
    """

    pass_index: NDArray[np.int64]
    state: NDArray[np.int8]
    weight: Array
    flux: Array
    slot_mu: Array
    slot_var: Array
    slot_shift: Array
    time: Array | None = None
    currents: CurrentErrors | None = None
    ground: GroundState | None = None
    slot_weight: Array | None = None
    neighbours: Neighbours | None = None

    def of_all_slots(self) -> tuple[Array, Array]:
        """Photons of all slots together and their variance, shape (N, R): each phase has the same weight."""
        weight = np.ones(self.num_slots) if self.slot_weight is None else self.slot_weight
        return self.slot_mu @ weight, self.slot_var @ weight**2

    @property
    def num_slots(self) -> int:
        return self.slot_mu.shape[2]

    @property
    def exposure(self) -> Array:
        """Gates times flux of each dwell, shape (N, R): proportional to the I0 counts."""
        return self.weight * self.flux


@dataclass(frozen=True)
class PointRates:
    """Rates of all points of a grid, photons per I0 count; index 0 is laser off, 1 is laser on.

    Attributes
    ----------
    rate : ndarray, shape (2, S, E)
        NaN where no dwell counts.
    covariance : ndarray, shape (2, S, S, E)
        Between slots, of each point: counting, I0 and background. Between points only the background is shared.
    dwells : ndarray of int, shape (2, E)
        Good dwells.
    bunches_out : ndarray of int, shape (B,)
        0 for a bunch that is summed, 1 for one excluded because it saturated, 2 because it had no gates.
    rows : DwellRows, optional
        The dwells that were summed; all references but ``paper`` need them.
    pattern : Pattern, optional
        Bunches, laser and bins of slots; without it all slots count as equal.
    background : ndarray, shape (2, S), optional
        Background subtracted from each slot, photons per pulse.
    pairs : PairReport, optional
        Result of the pair counters; None without them.
    common_variance : ndarray, shape (2, S), optional
        Variance of the background (photons per pulse), common to all dwells with laser off and on.
    notes : tuple of str
        Notes for the user about the dwells.
    faults : mapping of int to tuple of str
        Reasons why dwells are rejected, by point.
    bunches : BunchAgreement, optional
        Chi-square of the bunches' counts; None without laser-off dwells.
    monitors : DwellRows, optional
        Dwells at the monitor energies, N of them, with the laser off; a row is one dwell. None without any.
    """

    rate: Array
    covariance: Array
    dwells: NDArray[np.int64]
    bunches_out: NDArray[np.int64]
    rows: DwellRows | None = None
    pattern: Pattern | None = None
    background: Array | None = None
    pairs: PairReport | None = None
    common_variance: Array | None = None
    notes: tuple[str, ...] = ()
    faults: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    bunches: BunchAgreement | None = None
    monitors: DwellRows | None = None


@dataclass(frozen=True)
class PointUpdate:
    """State of one point after a dwell: rates in photons per I0 count; index 0 is laser off, 1 is laser on.

    Attributes
    ----------
    point : int
    fault : str or None
        Why the last dwell is rejected.
    rate, covariance : ndarray, shapes (2, S) and (2, S, S)
    difference, difference_covariance : ndarray, shapes (S,) and (S, S)
    photons, photons_stddev : ndarray, shape (S,)
        Photons a pulse of the last dwell, by slot, and the standard deviation from counting.
    bad_phases : int
        Phases of the last dwell that were saturated or had no opened gate.
    superseded : int
        Dwells of an earlier visit of the point that counted until this one began another.
    """

    point: int
    fault: str | None
    rate: NDArray[np.float64]
    covariance: NDArray[np.float64]
    difference: NDArray[np.float64]
    difference_covariance: NDArray[np.float64]
    photons: NDArray[np.float64]
    photons_stddev: NDArray[np.float64]
    bad_phases: int
    superseded: int = 0


def point_rates(
    rows: DwellRows,
    i0_noise: float,
    bunches_out: NDArray[np.int64],
    pattern: Pattern | None = None,
    common_variance: Array | None = None,
) -> PointRates:
    """Sum of scans divided by the sum of the flux, for every point (SI 4).

    Parameters
    ----------
    common_variance : ndarray, shape (2, S), optional
        Variance of the background (photons per pulse), common to all dwells with laser off and on.
    """
    points, _, slots = rows.slot_mu.shape
    common = np.zeros((2, slots)) if common_variance is None else common_variance
    rate, cov = np.empty((points, 2, slots)), np.empty((points, 2, slots, slots))
    for p in range(points):
        kernels.sum_rows(
            rows.state[p], rows.weight[p], rows.flux[p], rows.slot_mu[p], rows.slot_var[p], common, i0_noise,
            rate[p], cov[p],
        )  # fmt: skip
    dwells = np.stack([(rows.state == laser).sum(axis=1) for laser in (kernels.OFF, kernels.ON)])
    return PointRates(
        np.moveaxis(rate, 0, -1), np.moveaxis(cov, 0, -1), dwells, bunches_out, rows, pattern,
        common_variance=common,
    )  # fmt: skip


def rows_of_counts(
    hits: NDArray[np.int64],
    gates: NDArray[np.int64],
    flux: Array,
    laser_on: NDArray[np.bool_],
    pass_index: NDArray[np.int64],
    slot_of_phase: NDArray[np.int64],
) -> DwellRows:
    """Rows of a whole measurement at once, for studies: no saturation, no background, one fixed laser phase.

    Parameters
    ----------
    hits, gates : ndarray of int, shape (N, R, P)
    flux : ndarray, shape (N, R), I0 counts a pulse
    laser_on : ndarray of bool, shape (R,)
    pass_index : ndarray of int, shape (R,)
    slot_of_phase : ndarray of int, shape (P,)

    Raises
    ------
    ValueError
        If a gate was full or never opened: such a measurement needs the accumulator, which leaves bunches out.
    """
    mu, variance = photons_per_pulse(hits, gates)
    if not np.isfinite(mu).all():
        raise ValueError("a phase was saturated or without gates; accumulate this measurement dwell by dwell")
    slots = range(int(slot_of_phase.max()) + 1)
    mean = np.stack([mu[:, :, slot_of_phase == s].mean(axis=2) for s in slots], axis=2)
    members = np.bincount(slot_of_phase)
    var = np.stack([variance[:, :, slot_of_phase == s].sum(axis=2) for s in slots], axis=2) / members**2
    state = np.broadcast_to(laser_on, flux.shape).astype(np.int8)
    return DwellRows(pass_index, state, gates.mean(axis=2), flux, mean, var, np.zeros((*mean.shape, 0)))


def only(rows: DwellRows, chosen: NDArray[np.bool_]) -> DwellRows:
    """The dwells of some points, chosen by a mask of shape (N,)."""
    time = None if rows.time is None else rows.time[chosen]
    parts: dict[str, Any] = {name: getattr(rows, name)[chosen] for name in PER_DWELL}
    for name in OPTIONAL:
        part = getattr(rows, name)
        parts[name] = None if part is None else part.only(chosen)
    return replace(rows, time=time, **parts)


def one_pass(rows: DwellRows, index: int) -> DwellRows:
    """The dwells of one pass."""
    mine = rows.pass_index == index
    time = None if rows.time is None else rows.time[:, mine]
    parts: dict[str, Any] = {name: getattr(rows, name)[:, mine] for name in PER_DWELL}
    for name in OPTIONAL:
        part = getattr(rows, name)
        parts[name] = None if part is None else part.rows(mine)
    return replace(rows, pass_index=rows.pass_index[mine], time=time, **parts)
