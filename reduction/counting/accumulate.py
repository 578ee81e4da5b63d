"""Accumulator of photon-counting dwells: add, merge, result.

State is kept per (pass, point, segment, phase), so that leaving a dwell out, or taking it back, is a sum over
what is there. A bunch that saturated in any dwell leaves all slots of all dwells, since on and off,
and all energies, must be averages over the same bunches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels as kernels
from reduction.counting.corrected import correct, pair_report
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import PairStore
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows, PointRates, PointUpdate, RowStore, point_rates
from reduction.counting.visits import begins_anew, is_whole

__all__ = ["CountingAccumulator", "PointRates", "PointUpdate"]


ROW_ARRAYS = ("state", "weight", "flux", "slot_mu", "slot_var")
"""Of `RowStore` and `DwellRows`."""


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
    background, background_variance : ndarray, shape (2, P), optional
        Photons a pulse that are not from the sample, laser off and on, by phase, and their variance.
    after_effects : bool
        Whether `result` takes after-effects out. What `add` returns is as counted: they are known once a scan is whole.
    """

    def __init__(
        self,
        pattern: Pattern,
        num_points: int,
        i0_noise: float,
        background: NDArray[np.float64] | None = None,
        background_variance: NDArray[np.float64] | None = None,
        after_effects: bool = False,
    ) -> None:
        shape = (2, pattern.num_phases)
        self.pattern = pattern
        self.num_points = num_points
        self.i0_noise = i0_noise
        self.background = _of_shape("background", background, shape)
        self.background_variance = _of_shape("background_variance", background_variance, shape)
        self.bunch_out = np.zeros(pattern.num_bunches, np.bool_)
        self._bunch_of_phase = pattern.bunch_of_phase()
        self._phase_index = np.arange(pattern.num_phases, dtype=np.int64)
        self._rows: dict[tuple[str, int], int] = {}
        self._last_segment: dict[tuple[str, int], int] = {}
        self._mu: list[NDArray[np.float64]] = []
        self._var: list[NDArray[np.float64]] = []
        self._flags: list[NDArray[np.uint8]] = []
        self.after_effects = after_effects
        self._pairs = PairStore(num_points, pattern.num_phases)
        self._sums = RowStore.allocate(num_points, 8, pattern.divider)

    def _row(self, scan: str, segment: int) -> int:
        """Row of a dwell, made when it is new; the large arrays of phases are one set a row and never copied."""
        key = (scan, segment)
        if key in self._rows:
            return self._rows[key]
        row = self._rows[key] = len(self._rows)
        shape = (self.num_points, self.pattern.num_phases)
        self._mu.append(np.zeros(shape))
        self._var.append(np.zeros(shape))
        self._flags.append(np.zeros(shape, np.uint8))
        self._pairs.add_row()
        if row == self._sums.capacity:
            self._sums = self._sums.grown()
        return row

    def _slots(self, laser_phase: int) -> NDArray[np.int64]:
        return (self._phase_index - laser_phase) % self.pattern.divider

    def add(self, dwell: Dwell) -> PointUpdate:
        """Take one dwell; a later one of the same pass, point and segment takes its place.

        Where the segments begin anew the point is visited again: what was taken before does not count any more.

        Returns
        -------
        PointUpdate
            The point after this dwell, computed in one kernel call.

        Raises
        ------
        ValueError
            If the dwell does not fit the grid or the pattern.
        """
        if not 0 <= dwell.point < self.num_points:
            raise ValueError(f"point_index {dwell.point} is outside the grid of {self.num_points} points")
        for name, counts in (("Counts", dwell.hits), ("Gates", dwell.gates)):
            if counts.shape != self._phase_index.shape:
                raise ValueError(f"{name} has shape {counts.shape}, the pattern {self._phase_index.size} phases")
        here = (dwell.scan, dwell.point)
        superseded = self._forget(*here) if begins_anew(self._last_segment.get(here), dwell.segment) else 0
        self._last_segment[here] = dwell.segment
        row = self._row(dwell.scan, dwell.segment)
        fault_of_pairs = dwell.fault_of_pairs()
        fault = dwell.fault() or (fault_of_pairs if self.after_effects else None)
        self._pairs.put(row, dwell.point, None if fault or fault_of_pairs else dwell.pairs)
        p, laser = dwell.point, int(dwell.laser_on)
        self._sums.state[p, row] = kernels.EMPTY if fault else laser
        self._sums.weight[p, row] = dwell.gates.mean()
        self._sums.flux[p, row] = dwell.flux
        self._sums.laser_phase[p, row] = dwell.laser_phase
        slots = self.pattern.divider
        rate, cov = np.empty((2, slots)), np.empty((2, slots, slots))
        difference, difference_cov = np.empty(slots), np.empty((slots, slots))
        bad = kernels.update_point(
            dwell.hits, dwell.gates, self.background[laser], self.background_variance[laser],
            self._slots(dwell.laser_phase), self._bunch_of_phase, self.bunch_out,
            row, self.i0_noise, self._sums.state[p], self._sums.weight[p], self._sums.flux[p],
            self._mu[row][p], self._var[row][p], self._flags[row][p], self._sums.slot_mu[p], self._sums.slot_var[p],
            rate, cov, difference, difference_cov,
        )  # fmt: skip
        if bad and fault is None and self._drop_bunches(self._flags[row][p]):
            self._sum(p, rate, cov)
            difference[:] = rate[kernels.ON] - rate[kernels.OFF]
            difference_cov[:] = cov[kernels.ON] + cov[kernels.OFF]
        photons = self._sums.slot_mu[p, row].copy()
        with np.errstate(invalid="ignore"):  # counts that cannot be have no error
            stddev = np.sqrt(self._sums.slot_var[p, row])
        return PointUpdate(p, fault, rate, cov, difference, difference_cov, photons, stddev, int(bad), superseded)

    def _forget(self, scan: str, point: int) -> int:
        """Leave a point of a pass out; how many of its dwells have counted."""
        rows = [row for (name, _), row in self._rows.items() if name == scan]
        counted = int(np.count_nonzero(self._sums.state[point, rows] != kernels.EMPTY))
        self._sums.state[point, rows], self._sums.weight[point, rows] = kernels.EMPTY, 0.0
        for row in rows:
            self._pairs.put(row, point, None)
        return counted

    def drop_incomplete_points(self, scan: str, segments: int) -> dict[int, int]:
        """Leave out the points of a pass at which its pattern of dwells was cut off.

        On and off have to be measured alike at a point: half a pattern has another share of the drift in on than in
        off, and the rest of it, taken later, another setting of the monochromator.

        Parameters
        ----------
        scan : str
            The pass, when it has ended.
        segments : int
            Dwells of the pattern.

        Returns
        -------
        dict
            Dwells that have counted, by point.
        """
        rows = {segment: row for (name, segment), row in self._rows.items() if name == scan}
        taken = self._sums.weight[:, list(rows.values())] > 0
        visits = {point: np.array(list(rows))[taken[point]].tolist() for point in np.flatnonzero(taken.any(axis=1))}
        halves = [int(point) for point, visit in visits.items() if not is_whole(visit, segments)]
        return {point: self._forget(scan, point) for point in halves}

    def _drop_bunches(self, flags: NDArray[np.uint8]) -> bool:
        """Leave the bunches of flagged phases out everywhere; True if that was news."""
        bad = np.unique(self._bunch_of_phase[flags != kernels.GOOD])
        if self.bunch_out[bad].all():
            return False
        self.bunch_out[bad] = True
        self._average_all()
        return True

    def _average_all(self) -> None:
        for point, row in zip(*np.nonzero(self._sums.state != kernels.EMPTY), strict=True):
            self._average(point, row)

    def _average(self, point: int, row: int) -> None:
        kernels.average_slots(
            self._mu[row][point], self._var[row][point], self._slots(self._sums.laser_phase[point, row]),
            self._bunch_of_phase, self.bunch_out, self._sums.slot_mu[point, row], self._sums.slot_var[point, row],
        )  # fmt: skip

    def _sum(self, point: int, rate: NDArray[np.float64], cov: NDArray[np.float64]) -> None:
        kernels.sum_rows(
            self._sums.state[point], self._sums.weight[point], self._sums.flux[point],
            self._sums.slot_mu[point], self._sums.slot_var[point], self.i0_noise, rate, cov,
        )  # fmt: skip

    def dwells_at(self, point: int) -> tuple[int, int]:
        """Dwells of a point that count, laser off and on."""
        state = self._sums.state[point]
        return int(np.count_nonzero(state == kernels.OFF)), int(np.count_nonzero(state == kernels.ON))

    def merge(self, other: CountingAccumulator) -> None:
        """Take all dwells of another accumulator over the same grid; one that is in both is taken from `other`.

        Raises
        ------
        ValueError
            If grid or pattern differ.
        """
        if (other.num_points, other.pattern.num_bunches, other.pattern.divider) != (
            self.num_points,
            self.pattern.num_bunches,
            self.pattern.divider,
        ):
            raise ValueError("only passes over the same grid and fill pattern can be summed")
        for scan, point in other._last_segment.keys() & self._last_segment.keys():
            self._forget(scan, point)  # theirs is the later visit
        self._last_segment |= other._last_segment
        for (scan, segment), theirs in other._rows.items():
            ours = self._row(scan, segment)
            taken = other._sums.weight[:, theirs] > 0
            self._sums.take(ours, other._sums, theirs, taken)
            for mine, source in ((self._mu, other._mu), (self._var, other._var), (self._flags, other._flags)):
                mine[ours][taken] = source[theirs][taken]  # type: ignore[index]
            self._pairs.take(ours, other._pairs, theirs, taken)
        self.bunch_out |= other.bunch_out
        self._average_all()

    @property
    def scans(self) -> tuple[str, ...]:
        """Uids of the passes, by their number in `rows`."""
        return tuple(dict.fromkeys(scan for scan, _ in self._rows))

    def rows(self) -> DwellRows:
        """Slot means of all dwells so far, as copies; rows in the order in which they first came."""
        number = len(self._rows)
        scans = {scan: index for index, scan in enumerate(self.scans)}
        kept = {name: getattr(self._sums, name)[:, :number].copy() for name in ROW_ARRAYS}
        return DwellRows(
            scan=np.array([scans[scan] for scan, _ in self._rows], np.int64),
            slot_shift=np.zeros((self.num_points, number, self.pattern.divider, 0)),
            **kept,
        )

    def result(self) -> PointRates:
        """Rates of all points with their covariance, and the dwells behind them.

        Raises
        ------
        reduction.spectra.normalise.ReductionError
            If after-effects are to be taken out and there are too few hits to find them.
        """
        rows, out = self.rows(), self.bunch_out
        report = pair_report(self._pairs, rows)
        if self.after_effects:
            laser_phase = self._sums.laser_phase[:, : len(self._rows)]
            rows, out, report = correct(
                self._pairs, rows, laser_phase, self.pattern, self.background, self.background_variance, out
            )
        rates = point_rates(rows, self.i0_noise, out.astype(np.int64), self.pattern.slots_share_bunches)
        return replace(rates, pairs=report)


def _of_shape(name: str, array: NDArray[np.float64] | None, shape: tuple[int, int]) -> NDArray[np.float64]:
    if array is None:
        return np.zeros(shape)
    array = np.ascontiguousarray(array, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, not {shape} (laser off and on, phases)")
    return array
