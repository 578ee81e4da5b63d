"""What the photon counter records in short frames that follow each other without gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.pair_chain import walk_once
from sim_ioc.physics.photons import hit_probability
from sim_ioc.physics.world import World

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RAMP_PIECES = 2
"""Pieces of a frame while the energy moves."""


@dataclass
class FrameHits:
    """Counters of a frame by phase, int64[P] each: hits and opened gates; hits in the gate before each, and both."""

    hits: IntArray
    gates: IntArray
    previous_hits: IntArray
    coincidences: IntArray


class FrameCounts:
    """Draws frame after frame; gates that a frame has begun are counted in the next one.

    Parameters
    ----------
    world
        State of the beamline.
    start_s
        Beginning of the first frame, beamline seconds.
    """

    def __init__(self, world: World, start_s: float, rng: np.random.Generator) -> None:
        self._world, self._rng = world, rng
        self._turn_rate = world.model.bunch_rate_hz / world.model.num_phases
        self._open_s, self._turns = 0.0, 0
        self._until_s = start_s

    def take(self, end_s: float) -> FrameHits:
        """The frame from the end of the last one."""
        world, phases = self._world, self._world.model.num_phases
        before, hits = self._turns, np.zeros((3, phases), np.int64)
        for piece in world.slices(self._until_s, end_s, RAMP_PIECES):
            seen_s = piece.end_s - piece.start_s - world.vetoed_s(piece)
            self._open_s += seen_s * (1 - world.missing_fraction.at(piece.start_s))
            turns = math.floor(self._open_s * self._turn_rate + 1e-6)
            thickness, fraction = world.jet_classes(piece)
            split = np.diff(np.floor(np.cumsum([0.0, *fraction]) * (turns - self._turns) + 1e-9)).astype(np.int64)
            q = np.ascontiguousarray(hit_probability(world.photons_per_gate(piece, thickness)))
            walk_once(self._rng, q, self._after_hit(q), split, *hits)
            self._turns = turns
        self._until_s = end_s
        return FrameHits(hits[0], np.full(phases, self._turns - before, np.int64), hits[1], hits[2])

    def _after_hit(self, q: FloatArray) -> FloatArray:
        """Probability of a hit after a gate with one."""
        blinding, afterpulse = self._world.counting.blinding, self._world.scenario.detector.afterpulse
        return np.ascontiguousarray(np.clip(afterpulse + (1 - np.asarray(blinding)) * q, 0.0, 1.0))


def frame_i0(world: World, start_s: float, end_s: float) -> float:
    """Counts of I0 in a frame, with the noise of a count."""
    return float(round(world.i0_counts(start_s, end_s, world.draw_i0_noise())))
