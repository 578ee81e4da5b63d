"""Result of a whole scan over any axis: alignment, spectrum or trace, fit, diagnostics; published as documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import ON
from reduction.counting.lost_slots import kept_slots, only_slots
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows, PointRates, only, point_rates
from reduction.detectors.foil import mean_shift
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
    variogram_data,
)
from reduction.errors import ReductionError
from reduction.references import notes
from reduction.references.noise_spectrum import NONE, variogram
from reduction.settings import Settings
from reduction.spectra.align import EnergyShift, align_rows, move_passes
from reduction.spectra.spectrum import Spectrum, reduce_spectrum
from reduction.spectra.unpumped import NO_LASER, reduce_unpumped
from reduction.traces.delay import DelayScan, reduce_delay_scan
from reduction.traces.fluence import FluenceScan, reduce_fluence_scan
from reduction.traces.kinetics.fit import KineticFit
from reduction.traces.kinetics.scan_fit import fit_scan

Result = Spectrum | DelayScan | FluenceScan


def reduce_scan(run: RawRun, pattern: Pattern, rates: PointRates, shifts: Sequence[EnergyShift] = ()) -> Result:
    """The result of a scan over energy, delay or fluence, according to its start document.

    Parameters
    ----------
    shifts : sequence of EnergyShift
        To add to the energies of each pass, by a foil; empty to leave them.
    """
    result, more = _reduced(run, pattern, rates, shifts)
    needed = ("off", "on") if run.pumped else ("off",)
    missing = notes.of_missing(run.grid, AXES[run.axis][1], np.asarray(result.used) == 1, rates, needed)
    return replace(result, notes=" ".join([*rates.notes, *missing, str(result.notes), *more]).strip())


def _reduced(
    run: RawRun, pattern: Pattern, rates: PointRates, shifts: Sequence[EnergyShift]
) -> tuple[Result, list[str]]:
    if run.axis == DELAY_AXIS:
        return reduce_delay_scan(run.grid, rates, run.settings, pattern.probe_delays(0.0)), []
    delays = pattern.probe_delays(run.pump_delay or 0.0)
    if run.axis == ENERGY_AXIS:
        rates, found = aligned(run.grid, rates, run.settings)
        if shifts and rates.rows is not None:
            shifts = [mean_shift(_above_first(shifts, found))] * len(shifts) if found else shifts
            rates = _moved(run.grid, rates, run.settings, [replace(each, value=-each.value) for each in shifts])
        more = note_of_alignment(found)
        if not run.pumped:
            return reduce_unpumped(run.grid, rates, run.settings), more
        return reduce_spectrum(run.grid, rates, run.settings, delays), more
    return reduce_fluence_scan(run.grid, rates, run.settings, delays), []


def aligned(
    energy: NDArray[np.float64], rates: PointRates, settings: Settings
) -> tuple[PointRates, tuple[EnergyShift, ...]]:
    """Rates with the passes aligned, if the settings enable it, and their shifts above the first one."""
    if not settings.align or rates.rows is None:
        return rates, ()
    used = _whole(rates)
    moved, shifts = align_rows(energy[used], only(rates.rows, used))
    return _with_rows(rates, used, moved, settings), shifts


def _above_first(shifts: Sequence[EnergyShift], found: Sequence[EnergyShift]) -> list[EnergyShift]:
    """What the foil gives for the energies of the first pass, by each pass."""
    away = (float(np.nan_to_num(each.value)) for each in found)
    return [replace(each, value=each.value + by) for each, by in zip(shifts, away, strict=True)]


def note_of_alignment(shifts: Sequence[EnergyShift]) -> list[str]:
    """The shifts of aligned passes in a sentence; nothing without any."""
    listed = ", ".join(f"{1e3 * shift.value:+.3f} +- {1e3 * shift.stddev:.3f}" for shift in shifts)
    return [f"Passes were aligned by their laser-off spectra: shifts {listed} eV."] if shifts else []


def _whole(rates: PointRates) -> NDArray[np.bool_]:
    """Points with dwells in both laser states; of a scan without the laser, with any."""
    states = slice(None) if rates.dwells[ON].any() else slice(1)
    return np.asarray((rates.dwells[states] > 0).all(axis=0))


def _moved(
    energy: NDArray[np.float64], rates: PointRates, settings: Settings, shifts: Sequence[EnergyShift]
) -> PointRates:
    """Rates with each pass moved down by its shift."""
    assert rates.rows is not None  # of an accumulator
    used = _whole(rates)
    return _with_rows(
        rates, used, move_passes(energy[used], only(rates.rows, used), shifts, coarse=True), settings
    )  # fmt: skip


def _with_rows(rates: PointRates, used: NDArray[np.bool_], moved: DwellRows, settings: Settings) -> PointRates:
    """Rates of dwells some of which, at the points `used`, have moved in energy."""
    assert rates.rows is not None  # of an accumulator
    energies = used.size
    arrays: dict[str, Any] = {}
    for name in ("slot_mu", "slot_shift"):
        part = getattr(moved, name)
        arrays[name] = np.zeros((energies, *part.shape[1:]))
        arrays[name][used] = part
    if rates.rows.ground is not None:
        factor = np.ones(rates.rows.state.shape)
        factor[used] = moved.slot_mu.sum(axis=2) / rates.rows.slot_mu[used].sum(axis=2)
        arrays["ground"] = rates.rows.ground.scaled(np.nan_to_num(factor, nan=1.0))
    rows = replace(rates.rows, **arrays)
    summed = point_rates(rows, settings.i0_noise, rates.bunches_out, rates.pattern, rates.common_variance)
    return replace(rates, rate=summed.rate, covariance=summed.covariance, rows=rows)


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
    if rates.rows is None or spectrum.reference == NO_LASER:
        return None, f"no diagnostics: there {'are no single dwells' if rates.rows is None else 'is no transient'}"
    try:
        return diagnose(spectrum.energy[spectrum.used], only(rates.rows, spectrum.used), settings), ""
    except ReductionError as error:
        return None, f"no diagnostics: {error}"


def publish_result(reduced: ReducedRun, result: Result, rates: PointRates, settings: Settings) -> None:
    """Publish the streams of a result: `spectrum` or `trace`, `honesty`, and `kinetics`."""
    honesty = variogram_data(NONE if rates.rows is None else variogram(rates.rows))
    if isinstance(result, Spectrum):
        reduced.event("spectrum", spectrum_data(result), SPECTRUM_UNITS)
        diagnostics = diagnostics_data(*diagnose_spectrum(result, rates, settings))
        reduced.event("honesty", diagnostics | honesty, {"noise_lag": "s"})
        return
    reduced.event("trace", trace_data(result), trace_units(result))
    reduced.event("honesty", honesty, {"noise_lag": "s"})
    if isinstance(result, DelayScan):
        reduced.event("kinetics", fit_data(*fit_kinetics(result, settings)), FIT_UNITS)
