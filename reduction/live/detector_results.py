"""Results of each of several counters beside their combination, and their agreement; published as documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reduction.counting.kernels import EMPTY
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows
from reduction.detectors.agreement import DetectorAgreement, agreement_of_spectra, agreement_of_traces
from reduction.detectors.combine import scan_wide_weights
from reduction.documents.raw import ENERGY_AXIS, RawRun
from reduction.documents.results import (
    SPECTRUM_UNITS,
    ReducedRun,
    detectors_data,
    spectrum_data,
    trace_data,
    trace_units,
)
from reduction.documents.streams import DETECTORS_STREAM, STREAM_OF_AXIS, stream_of
from reduction.errors import ReductionError
from reduction.live.counters import Combined, settings_of
from reduction.live.scan_result import Result, reduce_scan
from reduction.spectra.align import EnergyShift
from reduction.spectra.spectrum import Spectrum


def agreement_of(run: RawRun, combined: Combined) -> DetectorAgreement | None:
    """Agreement of the counters that are combined; None if there are fewer than two, or too little of the grid."""
    rows = {name: each.rows for name, each in combined.compared.items() if each.rows is not None}
    if len(rows) < 2:
        return None
    try:
        if run.axis == ENERGY_AXIS:
            return agreement_of_spectra(run.grid, rows, run.settings)
        return agreement_of_traces(rows, run.settings)
    except ReductionError:
        return None


def with_agreement(combined: Combined, found: DetectorAgreement | None) -> Combined:
    """The rates with a note if a detector disagrees."""
    if found is None or not found.disagrees:
        return combined
    return replace(combined, rates=replace(combined.rates, notes=(*combined.rates.notes, found.sentence)))


def publish_detectors(
    reduced: ReducedRun,
    run: RawRun,
    pattern: Pattern,
    combined: Combined,
    found: DetectorAgreement | None,
    shifts: Sequence[EnergyShift] = (),
) -> None:
    """Publish the result of each counter in a stream of its own, and what holds for all of them."""
    failures = {}
    for detector in run.counters:
        rates = combined.each[detector.name]
        try:
            result = reduce_scan(replace(run, settings=settings_of(run, detector)), pattern, rates, shifts)
        except ReductionError as error:
            failures[detector.name] = str(error)
        else:
            _publish(reduced, stream_of(STREAM_OF_AXIS[run.axis], detector.name), result)
    reduced.event(DETECTORS_STREAM, detectors_data(_shares(combined), found, combined.left_out, failures), {})


def _publish(reduced: ReducedRun, stream: str, result: Result) -> None:
    if isinstance(result, Spectrum):
        reduced.event(stream, spectrum_data(result), SPECTRUM_UNITS)
    else:
        reduced.event(stream, trace_data(result), trace_units(result))


def _shares(combined: Combined) -> dict[str, float]:
    """Fraction of the combination that comes from each counter."""
    shares = dict.fromkeys(combined.each, 0.0)
    rows: dict[str, DwellRows] = {
        name: each.rows for name, each in combined.compared.items() if each.rows is not None and _lit(each.rows)
    }
    if rows:
        shares |= dict(zip(rows, scan_wide_weights(list(rows.values())).share.tolist(), strict=True))
    return shares


def _lit(rows: DwellRows) -> bool:
    return bool(np.mean(rows.slot_mu[rows.state != EMPTY]) > 0)
