"""Stopping rule of a session that distributes the time over the points: allocated again for each pass.

The allocation of a pass is computed while its first points are counted by the one before: a plan does not wait. It
waits before the first pass, where there is none before, before the last one, after which nothing makes up for what it
left out, and where the one before leaves nothing to count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any, Protocol

import numpy as np
from bluesky import RunEngine
from numpy.typing import NDArray

from beamline.config.models import Configuration
from beamline.session.guard import Subscriber
from beamline.session.scans.allocated import AllocationContext, MeasuredGrid, advice, allocated, members_of, sentence_of
from plans.protocols import Instruments
from reduction.allocation.allocate import Allocation
from reduction.allocation.names import TargetError
from reduction.allocation.whole import cycles_of_pass
from reduction.documents.raw import transmission_of
from reduction.documents.results import variogram_of
from reduction.errors import ReductionError
from reduction.references.noise_spectrum import Variogram

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


class _Counted:
    """Dwells and photons of the points of one grid so far."""

    def __init__(self, points: int) -> None:
        self.dwells: IntArray = np.zeros((2, points), np.int64)
        self.photons: Array = np.zeros(points)
        self.events: IntArray = np.zeros(points, np.int64)
        self.noise: float | None = None
        """Of a dwell, by the latest pass."""
        self.variogram: Variogram | None = None

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
        self._before: dict[str, IntArray] = {}
        self._found: Allocation | None = None
        self._pending: Future[Allocation] | None = None
        self._worker = ThreadPoolExecutor(1, "allocation")
        self._ended = 0
        self._of_one_counter: set[str] = set()
        self._transmission: float | None = None
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
        session.RE.subscribe(rule.take_baseline, "event")
        session.listen_reduced(rule.take, "the allocation of time")
        return rule

    def begin(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process the start document of a raw run."""
        if not isinstance(doc.get("target"), list):
            self._start = {}
            return
        if (series := str(doc.get("series") or doc["scan_set"])) != self._series:
            self._series, self._sets, self._wanted, self._found, self._pending = series, {}, {}, None, None
        self._start, self._ended = doc, 0
        for member in members_of(doc):
            self._sets.setdefault(str(member["scan_set"]), _Counted(len(member["grid"])))

    def end(self, name: str, doc: Mapping[str, Any]) -> None:
        """A run has ended: before the next one the time is allocated anew."""
        self._wanted, self._pending, self._ended = {}, None, 1

    def take(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process a document of the live reduction; of several counters their combination counts."""
        if name == "descriptor" and str(doc["name"]).startswith(("points_", "spectrum_", "trace_", "honesty_")):
            self._of_one_counter.add(doc["uid"])
        if not self._start or name != "event" or doc.get("descriptor") in self._of_one_counter:
            return
        here, data = self._sets[str(self._start["scan_set"])], doc["data"]
        if "difference_stddev" in data:
            here.add(data)
        elif "dwell_noise" in data and (self._start["scan_index"] or len(self._start["pattern"]) > 2):
            if np.isfinite(noise := float(data["dwell_noise"])):
                here.noise = noise  # one on and one off dwell of a point do not determine it
        elif "noise_lag" in data:
            here.variogram = variogram_of(data)

    def take_baseline(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process a raw event: the transmission of the attenuators is in those of the baseline."""
        self._transmission = transmission_of(self._start, doc["data"], self._transmission)

    def __call__(self, point_index: int) -> float | None:
        """Remaining beamline seconds of a point in this pass; None if nothing is known yet."""
        if not self._is_working() or not self._start:
            return None
        here = str(self._start["scan_set"])
        if here not in self._wanted:
            self._allocate()
        done = self._sets[here].cycles(list(self._start["pattern"]))
        if self._pending is not None and (self._pending.done() or not (self._wanted[here] > done).any()):
            self._adopt()
        cycles = float(self._wanted[here][point_index] - done[point_index])
        return cycles * len(self._start["pattern"]) * float(self._start["dwell"])

    def _allocated(self, start: Mapping[str, Any], seen: list[MeasuredGrid]) -> Allocation:
        """With what was measured, or with the forecast alone where a target is out of reach with that."""
        try:
            return allocated(start, self._context, seen)
        except (TargetError, ReductionError) as error:
            self._notify(f"The time is allocated by the rates of the forecast: {error}.")
            return allocated(start, self._context)

    @property
    def _seen(self) -> list[MeasuredGrid]:
        """What was measured of each grid; nothing before all points were."""
        counted = list(self._sets.values())
        if not all(one.events.all() for one in counted):
            return []
        return [MeasuredGrid(one.seen, one.noise, one.variogram) for one in counted]

    def _allocate(self) -> None:
        """Begin the allocation of a pass, and take the one before for its first points."""
        pattern = list(self._start["pattern"])
        self._before = {uid: one.cycles(pattern) for uid, one in self._sets.items()}
        self._pending = self._worker.submit(self._allocated, self._start, self._seen)
        if self._found is None or self._passes_left == 1:
            self._adopt()
        else:
            self._distribute(self._found)

    @property
    def _passes_left(self) -> int:
        """The present one included."""
        return max(1, int(self._start["passes"]) - int(self._start["scan_index"]) - self._ended)

    def _adopt(self) -> None:
        """Wait for the allocation of this pass, distribute the time by it, and say what would help."""
        assert self._pending is not None  # the caller has begun it
        found, self._pending = self._pending.result(), None
        self._found = found
        self._distribute(found)
        self._notify(sentence_of(found))
        if (seen := self._seen) and not self._advising.is_alive():
            self._advising = Thread(target=self._advise, args=(self._start, seen, found), name="advice", daemon=True)
            self._advising.start()

    def _distribute(self, found: Allocation) -> None:
        """Cycles of all points of all grids at the end of this pass, from those at its begin."""
        for (uid, done), cycles in zip(self._before.items(), found.cycles, strict=True):
            first = 0 if done.any() else 1
            self._wanted[uid] = done + np.maximum(cycles_of_pass(cycles, done, self._passes_left), first)

    def _advise(self, start: Mapping[str, Any], seen: list[MeasuredGrid], found: Allocation) -> None:
        """Report what would help most; in a thread of its own, since a plan would wait for it."""
        try:
            change = advice(start, self._context, seen, found, self._transmission)
        except (ValueError, ArithmeticError, OSError) as error:  # those of targets, reduction and forecast among them
            change = f"No advice: {type(error).__name__}: {error}."
        if change:
            self._notify(change)
