"""The forward model: photons per pulse at the detector, by phase.

Phases are the pulses of the pattern that repeats: P = lcm(bunches, divider). Phase p is bunch
p mod bunches and pump slot (p - laser phase) mod divider; slot s probes at (t + s * bunch period)
modulo the laser period.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_ioc.physics.kinetics import PumpResponse, fluence_response
from sim_ioc.physics.spectrum import EdgeModel
from sim_ioc.scenario.scenario import RingTruth, Scenario, load_scenario

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SPECTRA_KEPT = 16
"""Energies whose spectra are remembered: all dwells of a point are at one."""
REACH_KEV = 0.5
"""Distance from its white line within which an edge other than those of the paper is used."""
_BUNCH_STREAM = 1  # separates the bunch charges from all other random numbers of the scenario


class ForwardModel:
    """Noise-free truth of a scenario.

    Attributes
    ----------
    num_phases, num_bunches, divider, laser_phase
        Pattern of the ring and the laser.
    bunch_rate_hz, laser_rate_hz
        Pulses and pumps per second.
    bunch_weight : float64[num_bunches]
        Charge of each bunch relative to their mean.
    bunch_of_phase, slot_of_phase : int64[num_phases]
        Bunch and pump slot of each phase.
    """

    def __init__(self, scenario: Scenario | None = None) -> None:
        self.scenario = scenario = scenario if scenario is not None else load_scenario()
        self.num_bunches = scenario.ring.num_bunches
        self.divider = scenario.laser.divider
        self.laser_phase = scenario.laser.phase
        self.num_phases = math.lcm(self.num_bunches, self.divider)
        self.bunch_rate_hz = scenario.ring.rf_MHz * 1e6 * self.num_bunches / scenario.ring.harmonic
        self.laser_rate_hz = self.bunch_rate_hz / self.divider
        self.bunch_of_phase: IntArray = np.arange(self.num_phases) % self.num_bunches
        self.slot_of_phase: IntArray = (np.arange(self.num_phases) - self.laser_phase) % self.divider
        self.bunch_weight = _bunch_weights(scenario)
        self._br_k = EdgeModel(scenario.sample.br_k)
        self._pb_l3 = EdgeModel(scenario.sample.pb_l3)
        self._others = [EdgeModel(edge) for edge in scenario.sample.edges.values()]
        self._response = PumpResponse(
            scenario.kinetics, scenario.laser, scenario.jet, self.divider * self.bunch_period_ps
        )
        self._at_one = lru_cache(SPECTRA_KEPT)(lambda energy_keV: self._spectra(np.array([energy_keV])))

    @property
    def bunch_period_ps(self) -> float:
        """Time between two X-ray pulses, ps; their mean where they are not evenly spaced."""
        return 1e12 / self.bunch_rate_hz

    def edge_at(self, energy_keV: float) -> EdgeModel:
        """The edge whose spectrum is used at an energy: one within reach, else Pb L3 below the boundary, Br K above."""
        for edge in self._others:
            if abs(energy_keV - edge.white_line_keV) < REACH_KEV:
                return edge
        return self._pb_l3 if energy_keV < self.scenario.sample.edge_boundary_keV else self._br_k

    def white_line_keV(self, energy_keV: float) -> float:
        """White line (keV) of the edge used at an energy."""
        return self.edge_at(energy_keV).white_line_keV

    def any_delay(self) -> list[float]:
        """Delays of an unlocked laser, ps: uniform over its period."""
        return [(i + 0.5) * self.divider * self.bunch_period_ps / 64 for i in range(64)]

    def slot_delays_ps(self, delay_ps: float) -> FloatArray:
        """Delay of each slot after the last pump, ps, float64[divider]."""
        turns, bunches = np.divmod(self.laser_phase + np.arange(self.divider), self.num_bunches)
        buckets = pulse_buckets(self.scenario.ring)[bunches] + self.scenario.ring.harmonic * turns
        since_first_ps = (buckets - buckets[0]) / (self.scenario.ring.rf_MHz * 1e-6)
        return np.mod(delay_ps + since_first_ps, self.divider * self.bunch_period_ps)

    def slot_amplitudes(self, delay_ps: float, fluence_mJ_cm2: float) -> FloatArray:
        """Transient amplitude of each slot (1: slot 0 at 100 ps, nominal fluence), float64[divider]."""
        response = float(fluence_response(fluence_mJ_cm2, self.scenario.fluence))
        return response * self._response.amplitude(self.slot_delays_ps(delay_ps))

    def static(self, energy_keV: ArrayLike) -> FloatArray:
        """Static signal without background, in units of the edge step; same shape as the energies."""
        return self._by_edge(energy_keV, EdgeModel.static_signal)

    def transient(self, energy_keV: ArrayLike) -> FloatArray:
        """Transient at 100 ps and nominal fluence, in units of the edge step; same shape."""
        return self._by_edge(energy_keV, EdgeModel.transient)

    def _by_edge(self, energy_keV: ArrayLike, quantity: Callable[[EdgeModel, FloatArray], ArrayLike]) -> FloatArray:
        """A quantity of the edge that is used at each energy."""
        energy = np.asarray(energy_keV, dtype=float)
        below = energy < self.scenario.sample.edge_boundary_keV
        values = np.where(below, quantity(self._pb_l3, energy), quantity(self._br_k, energy))
        for edge in self._others:
            values = np.where(np.abs(energy - edge.white_line_keV) < REACH_KEV, quantity(edge, energy), values)
        return values

    def photons_per_step(self, energy_keV: ArrayLike) -> FloatArray:
        """Photons per pulse of one edge step, at each energy, from mu at the white line."""

        def scale(edge: EdgeModel, energy_keV: FloatArray) -> float:
            return self.scenario.sample.mu_white_line / float(edge.signal(edge.white_line_keV))

        return self._by_edge(energy_keV, scale)

    def mu(
        self,
        energy_keV: ArrayLike,
        delay_ps: float,
        fluence_mJ_cm2: float,
        laser_on: bool,
        current_mA: float | None = None,
        jet: float = 1.0,
    ) -> FloatArray:
        """Mean photons per pulse that a detector without saturation would count.

        Parameters
        ----------
        energy_keV
            True photon energy, shape (E,) or scalar.
        delay_ps
            True delay of slot 0.
        fluence_mJ_cm2
            Pump fluence.
        laser_on
            Whether the pump reaches the sample.
        current_mA
            Ring current; the nominal one if None.
        jet
            Thickness of the jet relative to its mean.

        Returns
        -------
        float64[..., num_phases]
            Shape of the energies, then the phases. Dark counts and laser-only background included.
        """
        energy = np.asarray(energy_keV, dtype=float)[..., np.newaxis]
        signal, transient, photons_per_step = (
            self._spectra(energy) if energy.ndim > 1 else self._at_one(float(energy.item()))
        )
        if laser_on:
            blocked = self.scenario.laser.is_blocked
            amplitude = self.slot_amplitudes(delay_ps, 0.0 if blocked else fluence_mJ_cm2)[self.slot_of_phase]
            signal = signal + amplitude * transient
        current = 1.0 if current_mA is None else current_mA / self.scenario.ring.current_mA
        photons = np.maximum(photons_per_step * signal, 0.0) * current * jet
        return photons * self.bunch_weight[self.bunch_of_phase] + self.background_mu(laser_on, delay_ps)

    def _spectra(self, energy: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Signal without laser, transient, and photons per pulse of one edge step, at each energy."""
        background = self._by_edge(energy, lambda edge, _: edge.background)
        return background + self.static(energy), self.transient(energy), self.photons_per_step(energy)

    def light_mu(
        self, energy_keV: ArrayLike, delay_ps: float, fluence_mJ_cm2: float, laser_on: bool, current_mA: float
    ) -> FloatArray:
        """The same without what is counted without X-rays."""
        with_background = self.mu(energy_keV, delay_ps, fluence_mJ_cm2, laser_on, current_mA)
        return np.asarray(with_background - self.background_mu(laser_on, delay_ps))

    def background_mu(self, laser_on: bool, delay_ps: float = 0.0) -> FloatArray:
        """Counts per gate without X-rays: dark, and with the laser on laser light in one slot; float64[P].

        That is slot 0, or where the light follows the delay the slot whose X-ray pulse is nearest to the laser pulse.
        """
        laser = self.scenario.laser
        background = np.full(self.num_phases, self.scenario.detector.dark_per_gate)
        if laser_on and not laser.is_blocked:
            slot = round(-delay_ps / self.bunch_period_ps) % self.divider if laser.light_follows_delay else 0
            background[self.slot_of_phase == slot] += laser.background_per_gate
        return background

    def i0_rate(self, current_mA: float | None = None) -> float:
        """Count rate of I0 in 1/s with dark and non-linearity, at a ring current (nominal if None)."""
        i0 = self.scenario.i0
        current = 1.0 if current_mA is None else current_mA / self.scenario.ring.current_mA
        return i0.rate_per_s * current * (1 + i0.nonlinearity * current) + i0.dark_per_s


def pulse_buckets(ring: RingTruth) -> FloatArray:
    """Position of each X-ray pulse in the ring, in RF buckets; the centre for a group of bunches."""
    if not ring.buckets:
        return np.asarray(np.arange(ring.num_bunches) * (ring.harmonic / ring.num_bunches), dtype=float)
    sizes = np.array(ring.group_sizes or [1] * ring.num_bunches)
    return np.asarray(np.array(ring.buckets) + 0.5 * (sizes - 1), dtype=float)


def _bunch_weights(scenario: Scenario) -> FloatArray:
    spread, number = scenario.ring.bunch_spread_rms, scenario.ring.num_bunches
    charges = np.array(scenario.ring.charges or [1.0] * number)
    if number == 1 or spread == 0:
        return charges / charges.mean()
    normal = np.random.default_rng([scenario.seed, _BUNCH_STREAM]).standard_normal(number)
    standard = (normal - normal.mean()) / normal.std()
    weights = charges * np.maximum(1 + spread * standard, 0.05)
    return weights / weights.mean()
