"""Passes over one grid that are summed: counters, analogue detectors, and what is published at the end of a pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates
from reduction.detectors.agreement import DetectorAgreement
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.analogue import AnalogueStore
from reduction.documents.raw import RawRun, SummedPasses
from reduction.documents.results import POINT_UNITS, ReducedRun, exclusions_data, point_data
from reduction.live.analogue_results import AnalogueResults, analogue_results
from reduction.live.counters import Combined, Counters
from reduction.live.detector_results import agreement_of, publish_detectors, with_agreement
from reduction.live.scan_result import Result, publish_result, reduce_scan
from reduction.live.sweeps import SweepStore, averaged, rates_on_grid, update_of


@dataclass
class ScanSet(SummedPasses):
    """The passes of a scan set.

    Attributes
    ----------
    counters : Counters
    analogue : AnalogueStore
    doubts : dict of str to str
        Notes about all of it, by subject.
    sweeps : SweepStore
        Of a scan in sweeps.
    uids : list of str
        Raw runs, in the order in which they came.
    """

    counters: Counters
    analogue: AnalogueStore
    doubts: dict[str, str] = field(default_factory=dict)
    sweeps: SweepStore = field(default_factory=SweepStore)
    uids: list[str] = field(default_factory=list)

    def rates(self, exclusions: Exclusions) -> Combined:
        """Rates of everything summed so far, without the exclusions.

        Raises
        ------
        reduction.errors.ReductionError
            If all counters are left out.
        """
        if self.run.frames:
            found = Combined(rates_on_grid(self.counters.first, self.sweeps, self.run, self.pattern, exclusions), {})
        else:
            found = self.counters.result(exclusions)
        return replace(found, rates=replace(found.rates, notes=(*self.doubts.values(), *found.rates.notes)))

    def result(self, exclusions: Exclusions) -> Result:
        """Result of everything summed so far.

        Raises
        ------
        reduction.errors.ReductionError
            If there is too little of the grid.
        """
        combined = self.rates(exclusions)
        return self._result(combined, agreement_of(self.run, combined), self._analogue(combined, exclusions))

    def _result(
        self, combined: Combined, agreement: DetectorAgreement | None, analogue: AnalogueResults | None
    ) -> Result:
        rates = with_agreement(combined, agreement).rates
        if analogue is None:
            return reduce_scan(self._reduced_run, self.pattern, rates)
        rates = replace(rates, notes=(*rates.notes, *analogue.notes))
        return reduce_scan(self.run, self.pattern, rates, analogue.shifts)

    @property
    def _reduced_run(self) -> RawRun:
        """The run with the settings that hold for points of the grid."""
        settings = averaged(self.run.settings, self.run.per_step) if self.run.frames else self.run.settings
        return replace(self.run, settings=settings)

    def _analogue(self, combined: Combined, exclusions: Exclusions) -> AnalogueResults | None:
        """Results of the analogue detectors that were read with the counters; None without any."""
        rows = combined.rates.rows
        if rows is None or self.run.frames or not self.analogue.detectors():
            return None
        return analogue_results(self.analogue, self.run, self.pattern, self.counters.first.pass_uids, rows, exclusions)

    def publish(self, reduced: ReducedRun, exclusions: Exclusions) -> None:
        """Publish the streams of a whole pass.

        Raises
        ------
        reduction.errors.ReductionError
            As for `result`; nothing is published then.
        """
        combined = self.rates(exclusions)
        agreement, analogue = agreement_of(self.run, combined), self._analogue(combined, exclusions)
        result = self._result(combined, agreement, analogue)
        if self.run.frames:
            self._publish_points(reduced, combined.rates)
        publish_result(reduced, result, combined.rates, self._reduced_run.settings)
        if combined.each:
            shifts = () if analogue is None else analogue.shifts
            publish_detectors(reduced, self.run, self.pattern, combined, agreement, shifts)
        if analogue is not None:
            analogue.publish(reduced, result)
        reduced.event("ledger", exclusions_data(exclusions, self.counters.first.pass_uids), {})

    def drop_incomplete_pass(self, run: RawRun) -> None:
        """Drop a pass that ended before all its sweeps were taken."""
        taken = {segment for uid, segment in self.sweeps.energies if uid == run.uid}
        if len(taken) < run.segments:
            self.counters.drop_incomplete_points(run.uid, run.segments)

    def _publish_points(self, reduced: ReducedRun, rates: PointRates) -> None:
        """Publish the points of a pass in sweeps, whose frames are no points."""
        for point in range(self.run.grid.size):
            dwells = int(rates.dwells[0, point]), int(rates.dwells[1, point])
            data = point_data(update_of(rates, point), self.run.axis, self.run.grid[point], dwells)
            reduced.event("points", data, POINT_UNITS)

    def not_summed(self, run: RawRun, pattern: Pattern) -> str:
        """Note that these passes are not summed with a further one."""
        return (
            f"{len(self.uids)} earlier passes of this scan set are not in the sum, since this one has"
            f" {' and '.join(self.differences(run, pattern))}."
        )
