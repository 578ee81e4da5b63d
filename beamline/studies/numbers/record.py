"""Counts of a drawn scan, and the rates that the reduction finds in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from beamline.studies.numbers.counter import Recorded, count
from beamline.studies.numbers.forward import Experiment, SimulatedDwells
from beamline.studies.numbers.scenarios import TURN, StudyScenario
from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.background import Background, measured_background
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import Pairs
from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates, point_rates, rows_of_counts
from reduction.settings import Settings

BACKGROUND_DWELLS = 20
LEAST_GATES = 1000
"""Of a phase in a dwell; long patterns would else have counts of a few."""


def pattern_of(experiment: Experiment) -> Pattern:
    fill = experiment.truth.fill
    positions = () if fill.even else tuple(fill.positions)
    return Pattern(fill.bunches, fill.divider, experiment.phase, 1e12 * fill.bunches / TURN, positions)


def gates_of(truth: StudyScenario) -> int:
    """Opened gates of each phase in a dwell."""
    return max(LEAST_GATES, round(truth.dwell * truth.fill.bunches / (TURN * 1e-12) / truth.fill.phases))


def rates_of(dwells: SimulatedDwells, experiment: Experiment, settings: Settings) -> PointRates:
    """Draw the counts of a scan and sum them: at once where nothing happens, else dwell by dwell."""
    truth = experiment.truth
    recorded = count(dwells.photons, dwells.flicker, gates_of(truth), truth, experiment.rng)
    watched = truth.slip or truth.bad_dwell or truth.background_run or truth.afterpulse or (dwells.plan.point < 0).any()
    if watched or (recorded.hits == recorded.gates).any():
        return _dwell_by_dwell(dwells, recorded, experiment, settings)
    pattern, at = pattern_of(experiment), dwells.plan.places(int(dwells.plan.point.max()) + 1)
    first = at[0]
    rows = rows_of_counts(
        recorded.hits[at], recorded.gates[at], dwells.i0[at], dwells.plan.laser_on[first], dwells.plan.scan[first],
        pattern.slot_of_phase(),
    )  # fmt: skip
    rows = replace(rows, time=dwells.time[at])
    out = np.zeros(truth.fill.bunches, np.int64)
    return point_rates(rows, settings.i0_noise, out, pattern)


def _dwell_by_dwell(
    dwells: SimulatedDwells, recorded: Recorded, experiment: Experiment, settings: Settings
) -> PointRates:
    truth, rng, pattern, plan = experiment.truth, experiment.rng, pattern_of(experiment), dwells.plan
    points = int(plan.point.max()) + 1
    background = measured(experiment) if truth.background_run else None
    sums = CountingAccumulator(pattern, points, settings.i0_noise, background, settings.after_effects)
    bad = int(rng.choice(np.flatnonzero(plan.point >= 0))) if truth.bad_dwell else -1
    before = None
    for number, point in enumerate(plan.point):
        hits, opened = recorded.hits[number], recorded.gates[number]
        if number == bad:
            hits, opened = (opened, opened) if truth.bad_dwell == "saturated" else (0 * hits, 0 * opened)
        phase = int(dwells.laser_phase[number])
        quality, before = pattern.slip(phase, before) or "good", phase
        sums.add(
            Dwell(
                pass_uid=str(plan.scan[number]), point=int(point if point >= 0 else -1 - point),
                segment=int(plan.segment[number]), attempt=0, laser_on=bool(plan.laser_on[number]), quality=quality,
                flux=float(dwells.i0[number]), hits=hits, gates=opened, laser_phase=phase,
                pairs=_pairs(recorded, number) if truth.afterpulse else None, time=float(dwells.time[number]),
                monitor=bool(point < 0),
            )
        )  # fmt: skip
    return sums.result()


def measured(experiment: Experiment) -> Background:
    """Background from a run without X-rays, of the same dwells as a scan."""
    truth = experiment.truth
    laser_on, phase, photons = experiment.background(BACKGROUND_DWELLS)
    plain = replace(truth, afterpulse=0.0, blinding=0.0)
    recorded = count(photons, 0.0, gates_of(truth), plain, experiment.rng)
    at = np.full(BACKGROUND_DWELLS, phase)
    return measured_background(pattern_of(experiment), recorded.hits, recorded.gates, laser_on, at)


def _pairs(recorded: Recorded, number: int) -> Pairs:
    before = recorded.before[number]
    gates, hits = (np.broadcast_to(counts[number], before.shape) for counts in (recorded.gates, recorded.hits))
    return Pairs(gates, hits, before, recorded.both[number])
