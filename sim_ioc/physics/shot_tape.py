"""Shots of one dwell, drawn piece by piece as time passes, for counter and digitiser alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics import pair_chain
from sim_ioc.physics.photons import NUM_LAGS, PhaseCounts
from sim_ioc.physics.shot_drawing import ADC_PER_MV, count_shots, draw_shots, gauss_table
from sim_ioc.physics.world import Slice, World

Heights = NDArray[np.int16]
FloatArray = NDArray[np.float64]
JET_STEP_S = 0.01
"""Time over which the jet is taken as constant."""
MONITOR_ADC = 8000.0


@dataclass(frozen=True)
class ShotPart:
    """Consecutive shots.

    Attributes
    ----------
    first_phase
        Phase of the first shot.
    missing
        Shots lost since the previous part.
    heights, monitor : int16[N]
        ADC units.
    """

    first_phase: int
    missing: int
    heights: Heights
    monitor: Heights


@dataclass(frozen=True)
class DrawJob:
    """Shots to be drawn, and everything that they depend on.

    Attributes
    ----------
    first_shot, shots
        Number of the first shot within the dwell; number of shots.
    mu : float64[C, P]
        Photons per gate.
    widths : float64[4]
        See `sim_ioc.physics.shot_drawing.draw_shots`.
    threshold
        ADC units.
    """

    first_shot: int
    shots: int
    mu: FloatArray
    widths: FloatArray
    threshold: int


class ShotTape:
    """Draws the shots of a dwell and counts them as the photon counter does.

    Parameters
    ----------
    world
        State of the beamline.
    start_s
        Start of the dwell, at phase 0.
    """

    def __init__(self, world: World, start_s: float) -> None:
        self._world = world
        self.start_s = start_s
        self.rate_hz = world.model.bunch_rate_hz
        self.drawn = 0
        """Shots of the dwell so far, lost ones included."""
        self._missing = 0
        self._counts = PhaseCounts.zeros(world.model.num_phases)
        self._history = np.zeros(NUM_LAGS, np.int64)
        self._before = 0
        self._gauss = gauss_table()
        self._state = world.shot_rng.integers(1, 2**63, 2, dtype=np.uint64)

    @property
    def num_phases(self) -> int:
        """Pulses until the pattern repeats."""
        return self._world.model.num_phases

    def shots_until(self, time_s: float) -> int:
        """Shots of the dwell until a time, in whole turns of the pattern."""
        turns = math.floor((time_s - self.start_s) * self.rate_hz / self.num_phases + 1e-6)
        return max(0, turns) * self.num_phases

    def time_of(self, shot: int) -> float:
        """Time of a shot of the dwell."""
        return self.start_s + shot / self.rate_hz

    def prepare(self, until: int) -> list[DrawJob]:
        """Jobs up to shot number `until`, whose time must have passed.

        Shots removed by a veto or a fault lie between the jobs.
        """
        jobs = []
        end_s, shot = self.time_of(until), self.drawn
        for piece in self._world.slices(self.time_of(shot), end_s):
            last = until if piece.end_s >= end_s else round((piece.end_s - self.start_s) * self.rate_hz)
            vetoed, kept = self._open(piece, max(0, last - shot))
            if kept > 0:
                jobs.append(self._job(piece, shot + vetoed, kept))
            shot = max(shot, last)
        return jobs

    def draw(self, jobs: list[DrawJob], until: int) -> list[ShotPart]:
        """Draw and count a job; may run in a thread, one at a time."""
        parts = []
        for job in jobs:
            self._lose(job.first_shot - self.drawn)
            parts.append(self._draw(job))
        self._lose(until - self.drawn)
        return parts

    def skip(self, until: int) -> None:
        """Skip the shots up to number `until`, which the digitiser drops; the counter still counts them."""
        self._counts = self._counts + self._world.photon_counts(self.time_of(self.drawn), self.time_of(until))
        self._lose(until - self.drawn)

    def counts(self) -> PhaseCounts:
        """Counts of the photon counter."""
        return self._counts

    @property
    def lost(self) -> int:
        """Shots lost since the last part."""
        return self._missing

    def _open(self, piece: Slice, shots: int) -> tuple[int, int]:
        """Shots at the beginning of a slice removed by a veto, and the shots after them."""
        vetoed = min(shots, round(self._world.vetoed_s(piece) * self.rate_hz))
        lost = round((shots - vetoed) * self._world.missing_fraction.at(piece.start_s))
        return vetoed, shots - vetoed - lost

    def _lose(self, shots: int) -> None:
        if shots <= 0:
            return
        self.drawn += shots
        self._missing += shots
        gone = min(shots, NUM_LAGS)
        self._history = np.concatenate([np.zeros(gone, np.int64), self._history])[:NUM_LAGS]

    def _job(self, piece: Slice, first_shot: int, shots: int) -> DrawJob:
        world, detector = self._world, self._world.scenario.detector
        steps = max(1, math.ceil((piece.end_s - piece.start_s) / JET_STEP_S))
        times = piece.start_s + (np.arange(steps) + 0.5) * (piece.end_s - piece.start_s) / steps
        one_mV = detector.photon_mV * world.gain(piece.start_s)
        spread_mV = world.counting.heights.spread * one_mV
        widths_mV = np.array([one_mV, spread_mV, detector.noise_mV, MONITOR_ADC / ADC_PER_MV])
        return DrawJob(
            first_shot=first_shot,
            shots=shots,
            mu=world.photons_per_gate(piece, world.jet_thickness(times)),
            widths=widths_mV * ADC_PER_MV,
            threshold=round(world.threshold_mV.at(piece.start_s) * ADC_PER_MV),
        )

    def _draw(self, job: DrawJob) -> ShotPart:
        world, phase = self._world, job.first_shot % self.num_phases
        heights, monitor = np.empty(job.shots, np.int16), np.empty(job.shots, np.int16)
        after = np.append(world.scenario.detector.afterpulse, world.counting.blinding)
        limits = np.array([job.threshold, phase])
        self._before = draw_shots(
            self._state, job.mu, after, job.widths, self._gauss, limits, self._before, heights, monitor
        )
        counts = self._counts
        pairs = np.zeros((4, NUM_LAGS, self.num_phases), np.int64)
        count_shots(heights, job.threshold, phase, self._history, counts.counts, counts.gates, pairs)
        counters = (counts.pair_gates, counts.pair_counts, counts.prev_hits, counts.coinc)
        for counter, more in zip(counters, pairs, strict=True):
            counter += more
        part = ShotPart(phase, self._missing, heights, monitor)
        self.drawn += job.shots
        self._missing = 0
        return part


def warm_up() -> None:
    """Compile the drawing of shots and counts, or load it from the cache, so that the first dwell does not wait."""
    pair_chain.warm_up()
    heights, monitor = np.zeros(8, np.int16), np.zeros(8, np.int16)
    widths, limits = np.ones(4), np.zeros(2, np.int64)
    draw_shots(np.ones(2, np.uint64), np.ones((1, 2)), np.zeros(3), widths, gauss_table(), limits, 0, heights, monitor)
    hits, gates = np.zeros((2, 2), np.int64)
    count_shots(heights, 0, 0, np.zeros(NUM_LAGS, np.int64), hits, gates, np.zeros((4, NUM_LAGS, 2), np.int64))
