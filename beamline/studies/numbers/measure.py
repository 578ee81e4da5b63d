"""Reduces a drawn measurement, and compares every resulting number with its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from beamline.studies.numbers.counter import Recorded, count
from beamline.studies.numbers.forward import (
    ENERGIES,
    WHITE_LINE,
    Experiment,
    SimulatedDwells,
    difference,
    excited,
    static,
)
from beamline.studies.numbers.scenarios import TURN, StudyScenario
from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import Pairs
from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates, only
from reduction.diagnostics.diagnostics import diagnose
from reduction.settings import REFERENCES, Settings
from reduction.spectra.amplitudes import relative_amplitude
from reduction.spectra.normalise import ReductionError
from reduction.spectra.spectrum import Spectrum, reduce_spectrum
from reduction.traces.delay import reduce_delay_scan

Array = NDArray[np.float64]

PRE_EDGE, INTEGRAL = (13.450, 13.460), (13.465, 13.570)
SHOWN = (13.4685, 13.4720, 13.4765)
"""keV; energies whose numbers are compared."""
USUAL = (
    "is not possible", "Passes were aligned", "One pass:", "Passes scatter", "differ by", "Two halves", "changes by",
    "No slot is", "No decay is seen",
)  # fmt: skip
"""Parts of notes that are no evidence against any number."""


@dataclass(frozen=True)
class Number:
    """One reduced number and its truth.

    Attributes
    ----------
    name, reference : str
    value, truth, stddev : float
    noted : bool
        Whether the result carries a note that is evidence against it.
    inside : tuple of bool
        Whether the 68 and 95 % intervals contain the truth.
    """

    name: str
    reference: str
    value: float
    truth: float
    stddev: float
    noted: bool
    inside: tuple[bool, bool]

    @property
    def pull(self) -> float:
        return (self.value - self.truth) / self.stddev


def number(name: str, reference: str, value: float, truth: float, stddev: float, noted: bool) -> Number:
    """A number whose intervals are those of a normal distribution."""
    away = abs(value - truth) / stddev
    return Number(name, reference, float(value), float(truth), float(stddev), noted, (away < 1, away < 2))


def pattern_of(truth: StudyScenario, phase: int) -> Pattern:
    positions = () if truth.fill.even else tuple(truth.fill.positions)
    return Pattern(truth.fill.bunches, truth.fill.divider, phase, 1e12 * truth.fill.bunches / TURN, positions)


def accumulated(dwells: SimulatedDwells, experiment: Experiment, settings: Settings) -> PointRates:
    """Draw the counts of a scan and accumulate them dwell by dwell."""
    truth, rng = experiment.truth, experiment.rng
    gates = max(1000, round(truth.dwell * truth.fill.bunches / (TURN * 1e-12) / truth.fill.phases))
    recorded = count(dwells.photons, dwells.flicker, gates, truth, rng)
    points, rows = dwells.i0.shape
    sums = CountingAccumulator(
        pattern_of(truth, experiment.phase), points, settings.i0_noise, after_effects=settings.after_effects
    )
    bad = (int(rng.integers(points)), int(rng.integers(rows))) if truth.bad_dwell else None
    all_gates = np.full((recorded.before.shape[2], truth.fill.phases), gates)
    for row in range(rows):
        for point in range(points):
            hits, opened = recorded.hits[point, row], recorded.gates[point, row]
            if (point, row) == bad:
                hits, opened = (opened, opened) if truth.bad_dwell == "saturated" else (0 * hits, 0 * opened)
            sums.add(
                Dwell(
                    pass_uid=str(dwells.scan[row]), point=point, segment=row, attempt=0,
                    laser_on=bool(dwells.laser_on[row]), quality="good", flux=float(dwells.i0[point, row]),
                    hits=hits, gates=opened, laser_phase=int(dwells.laser_phase[point, row]),
                    pairs=_pairs(recorded, all_gates, point, row) if truth.afterpulse else None,
                )
            )  # fmt: skip
    return sums.result()


def _pairs(recorded: Recorded, all_gates: NDArray[np.int64], point: int, row: int) -> Pairs:
    before = recorded.before[point, row]
    hits = np.broadcast_to(recorded.hits[point, row], before.shape)
    return Pairs(all_gates, hits, before, recorded.both[point, row])


def is_evidence_against(sentences: str) -> bool:
    """Whether the notes of a result contain evidence against it, beyond those that every such result has."""
    found = [s for s in sentences.split(". ") if s.strip()]
    return any(not any(word in sentence for word in USUAL) for sentence in found)


def normalised(rate: Array) -> Array:
    """Spectrum without its flat offset, over its edge integral, as described in the paper's SI 4."""
    before, edge = ((low <= ENERGIES) & (high >= ENERGIES) for low, high in (PRE_EDGE, INTEGRAL))
    rate = rate - rate[before].mean()
    return np.asarray(rate / (np.trapezoid(rate[edge], ENERGIES[edge]) / np.ptp(ENERGIES[edge])))


class EnergyTruth:
    """Noise-free spectra with the same normalisation; axes S slots, E energies."""

    def __init__(self, experiment: Experiment) -> None:
        truth = experiment.truth
        self._off, self._on = experiment.absorption(ENERGIES, np.full(ENERGIES.size, truth.delay))
        self.static = normalised(self._off[0])
        self.transient = np.array([normalised(on) for on in self._on]) - self.static
        full = self._off[0] + truth.size * difference(ENERGIES) / (truth.background + static(np.array([WHITE_LINE])))
        self.shape = normalised(full) - self.static
        self.held = excited(truth.fill.slot_times() + truth.delay, truth)

    def against(self, slot: int, clean: NDArray[np.int64], last: int) -> Array:
        """A slot minus the transient of its reference slots: the clean ones or the last, never itself."""
        chosen = clean.astype(bool) if clean.any() else np.arange(clean.size) == last
        chosen = chosen & (np.arange(clean.size) != slot)
        held = np.exp(np.log(self._on[chosen] / self._off[chosen]).mean(axis=0))
        return normalised(self._on[slot] / held) - self.static


def energy_numbers(experiment: Experiment) -> Iterator[Number]:
    """Numbers of an energy scan with every reference."""
    truth = experiment.truth
    settings = Settings(PRE_EDGE, INTEGRAL, i0_noise=truth.i0_noise, after_effects=truth.correct_after_effects)
    dwells = experiment.scan(ENERGIES, np.full(ENERGIES.size, truth.delay))
    rates = accumulated(dwells, experiment, settings)
    assert rates.rows is not None
    expected = EnergyTruth(experiment)
    delays = pattern_of(truth, experiment.phase).probe_delays(truth.delay)
    sentences = ""
    for reference in REFERENCES:
        if reference in ("slots", "combined") and not truth.fill.shares_bunches:
            continue
        spectrum = reduce_spectrum(ENERGIES, rates, replace(settings, reference=reference), delays)
        if not sentences:
            sentences = " ".join(diagnose(ENERGIES[spectrum.used], only(rates.rows, spectrum.used), settings).sentences)
        noted = is_evidence_against(f"{spectrum.notes} {sentences}")
        yield from _of_spectrum(spectrum, reference, expected, noted)


def _of_spectrum(spectrum: Spectrum, reference: str, expected: EnergyTruth, noted: bool) -> Iterator[Number]:
    positions = [int(np.argmin(np.abs(ENERGIES - energy))) for energy in SHOWN]
    slots = len(expected.transient)
    last = slots - 1
    for slot in sorted({0, 1, last}):
        if np.isnan(spectrum.transient[slot]).all():
            continue
        goal = expected.against(slot, spectrum.clean_slots, last) if reference == "slots" else expected.transient[slot]
        for at in positions:
            value, stddev = spectrum.transient[slot, at], spectrum.transient_stddev[slot, at]
            yield number(f"transient {'last' if slot == last else slot}", reference, value, goal[at], stddev, noted)
        shape = expected.shape
        size, error = relative_amplitude(spectrum.transient[slot], spectrum.transient_covariance[slot], shape)
        true = float(goal @ shape / (shape @ shape))
        yield number(f"amplitude {'last' if slot == last else slot}", reference, size, true, error, noted)
    if reference == "paper":
        for at in positions:
            yield number("static", "", spectrum.static[at], expected.static[at], spectrum.static_stddev[at], noted)
    if reference == "combined" and np.isfinite(spectrum.residual[last]):
        held = expected.held[last] / (expected.held[0] - expected.held[last])
        yield number("residual", reference, spectrum.residual[last], held, spectrum.residual_stddev[last], noted)


def delay_grid(truth: StudyScenario) -> Array:
    """Delays of slot 0, ps: a level before time zero, the rise, and to nine tenths of the way to the next bunch."""
    gap = np.diff(truth.fill.slot_times()).min()
    early = np.array([-900.0, -800, -700, -600, -200, -100, -50, 0, 50, 100, 200])
    return np.concatenate([early, np.geomspace(350, 0.85 * gap, 13)])


def delay_numbers(experiment: Experiment) -> Iterator[Number]:
    """Numbers of a delay scan at the white line with every reference."""
    truth = experiment.truth
    delay = delay_grid(truth)
    settings = Settings(
        PRE_EDGE, INTEGRAL, i0_noise=truth.i0_noise, after_effects=truth.correct_after_effects, before_zero=-500.0
    )
    energy = np.full(delay.size, WHITE_LINE)
    rates = accumulated(experiment.scan(energy, delay), experiment, settings)
    off, on = experiment.absorption(energy, delay)
    goal = (on / off - 1)[0]
    goal = goal - goal[delay <= settings.before_zero].mean()
    slots = pattern_of(truth, experiment.phase).probe_delays(0.0)
    for reference in REFERENCES:
        if reference in ("slots", "combined") and not truth.fill.shares_bunches:
            continue
        scan = reduce_delay_scan(delay, rates, replace(settings, reference=reference), slots)
        noted = is_evidence_against(str(scan.notes))
        for at in (9, 14, 19, 23):
            yield number(
                f"delay {at}", reference, scan.transient[0, at], goal[at], scan.transient_stddev[0, at], noted
            )  # fmt: skip


def numbers_of(truth: StudyScenario) -> Iterator[Number | str]:
    """All numbers of one scenario; a text for each that the reduction refused."""
    experiment = Experiment(truth)
    for name, find in (("energy", energy_numbers), ("delay", delay_numbers)):
        try:
            yield from find(experiment)
        except (ReductionError, ValueError) as error:
            yield f"{name}: {error}"
