"""Numbers of energy scans: transients, static spectra, amplitudes, areas, a ratio of windows, residuals; alignment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from beamline.studies.numbers.forward import ENERGIES, WHITE_LINE, Experiment, difference, excited, static
from beamline.studies.numbers.number import Collected, StudyResult
from beamline.studies.numbers.record import pattern_of, rates_of
from beamline.studies.numbers.scenarios import StudyScenario
from reduction.counting.rows import PointRates, only
from reduction.diagnostics.diagnostics import diagnose
from reduction.live.scan_result import aligned, note_of_alignment
from reduction.references.notes import of_missing
from reduction.settings import REFERENCES, Settings
from reduction.spectra.amplitudes import area, relative_amplitude
from reduction.spectra.compare import without_drift
from reduction.spectra.ratios import comparison_parameter
from reduction.spectra.spectrum import Spectrum, reduce_spectrum

Array = NDArray[np.float64]

PRE_EDGE, INTEGRAL = (13.450, 13.460), (13.465, 13.570)
SHOWN = (13.4685, 13.4720, 13.4765)
"""keV; energies whose numbers are compared."""
ALIGNED = 8
"""The passes of one scenario of so many are aligned, since the error of a shift is itself a Monte Carlo."""
NOTHING, SEEN = 1e-9, 5.0
"""Of the edge integral, below which a transient has no ratio; errors, above which a shape is measured."""
MAIN, PRE = (13.4710, 13.4720), (13.4725, 13.4735)
"""keV; windows of the compared ratio."""


def settings_of(truth: StudyScenario) -> Settings:
    return Settings(PRE_EDGE, INTEGRAL, i0_noise=truth.i0_noise, after_effects=truth.correct_after_effects)


def references_of(truth: StudyScenario) -> tuple[str, ...]:
    """References that the fill allows."""
    return tuple(one for one in REFERENCES if truth.fill.shares_bunches or one in ("paper", "shutter"))


def normalised(rate: Array) -> Array:
    """Spectrum without its flat offset, over its edge integral, as described in the paper's SI 4."""
    before, edge = ((low <= ENERGIES) & (high >= ENERGIES) for low, high in (PRE_EDGE, INTEGRAL))
    rate = rate - rate[before].mean()
    return np.asarray(rate / (np.trapezoid(rate[edge], ENERGIES[edge]) / np.ptp(ENERGIES[edge])))


class EnergyTruth:
    """Noise-free spectra with the same normalisation; axes S slots, E energies."""

    def __init__(self, experiment: Experiment, off: float = 0.0) -> None:
        truth, energy = experiment.truth, ENERGIES + off
        self._off, self._on = experiment.absorption(energy, np.full(ENERGIES.size, truth.delay))
        self.static = normalised(self._off[0])
        self.transient = np.array([normalised(on) for on in self._on]) - self.static
        full = self._off[0] + truth.size * difference(energy) / (truth.background + static(np.array([WHITE_LINE])))
        self.shape = normalised(full) - self.static
        self.held = excited(truth.fill.slot_times() + truth.delay, truth)

    def against(self, slot: int, clean: NDArray[np.int64], last: int) -> Array:
        """A slot minus the transient of its reference slots: the clean ones or the last, never itself."""
        chosen = clean.astype(bool) if clean.any() else np.arange(clean.size) == last
        chosen = chosen & (np.arange(clean.size) != slot)
        held = np.exp(np.log(self._on[chosen] / self._off[chosen]).mean(axis=0))
        return normalised(self._on[slot] / held) - self.static


def energy_results(experiment: Experiment) -> Iterator[StudyResult]:
    """Numbers of an energy scan with every reference."""
    truth = experiment.truth
    settings = settings_of(truth)
    rates = rates_of(experiment.scan(ENERGIES, np.full(ENERGIES.size, truth.delay)), experiment, settings)
    yield from _of_rates(rates, settings, experiment, EnergyTruth(experiment), references_of(truth), "energy")


def _of_rates(
    rates: PointRates, settings: Settings, experiment: Experiment, expected: EnergyTruth, references: Iterable[str],
    kind: str, more: Iterable[str] = (),
) -> Iterator[StudyResult]:  # fmt: skip
    assert rates.rows is not None
    delays = pattern_of(experiment).probe_delays(experiment.truth.delay)
    judged: tuple[str, ...] = ()
    steady = without_drift(rates, settings)
    for reference in references:
        spectrum = reduce_spectrum(ENERGIES, rates, replace(settings, reference=reference), delays, steady)
        if not judged:
            judged = (*rates.notes, *of_missing(ENERGIES, "keV", spectrum.used, rates), *more)
            judged += diagnose(ENERGIES[spectrum.used], only(rates.rows, spectrum.used), settings).sentences
        yield _of_spectrum(spectrum, expected, Collected(kind, reference, (str(spectrum.notes), *judged)))


def _of_spectrum(spectrum: Spectrum, expected: EnergyTruth, found: Collected) -> StudyResult:
    positions = [int(np.argmin(np.abs(ENERGIES - energy))) for energy in SHOWN]
    last = len(expected.transient) - 1
    prefix = "" if found.kind == "energy" else f"{found.kind} "
    for slot in sorted({0, 1, last}):
        if np.isnan(spectrum.transient[slot]).all():
            continue
        goal = expected.transient[slot]
        if found.reference == "slots":
            goal = expected.against(slot, spectrum.clean_slots, last)
        name = f"{prefix}transient {'last' if slot == last else slot}"
        for at in positions:
            found.add(name, spectrum.transient[slot, at], goal[at], spectrum.transient_stddev[slot, at])
        if found.kind == "energy":
            _of_slot(spectrum, slot, goal, expected, found)
    if found.reference == "paper":
        for at in positions:
            found.add(f"{prefix}static", spectrum.static[at], expected.static[at], spectrum.static_stddev[at])
    if found.reference == "combined" and np.isfinite(spectrum.residual[last]) and not prefix:
        held = expected.held[last] / (expected.held[0] - expected.held[last])
        found.add("residual", spectrum.residual[last], held, spectrum.residual_stddev[last])
    return found.result()


def _of_slot(spectrum: Spectrum, slot: int, goal: Array, expected: EnergyTruth, found: Collected) -> None:
    """Amplitude, absolute area, ratio of windows, and amplitude relative to slot 0."""
    value, covariance = spectrum.transient[slot], spectrum.transient_covariance[slot]
    name = str(slot) if slot < len(expected.transient) - 1 or not slot else "last"
    shape = expected.shape
    size, error = relative_amplitude(value, covariance, shape)
    found.add(f"amplitude {name}", size, float(goal @ shape / (shape @ shape)), error)
    if slot == 1:
        _relative(spectrum, goal, expected.transient[0], found)
    if slot or np.isnan(value).any():
        return
    whole = area(ENERGIES, value, covariance)
    found.add("area 0", whole.signal, float(np.trapezoid(np.abs(goal), 1e3 * ENERGIES)), whole.signal_stddev)
    mine, other = ((low - 1e-9 <= ENERGIES) & (high + 1e-9 >= ENERGIES) for low, high in (MAIN, PRE))
    if not np.isfinite(value[mine | other]).all() or np.abs(goal).max() < NOTHING:
        return
    ratio = float(goal[mine].mean() / goal[other].mean())
    one = comparison_parameter(ENERGIES, value, covariance, MAIN, PRE)
    weights = mine / mine.sum() - ratio * other / other.sum()  # Fieller: a - r b has mean 0 at the true r
    used = weights != 0
    variance = weights[used] @ covariance[np.ix_(used, used)] @ weights[used]
    found.add("ratio 0", one.value, ratio, one.stddev, float(weights[used] @ value[used] / np.sqrt(variance)))


def _relative(spectrum: Spectrum, goal: Array, first: Array, found: Collected) -> None:
    """Amplitude of slot 1 in units of slot 0, whose measured transient is the shape."""
    shape, noise = spectrum.transient[0], spectrum.transient_covariance[0]
    size, error = relative_amplitude(shape, noise, first) if np.isfinite(shape).all() and first.any() else (0.0, 1.0)
    if size > SEEN * error and found.reference != "slots":
        value, covariance = spectrum.transient[1], spectrum.transient_covariance[1]
        common = spectrum.transient_slot_covariance[1, 0]
        ratio, stddev = relative_amplitude(value, covariance, shape, noise, common)
        found.add("relative amplitude 1", ratio, float(goal @ first / (first @ first)), stddev)


def alignment_results(experiment: Experiment) -> Iterator[StudyResult]:
    """Shifts between passes that are not at the same energy, and transients after the passes were aligned."""
    truth = experiment.truth
    if truth.seed % ALIGNED:
        return
    settings = replace(settings_of(truth), align=True)
    off = truth.misaligned * experiment.rng.standard_normal(truth.passes)
    rates = rates_of(experiment.scan(ENERGIES, np.full(ENERGIES.size, truth.delay), off), experiment, settings)
    assert rates.rows is not None
    moved, shifts = aligned(ENERGIES, rates, settings)
    notes = note_of_alignment(shifts)
    found = Collected("alignment", "", (*rates.notes, *notes))
    first = next((number for number, shift in enumerate(shifts) if shift.stddev == 0), 0)
    for number, shift in enumerate(shifts):
        if shift.stddev > 0:
            found.add("alignment", 1e3 * shift.value, 1e3 * (off[first] - off[number]), 1e3 * shift.stddev)
    yield found.result()
    expected = EnergyTruth(experiment, float(off[first]))
    yield from _of_rates(moved, settings, experiment, expected, references_of(truth)[-1:], "aligned", notes)
