"""Result of a whole scan over any axis: alignment, spectrum or trace, fit, diagnostics; published as documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.lost_slots import kept_slots, only_slots
from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates, only, point_rates
from reduction.diagnostics.diagnostics import Diagnostics, diagnose
from reduction.documents.raw import AXES, DELAY_AXIS, ENERGY_AXIS, RawRun
from reduction.documents.results import (
    FIT_UNITS,
    SPECTRUM_UNITS,
    ReducedRun,
    diagnostics_data,
    fit_data,
    spectrum_data,
    trace_data,
    trace_units,
)
from reduction.errors import ReductionError
from reduction.references import notes
from reduction.settings import Settings
from reduction.spectra.align import align_rows
from reduction.spectra.spectrum import Spectrum, reduce_spectrum
from reduction.traces.delay import DelayScan, reduce_delay_scan
from reduction.traces.fluence import FluenceScan, reduce_fluence_scan
from reduction.traces.kinetics.fit import KineticFit
from reduction.traces.kinetics.scan_fit import fit_scan

Result = Spectrum | DelayScan | FluenceScan


def reduce_scan(run: RawRun, pattern: Pattern, rates: PointRates) -> Result:
    """The result of a scan over energy, delay or fluence, according to its start document."""
    result, more = _reduced(run, pattern, rates)
    missing = notes.of_missing(run.grid, AXES[run.axis][1], np.asarray(result.used) == 1, rates)
    return replace(result, notes=" ".join([*rates.notes, *missing, str(result.notes), *more]).strip())


def _reduced(run: RawRun, pattern: Pattern, rates: PointRates) -> tuple[Result, list[str]]:
    if run.axis == DELAY_AXIS:
        return reduce_delay_scan(run.grid, rates, run.settings, pattern.probe_delays(0.0)), []
    delays = pattern.probe_delays(run.pump_delay or 0.0)
    if run.axis == ENERGY_AXIS:
        rates, more = aligned(run.grid, rates, run.settings)
        return reduce_spectrum(run.grid, rates, run.settings, delays), more
    return reduce_fluence_scan(run.grid, rates, run.settings, delays), []


def aligned(energy: NDArray[np.float64], rates: PointRates, settings: Settings) -> tuple[PointRates, list[str]]:
    """Rates with the passes aligned, if the settings enable it, and a note about the shifts."""
    if not settings.align or rates.rows is None:
        return rates, []
    used = np.asarray((rates.dwells > 0).all(axis=0))
    moved, shifts = align_rows(energy[used], only(rates.rows, used))
    arrays: dict[str, Any] = {}
    for name in ("slot_mu", "slot_shift"):
        part = getattr(moved, name)
        arrays[name] = np.zeros((energy.size, *part.shape[1:]))
        arrays[name][used] = part
    if rates.rows.ground is not None:
        factor = np.ones(rates.rows.state.shape)
        factor[used] = moved.slot_mu.sum(axis=2) / rates.rows.slot_mu[used].sum(axis=2)
        arrays["ground"] = rates.rows.ground.scaled(np.nan_to_num(factor, nan=1.0))
    rows = replace(rates.rows, **arrays)
    summed = point_rates(rows, settings.i0_noise, rates.bunches_out, rates.pattern, rates.common_variance)
    listed = ", ".join(f"{1e3 * shift.value:+.3f} +- {1e3 * shift.stddev:.3f}" for shift in shifts)
    moved_rates = replace(rates, rate=summed.rate, covariance=summed.covariance, rows=rows)
    return moved_rates, [f"Passes were aligned by their laser-off spectra: shifts {listed} eV."]


def fit_kinetics(trace: DelayScan, settings: Settings) -> tuple[KineticFit | None, str]:
    """Fit lifetimes, tail, time zero and response to slot 0 of a delay scan; or the reason why that is impossible."""
    known = {name: getattr(settings, name) for name in ("response", "response_stddev", "response_shape")}
    try:
        return fit_scan(trace.trace(), **known), ""
    except ValueError as error:  # a FitError, or a covariance that linear algebra rejects
        return None, f"no fit: {error}"


def diagnose_spectrum(spectrum: Spectrum, rates: PointRates, settings: Settings) -> tuple[Diagnostics | None, str]:
    """Diagnostics of a spectrum, or the reason why there are none."""
    if rates.rows is not None and not (kept := kept_slots(rates)).all():
        rates = only_slots(rates, kept)
    if rates.rows is None:
        return None, "no diagnostics: there are no single dwells"
    try:
        return diagnose(spectrum.energy[spectrum.used], only(rates.rows, spectrum.used), settings), ""
    except ReductionError as error:
        return None, f"no diagnostics: {error}"


def publish_result(reduced: ReducedRun, result: Result, rates: PointRates, settings: Settings) -> None:
    """Publish the streams of a result: `spectrum` and `honesty`, or `trace` and `kinetics`."""
    if isinstance(result, Spectrum):
        reduced.event("spectrum", spectrum_data(result), SPECTRUM_UNITS)
        reduced.event("honesty", diagnostics_data(*diagnose_spectrum(result, rates, settings)), {})
        return
    reduced.event("trace", trace_data(result), trace_units(result))
    if isinstance(result, DelayScan):
        reduced.event("kinetics", fit_data(*fit_kinetics(result, settings)), FIT_UNITS)
