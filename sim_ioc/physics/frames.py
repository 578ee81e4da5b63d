"""What the photon counter records in short frames that follow each other without gaps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.photons import hit_probability
from sim_ioc.physics.world import World

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RAMP_PIECES = 2
"""Pieces of a frame while the energy moves."""
MOST_ROUNDS, CONVERGED = 200, 1e-9
"""Of the chance of a hit, which depends on that in the gate before."""


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

    def take(self, end_s: float) -> tuple[IntArray, IntArray]:
        """Hits and opened gates by phase of the frame from the end of the last one, int64[P] each."""
        world, phases = self._world, self._world.model.num_phases
        hits, before = np.zeros(phases, np.int64), self._turns
        for piece in world.slices(self._until_s, end_s, RAMP_PIECES):
            seen_s = piece.end_s - piece.start_s - world.vetoed_s(piece)
            self._open_s += seen_s * (1 - world.missing_fraction.at(piece.start_s))
            turns = math.floor(self._open_s * self._turn_rate + 1e-6)
            thickness, fraction = world.jet_classes(piece)
            split = np.diff(np.floor(np.cumsum([0.0, *fraction]) * (turns - self._turns) + 1e-9)).astype(np.int64)
            chance = self._chance(world.photons_per_gate(piece, thickness))
            hits += self._rng.binomial(split[:, np.newaxis], chance).sum(axis=0)
            self._turns = turns
        self._until_s = end_s
        return hits, np.full(phases, self._turns - before, np.int64)

    def _chance(self, mu: FloatArray) -> FloatArray:
        """Chance of a hit by phase, with the after-effects of the gate before; the correlation of hits is left out."""
        q, counting = hit_probability(mu), self._world.counting
        afterpulse = self._world.scenario.detector.afterpulse
        blinding = np.broadcast_to(np.asarray(counting.blinding), q.shape[1:])
        if not afterpulse and not blinding.any():
            return q
        change, chance = afterpulse - blinding * q, q
        for _ in range(MOST_ROUNDS):
            before, chance = chance, q + change * np.roll(chance, 1, axis=1)
            if np.abs(chance - before).max() < CONVERGED:
                break
        return np.clip(chance, 0.0, 1.0)


def frame_i0(world: World, start_s: float, end_s: float) -> float:
    """Counts of I0 in a frame, with the noise of a count."""
    return float(round(world.i0_counts(start_s, end_s, world.draw_i0_noise())))
