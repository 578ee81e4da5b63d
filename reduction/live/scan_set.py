"""Passes over one grid that are summed: counters, analogue detectors, and what is published at the end of a pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reduction.counting.phases import Pattern
from reduction.detectors.agreement import DetectorAgreement
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.analogue import AnalogueStore
from reduction.documents.raw import RawRun, SummedPasses
from reduction.documents.results import ReducedRun, exclusions_data
from reduction.live.analogue_results import AnalogueResults, analogue_results
from reduction.live.counters import Combined, Counters
from reduction.live.detector_results import agreement_of, publish_detectors, with_agreement
from reduction.live.scan_result import Result, publish_result, reduce_scan


@dataclass
class ScanSet(SummedPasses):
    """The passes of a scan set.

    Attributes
    ----------
    counters : Counters
    analogue : AnalogueStore
    doubts : dict of str to str
        Notes about all of it, by subject.
    uids : list of str
        Raw runs, in the order in which they came.
    """

    counters: Counters
    analogue: AnalogueStore
    doubts: dict[str, str] = field(default_factory=dict)
    uids: list[str] = field(default_factory=list)

    def rates(self, exclusions: Exclusions) -> Combined:
        """Rates of everything summed so far, without the exclusions.

        Raises
        ------
        reduction.errors.ReductionError
            If all counters are left out.
        """
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
            return reduce_scan(self.run, self.pattern, rates)
        rates = replace(rates, notes=(*rates.notes, *analogue.notes))
        return reduce_scan(self.run, self.pattern, rates, analogue.shifts)

    def _analogue(self, combined: Combined, exclusions: Exclusions) -> AnalogueResults | None:
        """Results of the analogue detectors that were read with the counters; None without any."""
        rows = combined.rates.rows
        if rows is None or not self.analogue.detectors():
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
        publish_result(reduced, result, combined.rates, self.run.settings)
        if combined.each:
            shifts = () if analogue is None else analogue.shifts
            publish_detectors(reduced, self.run, self.pattern, combined, agreement, shifts)
        if analogue is not None:
            analogue.publish(reduced, result)
        reduced.event("ledger", exclusions_data(exclusions, self.counters.first.pass_uids), {})

    def not_summed(self, run: RawRun, pattern: Pattern) -> str:
        """Note that these passes are not summed with a further one."""
        return (
            f"{len(self.uids)} earlier passes of this scan set are not in the sum, since this one has"
            f" {' and '.join(self.differences(run, pattern))}."
        )
