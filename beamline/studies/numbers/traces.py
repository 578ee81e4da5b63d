"""Numbers of delay and fluence scans: transients, kinetics, initial slope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from beamline.studies.numbers.energy import references_of, settings_of
from beamline.studies.numbers.forward import WHITE_LINE, Experiment, difference, saturated, static
from beamline.studies.numbers.jet import SEGMENTS
from beamline.studies.numbers.number import Collected, StudyResult
from beamline.studies.numbers.record import pattern_of, rates_of
from beamline.studies.numbers.scenarios import TURN, StudyScenario
from reduction.references.notes import of_missing
from reduction.traces.delay import DelayScan, reduce_delay_scan
from reduction.traces.fluence import FluenceScan, reduce_fluence_scan
from reduction.traces.kinetics.fit import FitError, KineticFit
from reduction.traces.kinetics.scan_fit import fit_scan
from reduction.traces.laser_light import FLUENCE
from reduction.traces.linear_range import saturation

Array = NDArray[np.float64]

BEFORE_ZERO = -500.0
"""ps."""
FLUENCES = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.5, 7.0, 8.8, 10.5, 12.4])
"""mJ/cm2; those of the paper's scan (SI 3)."""
SHOWN = {12: "rise", 20: "500 ps", 25: "middle", 29: "end"}
"""Points of the trace whose numbers are compared."""
WITHIN = 0.3
"""Of the trace's length: lifetimes below are resolved, and those above its inverse are flat."""
FITTED = 2
"""One delay scan of so many is fitted, since a fit with its intervals takes as long as all else."""
LONGEST_DWELL = 60.0
"""s."""
LEVELS = (0.6827, 0.9545, 0.9973)


def delay_grid(truth: StudyScenario) -> Array:
    """Delays of slot 0, ps: a level before time zero, the rise, and on to most of the way to the next bunch."""
    gap = np.diff(truth.fill.slot_times()).min()
    level, rise = np.array([-900.0, -800, -700, -600]), np.arange(-240.0, 361.0, 40.0)
    return np.concatenate([level, rise, np.geomspace(500, 0.85 * gap, 10)])


def delay_results(experiment: Experiment) -> Iterator[StudyResult]:
    """Numbers of a delay scan at the white line with every reference, and of a fit of the last one."""
    truth = experiment.truth
    delay = delay_grid(truth)
    settings = replace(settings_of(truth), before_zero=BEFORE_ZERO)
    energy = np.full(delay.size, WHITE_LINE)
    size = truth.size * float(difference(energy[:1])[0] / (truth.background + static(energy[:1]))[0])
    if truth.seed % FITTED == 0:
        experiment = experiment.counting_for(_dwell(truth, size))
    rates = rates_of(experiment.scan(energy, delay), experiment, settings)
    off, on = experiment.absorption(energy, delay)
    goal = (on / off - 1)[0]
    goal = goal - goal[delay <= settings.before_zero].mean()
    slots = pattern_of(experiment).probe_delays(0.0)
    for reference in references_of(truth):
        scan = reduce_delay_scan(delay, rates, replace(settings, reference=reference), slots)
        missing = of_missing(delay, "ps", scan.used == 1, rates)
        found = Collected("delay", reference, (*rates.notes, *missing, str(scan.notes)))
        for at in SHOWN:
            found.add(f"delay {SHOWN[at]}", scan.transient[0, at], goal[at], scan.transient_stddev[0, at])
        yield found.result()
    if truth.seed % FITTED == 0:
        yield from kinetic_results(scan, found, truth, size)


def _dwell(truth: StudyScenario, size: float) -> float:
    """Time of a dwell (s) in which on and off give a transient of this size with the scenario's resolution."""
    photons = truth.mu * truth.fill.bunches / (TURN * 1e-12) / truth.fill.divider  # a second, in one slot
    needed = 2 * (truth.resolution / size) ** 2 / (photons * truth.passes * len(SEGMENTS) / 2)
    return float(np.clip(needed, truth.dwell, LONGEST_DWELL))


def kinetic_results(scan: DelayScan, found: Collected, truth: StudyScenario, size: float) -> Iterator[StudyResult]:
    """Time zero and response of a fit, and lifetimes and amplitudes where the truth has as many as the fit.

    Parameters
    ----------
    size : float
        Transient of full excitation, relative to the laser-off signal.
    """
    try:
        fit = fit_scan(scan.trace(), LEVELS, truth.response_given, truth.response_stddev)
    except FitError as error:
        yield StudyResult("kinetics", found.reference, (f"No fit: {error}.",), ())
        return
    kinetic = Collected("kinetics", found.reference, (*found.notes, *fit.notes))
    if fit.time_zero_stddev:
        kinetic.add("time zero", fit.time_zero, truth.time_zero, fit.time_zero_stddev)
    kinetic.add("response", fit.sigma, truth.response, fit.sigma_stddev or np.nan)
    for number in _comparable(fit, truth, float(scan.delay[-1])):
        name, lifetime, amplitude = f"{number + 1}", truth.lifetimes[number], size * truth.amplitudes[number]
        pull = _pull_of_interval(float(fit.lifetimes[number]), fit.intervals[:, number], lifetime)
        kinetic.add(f"lifetime {name}", fit.lifetimes[number], lifetime, fit.lifetimes_stddev[number], pull)
        stddev = float(np.sqrt(fit.amplitudes_covariance[number, number]))
        kinetic.add(f"amplitude of lifetime {name}", fit.amplitudes[0, number], amplitude, stddev)
    yield kinetic.result()


def _comparable(fit: KineticFit, truth: StudyScenario, longest: float) -> range:
    """Lifetimes of the fit that the truth has too: those that decay within the trace, if all others are far beyond.

    A fit with another number of lifetimes within the trace has none that could be compared one by one.
    """
    within = truth.lifetimes < WITHIN * longest
    beyond = truth.lifetimes > longest / WITHIN
    number = int(within.sum())
    return range(number if (within | beyond).all() and (fit.lifetimes < longest).sum() == number else 0)


def _pull_of_interval(value: float, intervals: Array, truth: float) -> float:
    """Deviation by the ends of the intervals at 1, 2 and 3 standard deviations; an open end is infinitely far away."""
    side = 1 if truth > value else 0
    ends = np.abs(np.log(np.append(value, intervals[:, side]) / value))
    away, steps = abs(np.log(truth / value)), np.arange(ends.size, dtype=np.float64)
    known = np.isfinite(ends)
    ends, steps = ends[known], steps[known]
    if away > ends[-1] and known.all():  # beyond the last: as that one
        return float(np.sign(value - truth) * steps[-1] * away / ends[-1])
    return float(np.sign(value - truth) * np.interp(away, ends, steps))


def fluence_results(experiment: Experiment) -> Iterator[StudyResult]:
    """Numbers of a fluence scan at the white line."""
    truth = experiment.truth
    taken_at = ((FLUENCE, float(FLUENCES[-1])),) if truth.background_run else ()
    settings = replace(settings_of(truth), background_conditions=taken_at)
    energy, relative = np.full(FLUENCES.size, WHITE_LINE), FLUENCES / FLUENCES[-1]
    delay = np.full(FLUENCES.size, truth.delay)
    rates = rates_of(experiment.scan(energy, delay, fluence=relative), experiment, settings)
    off, on = experiment.absorption(energy, delay, relative)
    goal = (on / off - 1)[0]
    tiny = 1e-6
    start = goal[-1] * float(saturated(tiny, truth)) / tiny / FLUENCES[-1]
    for reference in ("paper", "shutter"):
        scan = reduce_fluence_scan(FLUENCES, rates, replace(settings, reference=reference))
        missing = of_missing(FLUENCES, "mJ/cm2", scan.used == 1, rates)
        found = Collected("fluence", reference, (*rates.notes, *missing, str(scan.notes)))
        yield _of_fluence(scan, goal, start, found)


def _of_fluence(scan: FluenceScan, goal: Array, start: float, found: Collected) -> StudyResult:
    for at in (2, 6, 9):
        found.add(f"fluence {at}", scan.transient[0, at], goal[at], scan.transient_stddev[0, at])
    used = np.flatnonzero(scan.used)
    if used.size >= 5:
        line = saturation(FLUENCES[used], scan.transient[0, used], scan.transient_covariance[0][np.ix_(used, used)])
        pull = -float(ndtri(line.initial.below(start)))
        found.add("initial slope", line.initial.slope, start, line.initial.slope_stddev, pull)
    return found.result()
