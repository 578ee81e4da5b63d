"""Physical state shared by the simulated devices, and what detectors record of it in a time window.

Devices write their effect on the beam into timelines. When the window of a counter is over, the counter evaluates them
over that window; so two counters armed at slightly different times each see their own window.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.counting import CountingChain, mean_by_bunch
from sim_ioc.physics.noise import PinkNoise
from sim_ioc.physics.photons import PhaseCounts, sample_pairs
from sim_ioc.physics.spots import Blades, LaserSpot
from sim_ioc.physics.storage_ring import RingCurrent
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import Scenario
from sim_ioc.scenario.second_apd import of_second_apd
from sim_ioc.timebase.clock import SimulatedClock
from sim_ioc.timebase.timeline import Ramp, Timeline

FloatArray = NDArray[np.float64]

JET_CLASSES = 6  # equal-time classes of the jet thickness within a dwell
RAMP_PIECES = 8  # pieces of a move of the monochromator
JET_WINDOW_S = 60.0  # the thickness noise is defined over this window
SATURATED_PHASE = 7
_ALL = "bunches counts i0 mono jet pass ring laser boxcar shots second_counts transmission fill bunch_monitor fly knife"
_STREAM = {name: number for number, name in enumerate(_ALL.split(), start=1)}


@dataclass(frozen=True)
class Slice:
    """A time interval without jumps."""

    start_s: float
    end_s: float
    energy_keV: float


class World:
    """State of the beamline against beamline time.

    Attributes
    ----------
    energy_keV
        True photon energy, as ramps.
    xray_open, laser_open, beam_stored, laser_locked, counters_in_step, saturated
        Switches.
    delay_ps, fluence_mJ_cm2, laser_phase
        Delay set by the generators, without the drift of t0; pump fluence in the middle of the laser spot in focus;
        first pumped bunch.
    laser_spot, blades, foil_in, crystal_share, filter_share
        Spot of the laser; knife at the sample; whether the foil is in the beam; flux over that with a tuned crystal,
        and over that without filters.
    gate, threshold_mV, hv_V
        Gate and discriminator of the photon counter; bias of the detector, as ramps.
    jet_speed_m_s, sample_fraction
        Speed of the jet, 0 without a sheet; fraction of the X-ray beam that hits the sheet.
    bunch_weight
        Charge of each bunch over their mean, at a time.
    i0_gain, missing_fraction
        Amplifier gain of I0, relative to the one that its rates refer to; fraction of the gates that never open.
    """

    def __init__(self, scenario: Scenario, clock: SimulatedClock) -> None:
        self.scenario = scenario
        self.clock = clock
        self.model = ForwardModel(scenario)
        start = scenario.monochromator.start_keV
        true_start = start + scenario.monochromator.offset_eV * 1e-3
        self.energy_keV = Timeline(Ramp(0.0, 0.0, true_start, true_start))
        self.xray_open = Timeline(True)
        self.beam_stored = Timeline(True)
        self.laser_open = Timeline(False)
        self.laser_locked = Timeline(True)
        self.laser_phase = Timeline(scenario.laser.phase)
        self.counters_in_step = Timeline(True)
        self.saturated = Timeline(False)
        self.delay_ps = Timeline(scenario.delay.start_ps)
        self.fluence_mJ_cm2 = Timeline(scenario.laser.fluence_mJ_cm2)
        self.laser_spot, self.blades, self.foil_in = Timeline(LaserSpot()), Timeline(Blades()), Timeline(True)
        self.crystal_share, self.filter_share = Timeline(1.0), Timeline(1.0)
        self._install_detector()
        self.jet_speed_m_s = Timeline(scenario.jet.speed_m_s)
        self.sample_fraction = Timeline(1.0)
        self.i0_gain = Timeline(1.0)
        self.missing_fraction = Timeline(0.0)
        self._timelines = [each for each in vars(self).values() if isinstance(each, Timeline)]
        self._models = {(scenario.laser.phase, scenario.jet.speed_m_s): self.model}
        self._ring = RingCurrent(scenario.ring, [scenario.seed, _STREAM["ring"]], self.model.bunch_weight)
        self.bunch_weight = self._ring.weight_at
        jet, seed = scenario.jet, scenario.seed
        self._jet_noise = PinkNoise(jet.thickness_rms, jet.low_Hz, jet.high_Hz, JET_WINDOW_S, [seed, _STREAM["jet"]])
        self._pass_noise = PinkNoise(jet.pass_to_pass_rms, 1 / 7200, 1 / 1200, 1e9, [seed, _STREAM["pass"]])
        self._count_rng = self.random("counts")
        self._i0_rng = self.random("i0")
        self.shot_rng = self.random("shots")

    def _install_detector(self) -> None:
        """The counting chain of the scenario's detector, as at start-up."""
        detector = self.scenario.detector
        self.counting = CountingChain(self.model)
        self.gate, self.threshold_mV = Timeline(self.counting.gate_at_start), Timeline(detector.threshold_mV)
        self.hv_V = Timeline(Ramp(0.0, 0.0, detector.hv_V, detector.hv_V))

    def of_second_apd(self) -> World:
        """The same beam, jet and laser as a second APD sees them; each counter knows the changes that concern it."""
        other = copy.copy(self)
        other.scenario = of_second_apd(self.scenario)
        other.model, other._models = ForwardModel(other.scenario), {}
        other.saturated = Timeline(False)
        other._install_detector()
        other._timelines = [each for each in vars(other).values() if isinstance(each, Timeline)]
        other._count_rng = self.random("second_counts")
        return other

    def changes(self) -> int:
        """Number of changes so far; the result of a window is known while it stays the same."""
        return sum(each.changes for each in self._timelines)

    def random(self, stream: str) -> np.random.Generator:
        """Random number generator for one part of the beamline."""
        return np.random.default_rng([self.scenario.seed, _STREAM[stream]])

    def model_at(self, time_s: float) -> ForwardModel:
        """Forward model with the laser phase and the speed of the jet at that time."""
        phase = self.laser_phase.at(time_s)
        speed = self.jet_speed_m_s.at(time_s) or self.scenario.jet.speed_m_s
        if (phase, speed) not in self._models:
            laser = self.scenario.laser.model_copy(update={"phase": phase})
            jet = self.scenario.jet.model_copy(update={"speed_m_s": speed})
            self._models[phase, speed] = ForwardModel(self.scenario.model_copy(update={"laser": laser, "jet": jet}))
        return self._models[phase, speed]

    def sample_in_beam(self, time_s: float) -> float:
        """Fraction of the beam that hits the liquid; 0 without a sheet."""
        return self.sample_fraction.at(time_s) if self.jet_speed_m_s.at(time_s) > 0 else 0.0

    def seconds_to_topup(self, time_s: float) -> float:
        """Beamline seconds until the next top-up."""
        return self._ring.next_topup(time_s) - time_s

    def current_mA(self, time_s: float) -> float:
        """Ring current."""
        return self._ring.at(time_s) if self.beam_stored.at(time_s) else 0.0

    def beam_mA(self, time_s: float) -> float:
        """Ring current that would give the flux behind a tuned monochromator and no filter."""
        return self.current_mA(time_s) * self.crystal_share.at(time_s) * self.filter_share.at(time_s)

    def fluence_at_sample(self, time_s: float) -> float:
        """Pump fluence at the spot of the X-rays, mJ/cm2."""
        share = self.laser_spot.at(time_s).share(self.scenario.laser, self.scenario.jet)
        return self.fluence_mJ_cm2.at(time_s) * share

    def beam_at_sample_mA(self, time_s: float) -> float:
        """The same as `beam_mA` behind the knife."""
        return self.beam_mA(time_s) * self.blades.at(time_s).xrays(self.scenario.knife, self.scenario.jet)

    def true_delay_ps(self, time_s: float) -> float:
        """Delay with the drift of t0."""
        return self.delay_ps.at(time_s) + self.scenario.delay.drift_ps_per_h * time_s / 3600

    def jet_thickness(self, time_s: FloatArray) -> FloatArray:
        """Thickness of the jet relative to its mean, at each time."""
        return np.maximum((1 + self._jet_noise(time_s)) * (1 + self._pass_noise(time_s)), 0.0)

    def slices(self, start_s: float, end_s: float, ramp_pieces: int = RAMP_PIECES) -> list[Slice]:
        """Divide a window at every jump, and moves of the monochromator into pieces."""
        cuts = {start_s, end_s, *self._ring.topups(start_s, end_s)}
        for timeline in self._timelines:
            cuts.update(timeline.jumps(start_s, end_s))
        for first, last in pairwise(sorted(cuts)):
            for ramp in (self.energy_keV.at(first), self.hv_V.at(first)):
                if first < ramp.end_s:
                    pieces = np.linspace(first, min(ramp.end_s, last), ramp_pieces + 1)
                    cuts.update(float(t) for t in pieces)
        bounds = sorted(cuts)
        return [Slice(a, b, self.energy_keV.at(a).at(0.5 * (a + b))) for a, b in pairwise(bounds)]

    def i0_counts(self, start_s: float, end_s: float, relative_noise: float = 0.0) -> float:
        """Counts of the ion chamber in a window, dark included, with the noise of `draw_i0_noise`."""
        truth, counts = self.scenario.i0, 0.0
        for piece in self.slices(start_s, end_s):
            middle = 0.5 * (piece.start_s + piece.end_s)
            rate = truth.dark_per_s
            if self.xray_open.at(piece.start_s):
                light = self.model.i0_rate(self.beam_mA(middle)) - truth.dark_per_s
                rate += light * (1 + relative_noise)
            rate = min(rate * self.i0_gain.at(piece.start_s), truth.highest_rate_per_s)
            counts += rate * (piece.end_s - piece.start_s)
        return counts

    def draw_i0_noise(self) -> float:
        """Relative noise of the next count of I0."""
        return float(self._i0_rng.normal(0.0, self.scenario.i0.noise))

    def photon_counts(self, start_s: float, end_s: float) -> PhaseCounts:
        """Counts of the photon counter in a window."""
        detector = self.scenario.detector
        paralysable = detector.dead_time == "paralysable"
        turn_rate = self.model.bunch_rate_hz / self.model.num_phases
        topups = self._ring.topups(start_s - self.scenario.ring.topup_veto_s, end_s)
        total = PhaseCounts.zeros(self.model.num_phases)
        open_s, turns_before, starts = 0.0, 0, 1
        for piece in self.slices(start_s, end_s):
            vetoed_s = self.vetoed_s(piece)
            open_s += (piece.end_s - piece.start_s - vetoed_s) * (1 - self.missing_fraction.at(piece.start_s))
            turns = math.floor(open_s * turn_rate + 1e-6)
            if piece.start_s in topups:
                starts += 1
            thickness, fraction = self.jet_classes(piece)
            mu = self.photons_per_gate(piece, thickness)
            split = np.diff(np.floor(np.cumsum([0.0, *fraction]) * (turns - turns_before) + 1e-9)).astype(np.int64)
            first = np.zeros(split.size, dtype=np.int64)
            first[0] = starts
            pairs = sample_pairs(
                self._count_rng, mu, split, detector.afterpulse, self.counting.blinding, first, paralysable
            )
            total = total + pairs.total()
            starts = 0 if turns > turns_before else starts
            turns_before = turns
        return total

    def vetoed_s(self, piece: Slice) -> float:
        """Time in a slice during which a top-up vetoes the counters."""
        veto_s = self.scenario.ring.topup_veto_s
        return sum(self._overlap(piece, t) for t in self._ring.topups(piece.start_s - veto_s, piece.end_s))

    def photons_per_gate(self, piece: Slice, thickness: FloatArray) -> FloatArray:
        """Photons per gate equivalent to the hits in a slice, float64[thicknesses, P]."""
        return self._photons_per_gate(piece, self.photons_per_pulse(piece, thickness))

    def _overlap(self, piece: Slice, topup_s: float) -> float:
        end = topup_s + self.scenario.ring.topup_veto_s
        return max(0.0, min(piece.end_s, end) - max(piece.start_s, topup_s))

    def jet_classes(self, piece: Slice) -> tuple[FloatArray, FloatArray]:
        """Thickness classes of the jet in a slice, and the fraction of the time of each.

        The classes reproduce mean and variance of the thickness during the slice.
        """
        if self._jet_noise.is_quiet:
            middle = np.array([0.5 * (piece.start_s + piece.end_s)])
            return self.jet_thickness(middle), np.ones(1)
        length = piece.end_s - piece.start_s
        num_samples = JET_CLASSES * max(1, min(1000, math.ceil(length * self.scenario.jet.high_Hz / 2)))
        step = length / num_samples
        grid = (piece.start_s + 0.5 * step, step, num_samples)
        thickness = (1 + self._jet_noise.on_grid(*grid)) * (1 + self._pass_noise.on_grid(*grid))
        sorted_thickness = np.sort(np.maximum(thickness, 0.0))
        classes = sorted_thickness.reshape(JET_CLASSES, -1).mean(axis=1)
        mean, spread = classes.mean(), classes.std()
        stretched = mean + (classes - mean) * (sorted_thickness.std() / spread if spread > 0 else 1.0)
        return np.maximum(stretched, 0.0), np.full(JET_CLASSES, 1 / JET_CLASSES)

    def photons_per_pulse(self, piece: Slice, thickness: FloatArray) -> FloatArray:
        """Photons per pulse at the detector in a slice, those of the laser included, float64[classes of the jet, P]."""
        start, middle = piece.start_s, 0.5 * (piece.start_s + piece.end_s)
        model = self.model_at(start)
        laser_on = self.laser_open.at(start)
        delay = self.true_delay_ps(middle)
        background = model.background_mu(laser_on, delay)
        light = np.zeros(model.num_phases)
        current = self.beam_at_sample_mA(middle) if self.xray_open.at(start) else 0.0
        if current > 0:
            delays = [delay] if self.laser_locked.at(start) or not laser_on else model.any_delay()
            state = self.fluence_at_sample(start), laser_on, current
            light = np.mean([model.light_mu(piece.energy_keV, d, *state) for d in delays], axis=0)
        light = light * (self.bunch_weight(middle) / model.bunch_weight)[model.bunch_of_phase]
        flash = background - self.scenario.detector.dark_per_gate
        return np.asarray(light * self.sample_in_beam(start) * thickness[:, np.newaxis] + flash)

    def _photons_per_gate(self, piece: Slice, photons: FloatArray) -> FloatArray:
        """Photons per gate from photons per pulse: gate, discriminator, dark counts; same shape."""
        start, model = piece.start_s, self.model
        if not self.counters_in_step.at(start):
            photons = np.stack([mean_by_bunch(model, one) for one in photons])
        gain = self.gain(0.5 * (start + piece.end_s))
        mu = self.counting.photons_per_gate(photons, self.gate.at(start), self.threshold_mV.at(start), gain)
        if self.saturated.at(start):
            mu[:, SATURATED_PHASE % model.num_phases] = 1e3
        return mu

    def temperature_degC(self, time_s: float) -> float:
        """Temperature of the detector."""
        truth = self.scenario.detector
        swing = math.sin(2 * math.pi * time_s / truth.temperature_period_s)
        return truth.temperature_degC + truth.temperature_swing_K * swing

    def gain(self, time_s: float) -> float:
        """Gain of the detector relative to that at start-up."""
        return self.counting.heights.gain(self.hv_V.at(time_s).at(time_s), self.temperature_degC(time_s))
