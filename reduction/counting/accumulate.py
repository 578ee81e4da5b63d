"""Accumulator of photon-counting dwells: add, merge, result.

The state is stored per (pass, point, segment, phase), so that a sum can exclude a dwell, or include it again, at any
time. A bunch that saturated in any counted dwell is excluded from all slots of all dwells, since on and off, and all
energies, must be averages over the same bunches; the dwells of each sum determine which ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting import account, kernels
from reduction.counting.background import Background, background_shifts
from reduction.counting.bunch_agreement import bunch_agreement
from reduction.counting.bunches import SATURATED, Bunches, without
from reduction.counting.corrected import correct, pair_report
from reduction.counting.current_errors import current_errors
from reduction.counting.current_model import CurrentModel
from reduction.counting.dwell import Dwell
from reduction.counting.dwell_store import DwellStore
from reduction.counting.ground import ground_state
from reduction.counting.phases import Pattern
from reduction.counting.row_store import States
from reduction.counting.rows import DwellRows, PointRates, PointUpdate, point_rates
from reduction.errors import ReductionError

__all__ = ["CountingAccumulator", "PointRates", "PointUpdate"]

MOST_MONITORS = 2
"""Monitor energies of a scan."""


class CountingAccumulator:
    """Sums dwells of one or more passes over one grid.

    Parameters
    ----------
    pattern : Pattern
        Bunches and laser; its laser phase is replaced by that of each dwell.
    num_points : int
        Points of the grid.
    i0_noise : float
        Relative standard deviation of one I0 reading.
    background : Background, optional
        Background to subtract.
    after_effects : bool
        Whether `result` corrects after-effects. `add` returns uncorrected rates: the correction needs a whole scan.
    pile_up : bool
        Whether hits are corrected for pile-up.
    bunch_noise : float, optional
        Relative standard deviation of a reading of a bunch's current; by default from the readings themselves. `add`
        divides by the reading of the dwell; `result` interpolates between all of them.
    """

    def __init__(
        self,
        pattern: Pattern,
        num_points: int,
        i0_noise: float,
        background: Background | None = None,
        after_effects: bool = False,
        bunch_noise: float | None = None,
        pile_up: bool = True,
    ) -> None:
        self.pattern = pattern
        self.num_points = num_points
        self.i0_noise = i0_noise
        self.background = background or Background.none(pattern)
        self.after_effects, self.bunch_noise, self.pile_up = after_effects, bunch_noise, pile_up
        self._store = DwellStore(pattern, num_points, self.background, after_effects, pile_up)
        self._common = self.background.slot_variance(pattern, self._store.bunches.out)
        self._monitors: CountingAccumulator | None = None

    @property
    def pass_uids(self) -> tuple[str, ...]:
        """Uids of the passes, by their number in `row_pass`."""
        return self._store.pass_uids

    @property
    def row_pass(self) -> NDArray[np.int64]:
        """Number of the pass of each row of dwells, shape (R,)."""
        return self._store.row_pass

    def add(self, dwell: Dwell) -> PointUpdate:
        """Add one dwell; it replaces an earlier one of the same pass, point and segment.

        If the segments start over, the point is visited again, and its earlier dwells no longer count. Dwells at
        monitor energies are summed separately, and the update is that of the monitor energy.

        Returns
        -------
        PointUpdate
            The point after this dwell, computed in one kernel call.

        Raises
        ------
        ValueError
            If the dwell does not fit the grid or the pattern.
        """
        if dwell.monitor:
            return self._monitor_sums().add(replace(dwell, monitor=False))
        self._check(dwell)
        store, p, slots = self._store, dwell.point, self.pattern.num_slots
        superseded = store.visit(dwell)
        row, fault = store.row(dwell.pass_uid, dwell.segment), self._fault(dwell)
        store.put(dwell, row, fault)
        mu, var = np.empty((2, self.pattern.num_phases))
        flags, sums = np.empty(self.pattern.num_phases, np.uint8), store.sums
        rate, cov = np.empty((2, slots)), np.empty((2, slots, slots))
        difference, difference_cov = np.empty(slots), np.empty((slots, slots))
        bad = kernels.update_point(
            dwell.hits, dwell.gates, store.counts.background_of(dwell.laser_phase, int(dwell.laser_on)), self.pile_up,
            store.slots(dwell.laser_phase), store.bunch_of_phase, store.bunches.out, store.scale(row, p), row,
            self.i0_noise, self._common, sums.state[p], sums.weight[p], sums.flux[p], mu, var, flags, sums.slot_mu[p],
            sums.slot_var[p], rate, cov, difference, difference_cov,
        )  # fmt: skip
        if store.assess_bunches((p, row), flags if bad and fault is None else None):
            self._common = self.background.slot_variance(self.pattern, store.bunches.out)
            self._sum(p, rate, cov)
            difference[:] = rate[kernels.ON] - rate[kernels.OFF]
            difference_cov[:] = cov[kernels.ON] + cov[kernels.OFF]
        if (p, row) in store.bunches.dwells:
            fault = account.ODD
        photons = np.where(np.isfinite(sums.slot_mu[p, row]), sums.slot_mu[p, row], np.nan)
        with np.errstate(invalid="ignore"):  # impossible counts have no error
            stddev = np.sqrt(sums.slot_var[p, row])
        return PointUpdate(p, fault, rate, cov, difference, difference_cov, photons, stddev, int(bad), superseded)

    def _monitor_sums(self) -> CountingAccumulator:
        if self._monitors is None:
            how = self.background, self.after_effects, self.bunch_noise, self.pile_up
            self._monitors = CountingAccumulator(self.pattern, MOST_MONITORS, self.i0_noise, *how)
        return self._monitors

    def _check(self, dwell: Dwell) -> None:
        if not 0 <= dwell.point < self.num_points:
            raise ValueError(f"point_index {dwell.point} is outside the grid of {self.num_points} points")
        for name, counts in (("Counts", dwell.hits), ("Gates", dwell.gates)):
            if counts.shape != (self.pattern.num_phases,):
                raise ValueError(f"{name} has shape {counts.shape}, the pattern {self.pattern.num_phases} phases")

    def _fault(self, dwell: Dwell) -> str | None:
        """Reason why a dwell is rejected; None if it is good."""
        fault = dwell.fault()
        if fault is None and self.after_effects:
            fault = dwell.fault_of_pairs()
        if fault is None and self._store.counts.background_phases(dwell.laser_phase) is None:
            fault = (
                f"laser at phase {dwell.laser_phase}, background taken at {self.background.laser_phase}: each slot"
                " sees other bunches; take a background run at this phase"
            )
        return fault

    def _sum(self, point: int, rate: NDArray[np.float64], cov: NDArray[np.float64]) -> None:
        sums = self._store.sums
        kernels.sum_rows(
            sums.state[point], sums.weight[point], sums.flux[point], sums.slot_mu[point], sums.slot_var[point],
            self._common, self.i0_noise, rate, cov,
        )  # fmt: skip

    def drop_incomplete_points(self, pass_uid: str, segments: int) -> dict[int, int]:
        """Drop the points of a pass at which the on/off pattern was cut off.

        On and off must be measured alike at a point: in half a pattern drifts affect on and off differently, and the
        other half, measured later, has another setting of the monochromator.

        Parameters
        ----------
        pass_uid : str
            Uid of the pass, which has ended.
        segments : int
            Dwells of the pattern.

        Returns
        -------
        dict
            Number of dropped dwells that had counted, by point.
        """
        return self._store.drop_incomplete_points(pass_uid, segments)

    def dwells_at(self, point: int) -> tuple[int, int]:
        """Good dwells of a point, laser off and on."""
        state = self._store.sums.state[point]
        return int(np.count_nonzero(state == kernels.OFF)), int(np.count_nonzero(state == kernels.ON))

    def point_rows(self, point: int) -> tuple[DwellRows, NDArray[np.float64]]:
        """Dwells of one point so far (N = 1), and the variance of the background that they share, shape (2, S)."""
        return self._store.point_rows(point), self._common

    def merge(self, other: CountingAccumulator) -> None:
        """Add all dwells of another accumulator over the same grid; `other` wins where both have one.

        Raises
        ------
        ValueError
            If grid or pattern differ.
        """
        if other.num_points != self.num_points or not other.pattern.has_slots_of(self.pattern):
            raise ValueError("only passes over the same grid and fill pattern can be summed")
        self._store.take(other._store)
        if other._monitors is not None:
            self._monitor_sums().merge(other._monitors)
        self._common = self.background.slot_variance(self.pattern, self._store.bunches.out)

    def rows(self) -> DwellRows:
        """Copies of the slot means of all dwells so far; rows in the order of their first dwell."""
        return self._rows_of(self._store.taken, self._store.bunches, None)

    def _rows_of(self, taken: States, bunches: Bunches, model: CurrentModel | None) -> DwellRows:
        store, number = self._store, taken.shape[1]
        arrays = {
            name: getattr(store.sums, name)[:, :number].copy()
            for name in ("weight", "flux", "slot_mu", "slot_var", "time")
        }
        if model is not None or not np.array_equal(bunches.state, store.bunches.state):
            store.average(bunches.out, taken, arrays["slot_mu"], arrays["slot_var"], model)
        none = np.zeros((self.num_points, number, self.pattern.num_slots, 0))
        state, weight = without(taken, bunches.dwells), self.pattern.slot_weight()
        return DwellRows(pass_index=store.row_pass, state=state, slot_shift=none, slot_weight=weight, **arrays)

    def result(self, left_out: NDArray[np.bool_] | None = None) -> PointRates:
        """Rates of all points with their covariance, and the dwells behind them.

        Parameters
        ----------
        left_out : ndarray of bool, shape (N, R), optional
            Dwells excluded by decision.

        Raises
        ------
        reduction.spectra.normalise.ReductionError
            If after-effects are to be corrected and there are too few hits to measure them.
        """
        store, taken, bunches = self._store, self._store.taken, self._store.bunches
        if left_out is not None:
            taken = np.where(left_out, np.int8(kernels.EMPTY), taken)
            bunches = store.choose(taken)
        model = store.current_model(self.bunch_noise)
        rows = self._rows_of(taken, bunches, model)
        report = pair_report(store.pairs, rows)
        if self.after_effects:
            laser_phase = store.sums.laser_phase[:, : taken.shape[1]]
            rows, out, report = correct(
                store.pairs, rows, laser_phase, self.pattern, self.background, bunches.out, model
            )
            bunches = replace(bunches, state=np.where(out & ~bunches.out, SATURATED, bunches.state))
        else:
            rows = replace(rows, ground=ground_state(store, rows.state, bunches.out, model))
        if model is not None:
            rows = replace(rows, currents=current_errors(model, taken.shape, self.pattern, bunches.out))
        common = self.background.slot_variance(self.pattern, bunches.out)
        shifts = np.concatenate([background_shifts(common, rows.state), self._dead_time_shifts(rows)], axis=3)
        ground = None if rows.ground is None else rows.ground.with_more(shifts.shape[3])
        rows = replace(rows, slot_shift=np.concatenate([rows.slot_shift, shifts], axis=3), ground=ground)
        rates = point_rates(rows, self.i0_noise, bunches.state, self.pattern, common)
        account = self._account(rows, bunches, left_out)
        background = self.background.slot_mean(self.pattern, bunches.out)
        agreement = bunch_agreement(store, rows.state, model)
        account["notes"] += () if agreement is None else agreement.notes
        account |= {"bunches": agreement, "background": background}
        return replace(rates, pairs=report, monitors=self._monitor_rows(), **account)

    def _dead_time_shifts(self, rows: DwellRows) -> NDArray[np.float64]:
        """Change of the photons by the error of a dead time, shape (N, R, S, 0 or 1)."""
        relative = self._store.sums.live_shift[:, : rows.state.shape[1]]
        if not relative.any():
            return np.empty((*rows.slot_mu.shape, 0))
        return np.asarray(np.nan_to_num(rows.slot_mu) * relative[..., None])[..., None]

    def _monitor_rows(self) -> DwellRows | None:
        """Dwells at the monitor energies, with the passes numbered as in `row_pass`; None without any that counts."""
        if self._monitors is None:
            return None
        try:
            rows = self._monitors.result().rows
        except ReductionError:  # too few hits to find the after-effects
            return None
        assert rows is not None  # of an accumulator
        number = {uid: index for index, uid in enumerate(self.pass_uids)}
        passes = np.array([number.get(uid, -1) for uid in self._monitors.pass_uids], np.int64)[rows.pass_index]
        return replace(rows, pass_index=passes) if (rows.state != kernels.EMPTY).any() else None

    def _account(self, rows: DwellRows, bunches: Bunches, left_out: NDArray[np.bool_] | None) -> dict[str, Any]:
        """Notes about the dwells of a sum, and the reasons why dwells are rejected."""
        store, number = self._store, rows.state.shape[1]
        columns = {name: getattr(store.sums, name)[:, :number] for name in ("gain", "off_point")}
        segments = [segment for _, segment in store.row_of]
        dwells = account.Dwells(rows.pass_index, segments, store.taken, rows.state, **columns)
        faults = {**store.faults, **dict.fromkeys(bunches.dwells, account.ODD)}
        if left_out is not None:
            faults |= {(int(p), int(r)): account.BY_DECISION for p, r in zip(*np.nonzero(left_out), strict=True)}
        return {
            "notes": account.sentences(dwells, bunches, store.replaced) + store.currents.notes(),
            "faults": account.faults_by_point(faults),
        }
