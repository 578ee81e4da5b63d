"""All dwells of a sum, by pass, segment, point and phase, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels as kernels
from reduction.counting.bunches import Bunches, Place, choose, flags_by_bunch, without
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import PairStore
from reduction.counting.phases import Pattern
from reduction.counting.visits import CUT_OFF, begins_anew, is_whole

Array = NDArray[np.float64]
States = NDArray[np.int8]


@dataclass(frozen=True)
class RowStore:
    """Small arrays of the dwells, shape (points, rows, ...); a row is one segment of one pass.

    Attributes
    ----------
    came : ndarray of bool
        Whether there was a dwell, of whatever quality.
    taken : ndarray of int8
        Laser state of each dwell that could count.
    state : ndarray of int8
        The same without dwells that are out because of others (see `reduction.counting.bunches`).
    gain : ndarray
        Amplifier gain of I0.
    off_point : ndarray, keV
        Readback of the energy less the energy of the point.
    """

    came: NDArray[np.bool_]
    taken: NDArray[np.int8]
    state: NDArray[np.int8]
    weight: NDArray[np.float64]
    flux: NDArray[np.float64]
    laser_phase: NDArray[np.int64]
    gain: NDArray[np.float64]
    off_point: NDArray[np.float64]
    slot_mu: NDArray[np.float64]
    slot_var: NDArray[np.float64]

    @classmethod
    def allocate(cls, points: int, capacity: int, slots: int) -> RowStore:
        return cls(
            came=np.zeros((points, capacity), np.bool_),
            taken=np.full((points, capacity), kernels.EMPTY, np.int8),
            state=np.full((points, capacity), kernels.EMPTY, np.int8),
            weight=np.zeros((points, capacity)),
            flux=np.zeros((points, capacity)),
            laser_phase=np.zeros((points, capacity), np.int64),
            gain=np.ones((points, capacity)),
            off_point=np.zeros((points, capacity)),
            slot_mu=np.full((points, capacity, slots), np.nan),
            slot_var=np.full((points, capacity, slots), np.nan),
        )

    @property
    def capacity(self) -> int:
        return self.state.shape[1]

    def grown(self) -> RowStore:
        """The same rows with room for twice as many."""
        points, capacity, slots = self.slot_mu.shape
        larger = RowStore.allocate(points, 2 * capacity, slots)
        for field in fields(self):
            getattr(larger, field.name)[:, :capacity] = getattr(self, field.name)
        return larger

    def take(self, ours: int, other: RowStore, theirs: int, points: NDArray[np.bool_]) -> None:
        """Copy row `theirs` of another set into row `ours` at the points marked."""
        for field in fields(self):
            getattr(self, field.name)[points, ours] = getattr(other, field.name)[points, theirs]


class DwellStore:
    """Dwells of one or more passes over one grid.

    Parameters
    ----------
    pattern : Pattern
    num_points : int

    Attributes
    ----------
    row_of : dict of (pass, segment) to int
    mu, var : list of ndarray, shape (N, P)
        One array a row: photons a pulse, and their variance.
    pairs : PairStore
    sums : RowStore
    faults, replaced : dict of (point, row) to str
        Why a dwell does not count; the same of one that came after a good one.
    bunches : Bunches
        Which bunches and dwells are out.
    """

    def __init__(self, pattern: Pattern, num_points: int) -> None:
        self.pattern, self.num_points = pattern, num_points
        self.row_of: dict[tuple[str, int], int] = {}
        self.mu: list[Array] = []
        self.var: list[Array] = []
        self.pairs = PairStore(num_points, pattern.num_phases)
        self.sums = RowStore.allocate(num_points, 8, pattern.divider)
        self.faults: dict[Place, str] = {}
        self.replaced: dict[Place, str] = {}
        self.bunches = choose({}, 0, pattern.num_bunches)
        self.bunch_of_phase = pattern.bunch_of_phase()
        self._phase = np.arange(pattern.num_phases, dtype=np.int64)
        self._bad: dict[Place, NDArray[np.int64]] = {}
        self._last_segment: dict[tuple[str, int], int] = {}

    @property
    def scans(self) -> tuple[str, ...]:
        """Uids of the passes, by their number in `row_scan`."""
        return tuple(dict.fromkeys(scan for scan, _ in self.row_of))

    @property
    def row_scan(self) -> NDArray[np.int64]:
        """Number of the pass of each row, shape (R,)."""
        number = {scan: index for index, scan in enumerate(self.scans)}
        return np.array([number[scan] for scan, _ in self.row_of], np.int64)

    @property
    def taken(self) -> States:
        """Laser state of each dwell that could count, shape (N, R)."""
        return self.sums.taken[:, : len(self.row_of)]

    def row(self, scan: str, segment: int) -> int:
        """Row of a dwell, made when it is new; the large arrays of phases are one set a row and never copied."""
        key = (scan, segment)
        if key in self.row_of:
            return self.row_of[key]
        row = self.row_of[key] = len(self.row_of)
        shape = (self.num_points, self.pattern.num_phases)
        self.mu.append(np.zeros(shape))
        self.var.append(np.zeros(shape))
        self.pairs.add_row()
        if row == self.sums.capacity:
            self.sums = self.sums.grown()
        return row

    def slots(self, laser_phase: int) -> NDArray[np.int64]:
        """Slot of each phase, shape (P,)."""
        return (self._phase - laser_phase) % self.pattern.divider

    def keep(self, dwell: Dwell, row: int, fault: str | None) -> None:
        """Keep the numbers of a dwell, and why it does not count."""
        place, sums = (dwell.point, row), self.sums
        usable = fault is None and dwell.fault_of_pairs() is None
        self.pairs.put(row, dwell.point, dwell.pairs if usable else None)
        if fault is None:
            self.faults.pop(place, None)
            self.replaced.pop(place, None)
        else:
            self.faults[place] = fault
            if sums.taken[place] != kernels.EMPTY:
                self.replaced[place] = fault
        sums.taken[place] = sums.state[place] = kernels.EMPTY if fault else int(dwell.laser_on)
        sums.came[place], sums.weight[place] = True, dwell.gates.mean()
        for name in ("flux", "laser_phase", "gain", "off_point"):
            getattr(sums, name)[place] = getattr(dwell, name)

    def visit(self, dwell: Dwell) -> int:
        """Note a dwell of a visit; how many dwells of an earlier visit counted until this one began another."""
        here = (dwell.scan, dwell.point)
        superseded = self._forget(*here) if begins_anew(self._last_segment.get(here), dwell.segment) else 0
        self._last_segment[here] = dwell.segment
        return superseded

    def _forget(self, scan: str, point: int, why: str | None = None) -> int:
        """Leave a point of a pass out; how many of its dwells have counted."""
        counted = 0
        for row in [row for (name, _), row in self.row_of.items() if name == scan]:
            place = (point, row)
            counted += int(self.sums.state[place] != kernels.EMPTY)
            came, self.sums.came[place] = self.sums.came[place], False
            self.sums.taken[place] = self.sums.state[place] = kernels.EMPTY
            for kept in (self._bad, self.faults, self.replaced):
                kept.pop(place, None)  # type: ignore[attr-defined]
            if came and why is not None:
                self.faults[place] = why
            self.pairs.put(row, point, None)
        return counted

    def drop_incomplete_points(self, scan: str, segments: int) -> dict[int, int]:
        """Leave out points of a pass without whole patterns of so many dwells; dwells that counted, by point."""
        rows = {segment: row for (name, segment), row in self.row_of.items() if name == scan}
        came = self.sums.came[:, list(rows.values())]
        visits = {point: np.array(list(rows))[came[point]].tolist() for point in np.flatnonzero(came.any(axis=1))}
        halves = [int(point) for point, visit in visits.items() if not is_whole(visit, segments)]
        dropped = {point: self._forget(scan, point, CUT_OFF) for point in halves}
        if dropped:
            self.decide()
        return dropped

    def judge_bunches(self, place: Place, flags: NDArray[np.uint8] | None) -> bool:
        """Take the flags of a dwell, None for good ones; True if other bunches or dwells are out than before."""
        had = self._bad.pop(place, None)
        if flags is not None:
            self._bad[place] = flags_by_bunch(flags, self.bunch_of_phase, self.pattern.num_bunches)
        anything = had is not None or bool(self._bad) or bool(self.bunches.out.any()) or bool(self.bunches.dwells)
        return anything and self.decide()

    def decide(self) -> bool:
        """Find out which bunches and dwells are out; True if that is news."""
        bunches = self.choose(self.sums.taken)
        state = without(self.sums.taken, bunches.dwells)
        other_bunches = not np.array_equal(bunches.state, self.bunches.state)
        news = other_bunches or not np.array_equal(state, self.sums.state)
        self.sums.state[:] = state
        self.bunches = bunches
        if other_bunches:
            self.average(bunches.out, self.sums.taken, self.sums.slot_mu, self.sums.slot_var)
        return news

    def choose(self, taken: States) -> Bunches:
        """Which bunches and dwells are out, if these dwells count."""
        counts = taken != kernels.EMPTY
        bad = {place: states for place, states in self._bad.items() if counts[place]}
        return choose(bad, int(counts.sum()), self.pattern.num_bunches)

    def average(self, out: NDArray[np.bool_], taken: States, slot_mu: Array, slot_var: Array) -> None:
        """Write the slot means of dwells without the bunches that are out."""
        for point, row in zip(*np.nonzero(taken != kernels.EMPTY), strict=True):
            kernels.average_slots(
                self.mu[row][point], self.var[row][point], self.slots(self.sums.laser_phase[point, row]),
                self.bunch_of_phase, out, slot_mu[point, row], slot_var[point, row],
            )  # fmt: skip

    def take(self, other: DwellStore) -> None:
        """Take all dwells of another store; a point of a pass that both have is that of `other`, the later visit."""
        for scan, point in other._last_segment.keys() & self._last_segment.keys():
            self._forget(scan, point)
        self._last_segment |= other._last_segment
        for (scan, segment), theirs in other.row_of.items():
            ours = self.row(scan, segment)
            taken = other.sums.came[:, theirs]
            self.sums.take(ours, other.sums, theirs, taken)
            self.mu[ours][taken] = other.mu[theirs][taken]
            self.var[ours][taken] = other.var[theirs][taken]
            self.pairs.take(ours, other.pairs, theirs, taken)
            for name in ("_bad", "faults", "replaced"):
                mine, source = getattr(self, name), getattr(other, name)
                for point in map(int, np.flatnonzero(taken)):
                    mine.pop((point, ours), None)
                    if (point, theirs) in source:
                        mine[(point, ours)] = source[(point, theirs)]
        self.decide()
        self.average(self.bunches.out, self.sums.taken, self.sums.slot_mu, self.sums.slot_var)
