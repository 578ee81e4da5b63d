"""Passes over one grid that are summed: counters, analogue detectors, and what is published at the end of a pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from reduction.boxcar.scan import BoxcarRows
from reduction.counting.kernels import EMPTY
from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates
from reduction.detectors.agreement import DetectorAgreement
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.analogue import AnalogueStore, analogue_data, foil_data, foil_sentence
from reduction.documents.detectors import FOIL, Detector, of_kind
from reduction.documents.raw import RawRun, SummedPasses
from reduction.documents.results import ReducedRun, exclusions_data
from reduction.live.counters import Combined, Counters
from reduction.live.detector_results import agreement_of, publish_detectors, with_agreement
from reduction.live.scan_result import Result, publish_result, reduce_scan
from reduction.spectra.spectrum import Spectrum


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
        return self._result(combined, agreement_of(self.run, combined))

    def _result(self, combined: Combined, agreement: DetectorAgreement | None) -> Result:
        rates = with_agreement(combined, agreement).rates
        return reduce_scan(self.run, self.pattern, replace(rates, notes=(*rates.notes, *self._foil_notes(rates))))

    def _foil_notes(self, rates: PointRates) -> list[str]:
        """The energy axis by each foil."""
        foils = of_kind(self.analogue.detectors(), FOIL)
        found = [foil_sentence(foil, foil_data(foil, self.run, self._rows_of(foil, rates))) for foil in foils]
        return [sentence for sentence in found if sentence]

    def _rows_of(self, detector: Detector, rates: PointRates) -> BoxcarRows:
        assert rates.rows is not None  # of an accumulator
        uids = self.counters.first.pass_uids
        return self.analogue.rows(detector, uids, rates.rows.state == EMPTY, rates.rows)

    def publish(self, reduced: ReducedRun, exclusions: Exclusions) -> None:
        """Publish the streams of a whole pass.

        Raises
        ------
        reduction.errors.ReductionError
            As for `result`; nothing is published then.
        """
        combined = self.rates(exclusions)
        agreement = agreement_of(self.run, combined)
        result = self._result(combined, agreement)
        publish_result(reduced, result, combined.rates, self.run.settings)
        if combined.each:
            publish_detectors(reduced, self.run, self.pattern, combined, agreement)
        self._publish_analogue(reduced, result, combined.rates)
        reduced.event("ledger", exclusions_data(exclusions, self.counters.first.pass_uids), {})

    def _publish_analogue(self, reduced: ReducedRun, result: Result, rates: PointRates) -> None:
        """One stream for each analogue detector that was read with the counters."""
        if rates.rows is None or not self.analogue.detectors():
            return
        off = result.off[0] if not isinstance(result, Spectrum) else result.static
        if not isinstance(result, Spectrum) and result.procedure == "default":
            off = np.ones_like(off)
        for detector in self.analogue.detectors():
            counted = (off, result.transient_stddev[0])
            data = analogue_data(detector, self.run, self._rows_of(detector, rates), rates.rows, counted)
            reduced.event(detector.name, data, {})

    def not_summed(self, run: RawRun, pattern: Pattern) -> str:
        """Note that these passes are not summed with a further one."""
        return (
            f"{len(self.uids)} earlier passes of this scan set are not in the sum, since this one has"
            f" {' and '.join(self.differences(run, pattern))}."
        )
