"""Counts of ionisation chambers behind the sample, and behind a foil behind it."""

from __future__ import annotations

import math

import numpy as np

from sim_ioc.physics.world import Slice, World
from sim_ioc.scenario.detectors import TransmissionTruth


class TransmittedBeam:
    """The beam behind the sample of a scenario with a table ``[transmission]``."""

    def __init__(self, world: World, truth: TransmissionTruth) -> None:
        self._world, self._truth = world, truth
        self._rng = world.random("transmission")

    def draw_noise(self) -> tuple[float, float]:
        """Relative noise of the next count of both chambers."""
        behind_sample, behind_foil = self._rng.normal(0.0, self._truth.noise, 2)
        return float(behind_sample), float(behind_foil)

    def counts(self, start_s: float, end_s: float, noise: tuple[float, float]) -> tuple[float, float]:
        """Counts behind the sample and behind the foil in a window, dark included.

        Parameters
        ----------
        start_s, end_s
            The window.
        noise
            As drawn by `draw_noise`.
        """
        totals = [0.0, 0.0]
        for piece in self._world.slices(start_s, end_s):
            seconds = piece.end_s - piece.start_s
            light = self._light(piece)
            for number, rate in enumerate((light, light * self._foil(piece))):
                totals[number] += (rate * (1 + noise[number]) + self._truth.dark_per_s) * seconds
        return totals[0], totals[1]

    def _light(self, piece: Slice) -> float:
        """Count rate behind the sample, without dark."""
        world, start = self._world, piece.start_s
        if not world.xray_open.at(start):
            return 0.0
        middle = 0.5 * (piece.start_s + piece.end_s)
        thickness = float(world.jet_thickness(np.array([middle]))[0]) * world.sample_in_beam(start)
        current = world.beam_at_sample_mA(middle) / world.scenario.ring.current_mA
        absorbance = self._truth.step * thickness * self._signal(piece.energy_keV, middle)
        return self._truth.rate_per_s * current * math.exp(-absorbance)

    def _signal(self, energy_keV: float, time_s: float) -> float:
        """Absorption of the sample in edge steps, mean over all pulses."""
        world = self._world
        model = world.model_at(time_s)
        signal = model.edge_at(energy_keV).background + float(model.static(energy_keV))
        if world.laser_open.at(time_s):
            amplitudes = model.slot_amplitudes(world.true_delay_ps(time_s), world.fluence_at_sample(time_s))
            signal += float(amplitudes.mean()) * float(model.transient(energy_keV))
        return signal

    def _foil(self, piece: Slice) -> float:
        """Transmission of the foil: an edge as an arctangent, steepest at its energy."""
        truth = self._truth
        if not self._world.foil_in.at(piece.start_s):
            return 1.0
        step = 0.5 + math.atan(1e3 * (piece.energy_keV - truth.foil_e0_keV) / (0.5 * truth.foil_width_eV)) / math.pi
        return math.exp(-truth.foil_step * step)
