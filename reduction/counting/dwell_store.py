"""Stores all dwells of a sum by pass, segment, point and phase, with the flags of the good ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.background import Background
from reduction.counting.bunches import Bunches, DwellIndex, choose, flags_by_bunch, without
from reduction.counting.current_model import CurrentModel, fit_currents
from reduction.counting.currents import CurrentStore
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import PairStore
from reduction.counting.phase_counts import CountsByPhase
from reduction.counting.phases import Pattern
from reduction.counting.row_store import RowStore, States
from reduction.counting.rows import DwellRows
from reduction.counting.visits import INCOMPLETE, begins_anew, is_whole

Array = NDArray[np.float64]


class DwellStore:
    """Dwells of one or more passes over one grid.

    Parameters
    ----------
    pattern : Pattern
    num_points : int
    background : Background
        Subtracted from the photons of each phase.
    by_phase : bool
        Whether pair counters are stored by phase, as the correction of after-effects needs them.
    pile_up : bool
        Whether hits are corrected for it.

    Attributes
    ----------
    row_of : dict of (pass, segment) to int
    counts : CountsByPhase
    pairs : PairStore
    currents : CurrentStore
    sums : RowStore
    faults, replaced : dict of (point, row) to str
        Reason why a dwell is rejected; the same for one that replaced a good one.
    bunches : Bunches
        Bunches and dwells that are excluded.
    """

    def __init__(
        self, pattern: Pattern, num_points: int, background: Background, by_phase: bool, pile_up: bool
    ) -> None:
        self.pattern, self.num_points = pattern, num_points
        self.row_of: dict[tuple[str, int], int] = {}
        self.counts = CountsByPhase(pattern, num_points, background, pile_up)
        self.pairs = PairStore(num_points, pattern.num_phases if by_phase else 0)
        self.currents = CurrentStore(num_points, pattern.num_bunches)
        self.sums = RowStore.allocate(num_points, 8, pattern.num_slots)
        self.faults: dict[DwellIndex, str] = {}
        self.replaced: dict[DwellIndex, str] = {}
        self.bunches = choose({}, 0, pattern.num_bunches)
        self.bunch_of_phase = pattern.bunch_of_phase()
        self._unscaled = np.ones(pattern.num_bunches)
        self._slots: dict[int, NDArray[np.int64]] = {}
        self._bad: dict[DwellIndex, NDArray[np.int64]] = {}
        self._of_bunches: dict[int, tuple[NDArray[np.int64], Array, Array]] = {}
        self._last_segment: dict[tuple[str, int], int] = {}

    @property
    def pass_uids(self) -> tuple[str, ...]:
        """Uids of the passes, by their number in `row_pass`."""
        return tuple(dict.fromkeys(pass_uid for pass_uid, _ in self.row_of))

    @property
    def row_pass(self) -> NDArray[np.int64]:
        """Number of the pass of each row, shape (R,)."""
        number = {pass_uid: index for index, pass_uid in enumerate(self.pass_uids)}
        return np.array([number[pass_uid] for pass_uid, _ in self.row_of], np.int64)

    @property
    def taken(self) -> States:
        """Laser state of each dwell that could count, shape (N, R)."""
        return self.sums.taken[:, : len(self.row_of)]

    def point_rows(self, point: int) -> DwellRows:
        """Dwells of one point, in the order of the rows."""
        chosen = slice(point, point + 1), slice(0, len(self.row_of))
        names = ("state", "weight", "flux", "slot_mu", "slot_var", "time")
        arrays = {name: getattr(self.sums, name)[chosen] for name in names}
        return DwellRows(pass_index=self.row_pass, slot_shift=np.zeros((*arrays["slot_mu"].shape, 0)), **arrays)

    def row(self, pass_uid: str, segment: int) -> int:
        """Row of a dwell, allocated if new; each row has its own large arrays of phases, which are never copied."""
        key = (pass_uid, segment)
        if key in self.row_of:
            return self.row_of[key]
        row = self.row_of[key] = len(self.row_of)
        self.counts.add_row()
        self.pairs.add_row()
        if row == self.sums.capacity:
            self.sums = self.sums.grown()
        return row

    def slots(self, laser_phase: int) -> NDArray[np.int64]:
        """Slot of each phase, shape (P,)."""
        if laser_phase not in self._slots:
            self._slots[laser_phase] = self.pattern.slot_of_phase(laser_phase)
        return self._slots[laser_phase]

    def put(self, dwell: Dwell, row: int, fault: str | None) -> None:
        """Store the numbers of a dwell, and the reason why it is rejected."""
        index, sums = (dwell.point, row), self.sums
        self.counts.put(row, dwell)
        self._of_bunches.pop(row, None)
        usable = fault is None and dwell.fault_of_pairs() is None
        self.pairs.put(row, dwell.point, dwell.pairs if usable else None)
        self.currents.put(row, dwell.point, dwell.currents)
        if fault is None:
            self.faults.pop(index, None)
            self.replaced.pop(index, None)
        else:
            self.faults[index] = fault
            if sums.taken[index] != kernels.EMPTY:
                self.replaced[index] = fault
        sums.taken[index] = sums.state[index] = kernels.EMPTY if fault else int(dwell.laser_on)
        sums.came[index], sums.weight[index] = True, dwell.gates.mean()
        for name in ("flux", "laser_phase", "gain", "off_point", "time", "seconds", "live_shift"):
            getattr(sums, name)[index] = getattr(dwell, name)

    def photons(self, row: int, points: NDArray[np.int64]) -> tuple[Array, Array]:
        """Photons a pulse of each phase of dwells that could count, and their variance from counting, shape (D, P)."""
        sums = self.sums
        return self.counts.photons(row, points, sums.taken[points, row], sums.laser_phase[points, row])

    def photons_of_bunches(self, row: int, points: NDArray[np.int64]) -> tuple[Array, Array]:
        """Photons a pulse of each bunch and their variance, shape (D, B): means over its phases.

        Kept until a dwell is added to the row.
        """
        known = self._of_bunches.get(row)
        if known is None or not np.array_equal(known[0], points):
            bunches = self.pattern.num_bunches
            shape = (points.size, self.pattern.num_phases // bunches, bunches)
            mu, variance = (values.reshape(shape) for values in self.photons(row, points))
            known = self._of_bunches[row] = points, mu.mean(axis=1), variance.sum(axis=1) / mu.shape[1] ** 2
        return known[1], known[2]

    def scale(self, row: int, point: int) -> Array:
        """Reference current over current of each bunch, shape (B,), by the reading of a dwell alone."""
        scale = self.currents.scale(row, point)
        return self._unscaled if scale is None else scale

    def current_model(self, noise: float | None) -> CurrentModel | None:
        """Currents while each dwell was counted, from all readings; None without any."""
        number = len(self.row_of)
        middle, seconds, came = (getattr(self.sums, name)[:, :number] for name in ("time", "seconds", "came"))
        return fit_currents(self.currents, self.row_pass, middle, seconds, came, noise)

    def visit(self, dwell: Dwell) -> int:
        """Record a dwell of a visit; returns how many counted dwells of an earlier visit it supersedes."""
        here = (dwell.pass_uid, dwell.point)
        superseded = self._forget(*here) if begins_anew(self._last_segment.get(here), dwell.segment) else 0
        self._last_segment[here] = dwell.segment
        return superseded

    def _forget(self, pass_uid: str, point: int, why: str | None = None) -> int:
        """Drop the dwells of a point in a pass; returns how many of them counted."""
        counted = 0
        for row in [row for (name, _), row in self.row_of.items() if name == pass_uid]:
            index = (point, row)
            counted += int(self.sums.state[index] != kernels.EMPTY)
            came, self.sums.came[index] = self.sums.came[index], False
            self.sums.taken[index] = self.sums.state[index] = kernels.EMPTY
            for by_dwell in (self._bad, self.faults, self.replaced):
                by_dwell.pop(index, None)  # type: ignore[attr-defined]
            if came and why is not None:
                self.faults[index] = why
            self.pairs.put(row, point, None)
        return counted

    def drop_incomplete_points(self, pass_uid: str, segments: int) -> dict[int, int]:
        """Drop points of a pass without whole patterns of `segments` dwells; returns good dwellsed, by point."""
        rows = {segment: row for (name, segment), row in self.row_of.items() if name == pass_uid}
        came = self.sums.came[:, list(rows.values())]
        visits = {point: np.array(list(rows))[came[point]].tolist() for point in np.flatnonzero(came.any(axis=1))}
        incomplete = [int(point) for point, visit in visits.items() if not is_whole(visit, segments)]
        dropped = {point: self._forget(pass_uid, point, INCOMPLETE) for point in incomplete}
        if dropped:
            self.decide()
        return dropped

    def assess_bunches(self, index: DwellIndex, flags: NDArray[np.uint8] | None) -> bool:
        """Update the flags of a dwell, None if good; returns whether the excluded bunches or dwells changed."""
        previous = self._bad.pop(index, None)
        if flags is not None:
            self._bad[index] = flags_by_bunch(flags, self.bunch_of_phase, self.pattern.num_bunches)
        anything = previous is not None or bool(self._bad) or bool(self.bunches.out.any()) or bool(self.bunches.dwells)
        return anything and self.decide()

    def decide(self) -> bool:
        """Update the excluded bunches and dwells; returns whether they changed."""
        bunches = self.choose(self.sums.taken)
        state = without(self.sums.taken, bunches.dwells)
        other_bunches = not np.array_equal(bunches.state, self.bunches.state)
        changed = other_bunches or not np.array_equal(state, self.sums.state)
        self.sums.state[:] = state
        self.bunches = bunches
        if other_bunches:
            self.average(bunches.out, self.sums.taken, self.sums.slot_mu, self.sums.slot_var)
        return changed

    def choose(self, taken: States) -> Bunches:
        """Bunches and dwells to exclude if these dwells count."""
        counts = taken != kernels.EMPTY
        bad = {index: states for index, states in self._bad.items() if counts[index]}
        return choose(bad, int(counts.sum()), self.pattern.num_bunches)

    def average(
        self, out: NDArray[np.bool_], taken: States, slot_mu: Array, slot_var: Array, model: CurrentModel | None = None
    ) -> None:
        """Write the slot means of dwells without the excluded bunches; without a model, by each dwell's own reading."""
        for row in range(len(self.row_of)):
            scales = None if model is None else model.scale(self.num_points, row)
            for point in np.flatnonzero(taken[:, row] != kernels.EMPTY):
                (mu,), (var,) = self.photons(row, np.array([point]))
                kernels.average_slots(
                    mu, var, self.slots(int(self.sums.laser_phase[point, row])),
                    self.bunch_of_phase, out, self.scale(row, int(point)) if scales is None else scales[point],
                    slot_mu[point, row], slot_var[point, row],
                )  # fmt: skip

    def take(self, other: DwellStore) -> None:
        """Take all dwells of another store; a point of a pass that both have is that of `other`, the later visit."""
        self._of_bunches.clear()
        for pass_uid, point in other._last_segment.keys() & self._last_segment.keys():
            self._forget(pass_uid, point)
        self._last_segment |= other._last_segment
        for (pass_uid, segment), theirs in other.row_of.items():
            ours = self.row(pass_uid, segment)
            taken = other.sums.came[:, theirs]
            self.sums.take(ours, other.sums, theirs, taken)
            self.counts.take(ours, other.counts, theirs, taken)
            self.pairs.take(ours, other.pairs, theirs, taken)
            self.currents.take(ours, other.currents, theirs, taken)
            for name in ("_bad", "faults", "replaced"):
                mine, source = getattr(self, name), getattr(other, name)
                for point in map(int, np.flatnonzero(taken)):
                    mine.pop((point, ours), None)
                    if (point, theirs) in source:
                        mine[(point, ours)] = source[(point, theirs)]
        self.decide()
        self.average(self.bunches.out, self.sums.taken, self.sums.slot_mu, self.sums.slot_var)
