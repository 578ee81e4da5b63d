"""Photon-counting chain: from photons per pulse to photons per gate, behind gate and discriminator."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.gating import Gate, GateTransmission, gate_transmission
from sim_ioc.physics.pulse_heights import PulseHeights
from sim_ioc.physics.truth import ForwardModel, pulse_buckets
from sim_ioc.scenario.scenario import ScenarioError

FloatArray = NDArray[np.float64]


class CountingChain:
    """Discriminator, gate and dead time for the bunches of a scenario.

    Attributes
    ----------
    heights
        Pulse heights of the detector.
    first_gate
        The gate around the pulse; dark counts refer to its width.
    gate_at_start
        The gate at start-up, which a scenario may have elsewhere.
    blinding : float64[P]
        Fraction of the photons of a phase that a hit in the previous one hides; 1 within the dead pulse.
    """

    def __init__(self, model: ForwardModel) -> None:
        ring, self._detector = model.scenario.ring, model.scenario.detector
        turns, bunch = np.divmod(np.arange(model.num_phases), model.num_bunches)
        buckets = pulse_buckets(ring)[bunch] + turns * ring.harmonic
        self._markers_ns = (buckets - buckets[0]) * 1e3 / ring.rf_MHz
        self._pattern_ns = model.num_phases // model.num_bunches * ring.harmonic * 1e3 / ring.rf_MHz
        gaps_ns = np.diff(self._markers_ns, prepend=self._markers_ns[-1] - self._pattern_ns)
        dead_ns = self._detector.dead_pulse_ns
        if dead_ns > (gaps_ns + np.roll(gaps_ns, 1)).min():
            raise ScenarioError(
                f"detector.dead_pulse_ns = {dead_ns:g} reaches beyond the next bunch, {gaps_ns.min():.1f} ns later"
            )
        self.blinding: FloatArray = np.where(gaps_ns < dead_ns, 1.0, self._detector.blinding)
        self.heights = PulseHeights(self._detector)
        self.first_gate = Gate.around_the_pulse(self._detector, float(gaps_ns.min()))
        self.gate_at_start = self.first_gate.set_at_start(self._detector)
        self.transmission = lru_cache(maxsize=64)(self._transmission)

    def _transmission(self, gate: Gate) -> GateTransmission:
        return gate_transmission(gate, self._detector, self._markers_ns, self._pattern_ns)

    def photons_per_gate(self, mu: FloatArray, gate: Gate, threshold_mV: float, gain: float) -> FloatArray:
        """Photons per gate equivalent to the recorded hits, dark counts and noise included.

        Parameters
        ----------
        mu
            Photons per pulse without dark counts, float64[C, P].
        gate, threshold_mV, gain
            Settings; the gain is relative to that at start-up.
        """
        if self._detector.is_dead:
            return np.zeros_like(mu)
        seen = self.transmission(gate).photons(self.heights.counted(mu, threshold_mV, gain))
        dark = self._detector.dark_per_gate * gate.width_ticks / self.first_gate.width_ticks
        dark *= 1 - float(self.heights.missed(1, threshold_mV, gain))  # a dark count has the height of a photon
        return seen + dark + self.heights.noise_counts(threshold_mV, gate.width_ticks * self._detector.gate_tick_ns)


def mean_by_bunch(model: ForwardModel, by_phase: FloatArray) -> FloatArray:
    """Average over pump slots, for a counter whose divider differs from that of the laser."""
    sums = np.bincount(model.bunch_of_phase, by_phase, minlength=model.num_bunches)
    return np.asarray((sums / np.bincount(model.bunch_of_phase))[model.bunch_of_phase])
