"""Stopping rule of a session that distributes the time over the points: allocated again before each pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, Protocol

import numpy as np
from bluesky import RunEngine
from numpy.typing import NDArray

from beamline.config.models import Configuration
from beamline.session.guard import Subscriber
from beamline.session.scans.allocated import AllocationContext, advice, allocated, members_of, sentence_of
from plans.protocols import Instruments
from reduction.allocation.allocate import Allocation
from reduction.allocation.names import TargetError
from reduction.allocation.whole import cycles_of_pass
from reduction.errors import ReductionError

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


class _Counted:
    """Dwells and photons of the points of one grid so far."""

    def __init__(self, points: int) -> None:
        self.dwells: IntArray = np.zeros((2, points), np.int64)
        self.photons: Array = np.zeros(points)
        self.events: IntArray = np.zeros(points, np.int64)

    def add(self, data: Mapping[str, Any]) -> None:
        """One event of the stream `points`."""
        point = int(data["point_index"])
        self.dwells[:, point] = int(data["dwells_off"]), int(data["dwells_on"])
        photons = float(np.mean(data["photons"]))
        if np.isfinite(photons):
            self.photons[point] += photons
            self.events[point] += 1

    def cycles(self, pattern: list[int]) -> IntArray:
        """Complete cycles of each point."""
        states = np.array([pattern.count(0), pattern.count(1)])[:, None]
        return np.asarray((self.dwells // np.maximum(states, 1))[states[:, 0] > 0].min(axis=0))

    @property
    def seen(self) -> Array:
        """Photons a pulse, NaN where none were measured."""
        return np.divide(self.photons, self.events, out=np.full_like(self.photons, np.nan), where=self.events > 0)


class AllocatingSession(Protocol):
    """The part of a session that the rule uses."""

    RE: RunEngine
    config: Configuration
    instruments: Instruments

    def listen_reduced(self, listener: Subscriber, title: str) -> None: ...


class AllocationRule:
    """Seconds that a point still needs in this pass, so that all quantities of the target are reached first.

    Parameters
    ----------
    context : AllocationContext
    is_working : callable
        Called first; reduces pending dwells, and returns whether the live reduction works in this run.
    notify : callable
        Called with messages for the user.
    """

    def __init__(
        self, context: AllocationContext, is_working: Callable[[], bool], notify: Callable[[str], None]
    ) -> None:
        self._context, self._is_working, self._notify = context, is_working, notify
        self._start: Mapping[str, Any] = {}
        self._sets: dict[str, _Counted] = {}
        self._series = ""
        self._wanted: dict[str, IntArray] = {}
        self._ended = 0
        self._of_one_counter: set[str] = set()
        self._advising = Thread()

    @classmethod
    def listening(
        cls, session: AllocatingSession, is_working: Callable[[], bool], notify: Callable[[str], None]
    ) -> AllocationRule:
        """A rule that gets the documents of a session."""
        config = session.config
        rule = cls(AllocationContext(session.instruments.times, config.clock_rate), is_working, notify)
        session.RE.subscribe(rule.begin, "start")
        session.RE.subscribe(rule.end, "stop")
        session.listen_reduced(rule.take, "the allocation of time")
        return rule

    def begin(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process the start document of a raw run."""
        if not isinstance(doc.get("target"), list):
            self._start = {}
            return
        if (series := str(doc.get("series") or doc["scan_set"])) != self._series:
            self._series, self._sets = series, {}
        self._start, self._ended = doc, 0
        for member in members_of(doc):
            self._sets.setdefault(str(member["scan_set"]), _Counted(len(member["grid"])))

    def end(self, name: str, doc: Mapping[str, Any]) -> None:
        """A run has ended: before the next one the time is allocated anew."""
        self._wanted, self._ended = {}, 1

    def take(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process a document of the live reduction; of several counters their combination counts."""
        if name == "descriptor" and str(doc["name"]).startswith("points_"):
            self._of_one_counter.add(doc["uid"])
        if not self._start or name != "event" or doc.get("descriptor") in self._of_one_counter:
            return
        if "difference_stddev" in doc["data"]:
            self._sets[str(self._start["scan_set"])].add(doc["data"])

    def __call__(self, point_index: int) -> float | None:
        """Remaining beamline seconds of a point in this pass; None if nothing is known yet."""
        if not self._is_working() or not self._start:
            return None
        here = str(self._start["scan_set"])
        if here not in self._wanted:
            self._allocate()
        done = self._sets[here].cycles(list(self._start["pattern"]))[point_index]
        return float(self._wanted[here][point_index] - done) * len(self._start["pattern"]) * float(self._start["dwell"])

    def _allocated(self, seen: list[Array]) -> Allocation:
        """With the measured rates, or with those of the forecast where a target is out of reach with them."""
        try:
            return allocated(self._start, self._context, seen)
        except (TargetError, ReductionError) as error:
            self._notify(f"The time is allocated by the rates of the forecast: {error}.")
            return allocated(self._start, self._context)

    def _allocate(self) -> None:
        """Cycles of all points of all grids at the end of this pass."""
        counted = list(self._sets.values())
        seen = [one.seen for one in counted] if all(one.events.all() for one in counted) else []
        found = self._allocated(seen)
        pattern = list(self._start["pattern"])
        left = int(self._start["passes"]) - int(self._start["scan_index"]) - self._ended
        for (uid, one), cycles in zip(self._sets.items(), found.cycles, strict=True):
            done = one.cycles(pattern)
            first = 0 if done.any() else 1
            self._wanted[uid] = done + np.maximum(cycles_of_pass(cycles, done, max(1, left)), first)
        self._notify(sentence_of(found))
        if seen and not self._advising.is_alive():
            self._advising = Thread(target=self._advise, args=(self._start, seen, found), name="advice", daemon=True)
            self._advising.start()

    def _advise(self, start: Mapping[str, Any], seen: list[Array], found: Allocation) -> None:
        """Report what would help most; in a thread of its own, since a plan would wait for it."""
        try:
            change = advice(start, self._context, seen, found)
        except (ValueError, ArithmeticError, OSError) as error:  # those of targets, reduction and forecast among them
            change = f"No advice: {type(error).__name__}: {error}."
        if change:
            self._notify(change)
