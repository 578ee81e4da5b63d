"""The live reduction: a callback that turns raw documents into reduced documents, event by event.

The same object replays stored documents and gives the same numbers: nothing in it depends on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from reduction.counting.dwell import Dwell
from reduction.counting.kernels import warm_up
from reduction.counting.phases import Pattern
from reduction.counting.visits import INCOMPLETE, RETAKEN
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.analogue import AnalogueStore
from reduction.documents.detectors import counters_read, require_pairs
from reduction.documents.events import doubts_about_background, doubts_about_detectors, dwell_of
from reduction.documents.frames import SweepDocuments
from reduction.documents.patterns import pattern_of_run
from reduction.documents.raw import (
    DELAY_AXIS,
    ENERGY_AXIS,
    MONITOR,
    PRIMARY,
    RawRun,
    is_reducible,
    raw_run,
)
from reduction.documents.results import POINT_UNITS, Publish, ReducedRun, point_data, sweep_data
from reduction.documents.streams import stream_of
from reduction.errors import ReductionError
from reduction.live.counters import Counters, not_read, settings_of
from reduction.live.scan_result import Result, reduce_scan
from reduction.live.scan_set import ScanSet
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, require_reference
from reduction.traces.delay import DelayScan
from reduction.traces.fluence import FluenceScan


class LiveReducer:
    """Reduces photon-counting scans over energy, delay or fluence as their documents arrive. A RunEngine callback.

    Other runs are ignored; an invalid document raises `reduction.documents.raw.DocumentError`, so put a guard between
    this callback and the RunEngine.

    Parameters
    ----------
    publish : callable
        Called with each reduced document as (name, document).
    versions : mapping, optional
        Versions of the code, written into the reduced start document.
    exclusions : Exclusions, optional
        Excluded points and passes. Entries may be added and removed at any time: they apply to the next
        `result` and at the end of the next pass.
    """

    def __init__(
        self, publish: Publish, versions: Mapping[str, str] | None = None, exclusions: Exclusions | None = None
    ) -> None:
        self.exclusions = exclusions or Exclusions()
        self.summing = False
        """True while earlier runs are summed again: their results are known."""
        self._publish = publish
        self._versions = dict(versions or {})
        self._raw: RawRun | None = None
        self._descriptors: dict[str, bool] = {}  # by uid, whether the stream is that of the monitor energies
        self._set: ScanSet | None = None
        self._sets: dict[str, ScanSet] = {}
        self._reduced: ReducedRun | None = None
        self._pattern: Pattern | None = None
        self._counters: dict[str, RawRun] = {}  # those that are read, with the run as it is for each of them
        self._laser_phase: dict[str, int] = {}
        self._sweeps: SweepDocuments | None = None

    def warm_up(self) -> None:
        """Compile the kernels now instead of at the first event."""
        warm_up()

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one raw document; an error of any kind ends the reduced run, with its reason, before it is raised."""
        try:
            self._take(name, doc)
        except Exception as error:
            self._fail(error)
            raise

    def _take(self, name: str, doc: Mapping[str, Any]) -> None:
        if name == "start":
            self._drop_unended()
            self._raw = raw_run(doc) if is_reducible(doc) else None
            self._descriptors, self._reduced = {}, None
            self._sweeps = SweepDocuments(self._raw) if self._raw is not None and self._raw.frames else None
        elif self._raw is None:
            return
        elif self._sweeps is not None and name != "stop":
            for what, found in self._sweeps.take(name, doc):
                self._begin(self._raw, found) if what == "descriptor" else self._add_sweep(self._raw, *found)
        elif name == "descriptor" and doc["name"] in (PRIMARY, MONITOR) and doc["run_start"] == self._raw.uid:
            self._begin(self._raw, doc)
        elif name == "event" and doc["descriptor"] in self._descriptors:
            self._add(self._raw, doc, self._descriptors[doc["descriptor"]])
        elif name == "stop" and doc["run_start"] == self._raw.uid:
            self._finish(doc)

    def _begin(self, run: RawRun, descriptor: Mapping[str, Any]) -> None:
        pattern = pattern_of_run(descriptor, run)
        if run.pumped:
            require_reference(run.settings, pattern)
        read = counters_read(descriptor, run.counters, pattern)
        of_each = {each.name: replace(run, settings=settings_of(run, each)) for each in run.counters}
        for each in run.counters:
            if each.name in read:
                require_pairs(descriptor, each, of_each[each.name].settings)
        self._set = self._set_for(run, pattern)
        self._set.analogue.use(descriptor, run.detectors)
        self._counters = {name: of_each[name] for name in read}
        for of_counter in self._counters.values():
            self._set.doubts |= doubts_about_detectors(descriptor, of_counter)
        self._descriptors[descriptor["uid"]] = descriptor["name"] == MONITOR
        self._pattern, self._laser_phase = pattern, {}
        if self._reduced is None:
            earlier = [uid for uid in self._set.uids if uid != run.uid]  # a run may be replayed
            self._reduced = ReducedRun(self._publish, run, earlier, self._versions)
            self._set.uids = [*earlier, run.uid]

    def _set_for(self, run: RawRun, pattern: Pattern) -> ScanSet:
        """The sums to which a run belongs; those of the other scan sets of its series are retained."""
        series = run.about.get("series", run.scan_set)
        self._sets = {
            uid: each for uid, each in self._sets.items() if each.run.about.get("series", uid) == series
        }  # fmt: skip
        found = self._sets.get(run.scan_set)
        if found is None or not found.continues(run, pattern):
            doubts = {} if found is None else {"earlier": found.not_summed(run, pattern)}
            counters = Counters(run, pattern)
            found = self._sets[run.scan_set] = ScanSet(run, pattern, counters, AnalogueStore(run.grid.size), doubts)
        return found

    def _add(self, run: RawRun, event: Mapping[str, Any], monitor: bool) -> None:
        assert self._set is not None and self._pattern is not None and self._reduced is not None  # of the descriptor
        dwells = self._dwells(event, monitor)
        updates = self._set.counters.add(dwells)
        if monitor:
            return
        self._set.analogue.take(next(iter(dwells.values())), event["data"], self._pattern.bunch_rate)
        update = self._set.counters.together(updates, self.exclusions)
        if update.fault is not None:
            self.exclusions.observe(run.uid, update.point, update.fault)
        if update.superseded:
            self.exclusions.observe(run.uid, update.point, RETAKEN, update.superseded)
        for name, each in {"": update, **(updates if len(updates) > 1 else {})}.items():
            dwells_there = self._set.counters.dwells_at(update.point, name)
            data = point_data(each, run.axis, run.grid[update.point], dwells_there)
            self._reduced.event(stream_of("points", name), data, POINT_UNITS)

    def _add_sweep(self, run: RawRun, event: Mapping[str, Any], page: Mapping[str, Any]) -> None:
        assert self._set is not None and self._reduced is not None  # of the descriptor
        name = run.counters[0].name
        of_counter, before = self._counters[name], self._laser_phase.get(name)
        dwells = self._set.sweeps.dwells(event, page, of_counter, self._set.pattern, before)
        updates = [self._set.counters.add({name: dwell})[name] for dwell in dwells]
        self._laser_phase |= {name: dwells[-1].laser_phase} if dwells else {}
        self._set.doubts |= doubts_about_background(event["data"], run)
        self._reduced.event("sweeps", sweep_data(event["data"], updates), POINT_UNITS)

    def _dwells(self, event: Mapping[str, Any], monitor: bool) -> dict[str, Dwell]:
        """A dwell of each counter of the scan set; the first one that was read comes first."""
        assert self._set is not None and self._pattern is not None  # of the descriptor
        detectors = {each.name: each for each in self._set.run.counters}
        dwells = {}
        for name, run in self._counters.items():
            before = self._laser_phase.get(name)
            dwells[name] = dwell_of(event, run, self._pattern, before, monitor, detectors[name])
            self._laser_phase[name] = dwells[name].laser_phase
            self._set.doubts |= doubts_about_background(event["data"], run)
        like = next(iter(dwells.values()))
        return dwells | {name: not_read(name, like) for name in detectors if name not in dwells}

    def _drop_unended(self) -> None:
        """Drop the incomplete points of a run without a stop document, that of a killed session."""
        if self._raw is not None and self._set is not None and self._reduced is not None:
            self._drop_incomplete(self._set, self._raw)

    def _drop_incomplete(self, scan: ScanSet, run: RawRun) -> None:
        if run.frames:
            return scan.drop_incomplete_pass(run)
        for point, dwells in scan.counters.drop_incomplete_points(run.uid, run.segments).items():
            self.exclusions.observe(run.uid, point, INCOMPLETE, dwells)

    def _fail(self, error: Exception) -> None:
        """End the open reduced run and ignore the rest of its raw run; whole points so far remain."""
        raw, reduced = self._raw, self._reduced
        self._raw = self._reduced = None
        if raw is not None and reduced is not None:
            reduced.stop("fail", f"the reduction failed: {type(error).__name__}: {error}")
            if self._set is not None:
                self._set.counters.drop_incomplete_points(raw.uid, raw.segments)

    def _finish(self, stop: Mapping[str, Any]) -> None:
        if self._reduced is None:
            return
        assert self._set is not None and self._raw is not None
        self._drop_incomplete(self._set, self._raw)
        try:
            if not self.summing:
                self._set.publish(self._reduced, self.exclusions)
        except ReductionError as error:
            self._reduced.stop("fail", f"no {'spectrum' if self._energies else 'trace'}: {error}")
        else:
            self._reduced.stop(stop["exit_status"], stop.get("reason", ""))
        self._raw = self._reduced = None

    def beside(self, stream: str, data: dict[str, Any], units: Mapping[str, str]) -> None:
        """Publish an event of another stream in the open reduced run, if there is one."""
        if self._reduced is not None:
            self._reduced.event(stream, data, units)

    @property
    def ledger(self) -> Exclusions:
        """Former name of `exclusions`."""
        return self.exclusions

    @property
    def settings(self) -> Settings:
        """Settings of the scan that was reduced last.

        Raises
        ------
        reduction.errors.ReductionError
            If there is none yet.
        """
        if self._set is None:
            raise ReductionError("no scan has been reduced yet")
        return self._set.run.settings

    @property
    def _energies(self) -> bool:
        return self._set is None or self._set.run.axis == ENERGY_AXIS

    def spectrum(self) -> Spectrum:
        """Spectra of everything summed so far.

        Raises
        ------
        reduction.errors.ReductionError
            If there is nothing yet or too little of the grid, or the scan is not over the energy.
        """
        result = self.result()
        if not isinstance(result, Spectrum):
            raise ReductionError("the last scan is not over the energy: ask for its trace")
        return result

    def trace(self) -> DelayScan | FluenceScan:
        """Delay or fluence trace of everything summed so far.

        Raises
        ------
        reduction.errors.ReductionError
            If there is nothing yet or too little of the grid, or the scan is over the energy.
        """
        result = self.result()
        if isinstance(result, Spectrum):
            raise ReductionError("the last scan is over the energy: ask for its spectrum")
        return result

    def result(self) -> Result:
        """Result of the last scan over any axis, from everything summed so far.

        Raises
        ------
        reduction.errors.ReductionError
            If there is nothing yet or too little of the grid.
        """
        if self._set is None:
            raise ReductionError("no scan has been reduced yet")
        return self._set.result(self.exclusions)

    def snapshot(self) -> Callable[[], DelayScan] | None:
        """A function that computes the trace of everything summed so far, for another thread; None if no delay scan.

        The sums are copied here, so it may be called while further dwells arrive.

        Raises
        ------
        reduction.errors.ReductionError
            When it is called, if there is too little of the grid yet.
        """
        if self._set is None or self._set.run.axis != DELAY_AXIS:
            return None
        run, pattern, rates = self._set.run, self._set.pattern, self._set.rates(self.exclusions).rates

        def trace() -> DelayScan:
            result = reduce_scan(run, pattern, rates)
            assert isinstance(result, DelayScan)  # follows from its axis
            return result

        return trace
