"""Forward model of the experiment: light in each phase of each dwell, from sample, laser, jet and ring.

Written for the study alone; it shares no code with the reduction that it tests, nor with the simulator.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from beamline.studies.numbers.jet import SEGMENTS, Schedule, one_over_f, schedule
from beamline.studies.numbers.scenarios import SINGLE, StudyScenario

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

EDGE, WHITE_LINE = 13.4700, 13.4720
"""keV."""
ENERGIES = np.round(
    np.concatenate([
        [13.450, 13.453, 13.456, 13.460],
        np.arange(13.4655, 13.4700, 0.0015),
        np.arange(13.4705, 13.4740, 0.0005),
        np.arange(13.475, 13.4805, 0.0015),
        [13.485, 13.490, 13.497, 13.508, 13.530, 13.570],
    ]), 6,
)  # fmt: skip
MONITORS = (13.455, 13.485)
"""keV; energies to which a pass returns, off the edge and on it."""


def static(energy: Array) -> Array:
    """Absorption over its edge step: an arctan edge, a Lorentzian white line, one slow wiggle."""
    x = 1e3 * (energy - EDGE)
    wiggle = 0.06 * np.sin(x / 4.2) * np.exp(-x / 40) * (x > 6)
    return 0.5 + np.arctan(x / 1.1) / np.pi + 0.9 / (1 + ((x - 2.0) / 1.4) ** 2) + wiggle


def difference(energy: Array) -> Array:
    """Shape of the transient, 1 in size at the white line: less white line, more below and above it."""
    x = 1e3 * (energy - WHITE_LINE)
    return (
        -np.exp(-((x / 1.3) ** 2)) + 0.55 * np.exp(-(((x + 3.6) / 1.2) ** 2)) + 0.45 * np.exp(-(((x - 4.6) / 1.8) ** 2))
    )


def excited(delay: Array, truth: StudyScenario) -> Array:
    """Excitation at a probe `delay` after the laser pulse (ps), any real number.

    The pulse excites a fresh sample; until then the one before is seen. Both through the Gaussian response: of an
    exponential, ``exp(s^2/2 - x s) Phi(x - s)`` with x the delay and s the response in lifetimes, by logarithms.
    """
    late = np.asarray(delay, dtype=np.float64) - truth.time_zero
    turns = np.floor((late + 10 * truth.response) / truth.fill.period)
    late = late - turns * truth.fill.period
    x = late / truth.response
    before = np.exp(log_ndtr(-x))
    total = np.zeros_like(late)
    for lifetime, amplitude in zip(truth.lifetimes, truth.amplitudes, strict=True):
        s = truth.response / lifetime
        total += amplitude * np.exp(s * s / 2 - x * s + log_ndtr(x - s))
        total += amplitude * before * np.exp(-(truth.fill.period + late) / lifetime)
    return total


def saturated(fluence: Array | float, truth: StudyScenario) -> Array:
    """Excitation at a fluence over that at 1: a line that bends over to a plateau; both relative."""
    bent = np.asarray(fluence) * (1 + (np.asarray(fluence) / truth.bend) ** truth.sharpness) ** (-1 / truth.sharpness)
    return np.asarray(bent * (1 + truth.bend**-truth.sharpness) ** (1 / truth.sharpness))


@dataclass(frozen=True)
class SimulatedDwells:
    """All D dwells of one scan in the order of time, P phases.

    Attributes
    ----------
    plan : Schedule
    laser_phase : ndarray, shape (D,)
        At the end of each dwell.
    photons : ndarray, shape (D, P)
        Mean photons per pulse. Where the laser slips within a dwell, those that give as many hits.
    flicker : float
        Relative variance of the jet within a dwell.
    i0 : ndarray, shape (D,)
        I0 counts per pulse, as read.
    time : ndarray, shape (D,), s
        Middle of each dwell since the begin of its pass.
    """

    plan: Schedule
    laser_phase: NDArray[np.int64]
    photons: Array
    flicker: float
    i0: Array
    time: Array


class Experiment:
    """Bunches, efficiencies and noise of one scenario; scans are drawn one after another.

    Attributes
    ----------
    charge : ndarray, shape (B,)
        Mean 1.
    efficiency : ndarray, shape (S,)
        Mean 1.
    """

    def __init__(self, truth: StudyScenario) -> None:
        self.truth = truth
        self.rng = np.random.default_rng([1956, truth.seed])
        charge = np.maximum(1 + truth.bunches * self.rng.standard_normal(truth.fill.bunches), 0.2)
        charge[-1] *= 1.0 if truth.fill.even else SINGLE
        efficiency = 1 + truth.efficiency * self.rng.standard_normal(truth.fill.divider)
        self.charge, self.efficiency = charge / charge.mean(), efficiency / efficiency.mean()
        self.phase = int(self.rng.integers(truth.fill.phases)) if truth.fill.even else 0

    def counting_for(self, dwell: float) -> Experiment:
        """The same experiment with dwells of another length (s)."""
        longer = copy(self)
        longer.truth = replace(self.truth, dwell=dwell)
        return longer

    def absorption(self, energy: Array, delay: Array, fluence: Array | float = 1.0) -> Array:
        """Light of each slot with laser off and on, relative to the white line without laser; shape (2, S, N).

        `energy`, `delay` (of slot 0, ps) and `fluence` (relative) have shape (N,).
        """
        truth = self.truth
        left = excited(np.add.outer(truth.fill.slot_times(), delay), truth) * saturated(fluence, truth)
        off = truth.background + static(energy)
        on = off + truth.size * left * difference(energy)
        scale = truth.background + static(np.array([WHITE_LINE]))
        return np.stack([np.broadcast_to(off, on.shape), on]) / scale

    def scan(
        self, energy: Array, delay: Array, off: Array | float = 0.0, fluence: Array | float = 1.0
    ) -> SimulatedDwells:
        """Light in all passes of one scan.

        Parameters
        ----------
        energy, delay : ndarray, shape (N,)
        off : ndarray, shape (passes,), keV
            By how much each pass lies above `energy`.
        fluence : ndarray, shape (N,)
            Relative; scales laser-only light, and the transient as it saturates.
        """
        truth = self.truth
        monitors = MONITORS if truth.monitors and np.ptp(energy) else ()
        plan = schedule(energy.size, truth.passes, truth.alternating, len(monitors))
        thickness, flicker = self._jet(plan)
        ring = 1 - 0.02 * self.rng.random() * np.linspace(0, 1, plan.scan.size)
        more = np.zeros(len(monitors))
        energy, delay = np.append(energy, monitors[::-1]), np.append(delay, more + delay[-1])
        fluence = np.append(np.broadcast_to(fluence, energy.size - more.size), more + 1)
        level = np.array([self.absorption(energy + one, delay, fluence) for one in np.broadcast_to(off, truth.passes)])
        before, after, share = self._phases(plan.scan.size)
        here = level[plan.scan, plan.laser_on.astype(int), :, plan.point] * (thickness * ring)[:, None]
        light = truth.laser_light * fluence[plan.point] * plan.laser_on
        photons = self._by_phase(here, light, after)
        for one in np.flatnonzero(share):
            early = self._by_phase(here[[one]], light[[one]], before[[one]])[0]
            photons[one] = -np.log(share[one] * np.exp(-early) + (1 - share[one]) * np.exp(-photons[one]))
        i0 = ring * (1 + truth.i0_noise * self.rng.standard_normal(ring.shape))
        return SimulatedDwells(plan, after, photons, flicker, i0, plan.times(truth.dwell))

    def _by_phase(self, level: Array, laser_light: Array, laser_phase: NDArray[np.int64]) -> Array:
        """Photons per pulse in each phase of dwells, shape (D, P), from the level of each slot, shape (D, S)."""
        fill = self.truth.fill
        phase = np.arange(fill.phases)
        slot = (phase - laser_phase[:, None]) % fill.divider
        light = np.take_along_axis(level, slot, axis=1) * self.charge[phase % fill.bunches] * self.efficiency[slot]
        return self.truth.mu * (light + laser_light[:, None] * (slot == 0)) + self.truth.dark

    def _phases(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Laser phase at the start and end of each dwell, and the share of it before a slip; shape (D,)."""
        before, after = (np.full(number, self.phase) for _ in range(2))
        share = np.zeros(number)
        if self.truth.slip:
            when = int(self.rng.integers(1, number))
            share[when] = self.rng.random()
            after[when:] += self.truth.slip
            before[when + 1 :] += self.truth.slip
        return before % self.truth.fill.phases, after % self.truth.fill.phases, share

    def _jet(self, plan: Schedule) -> tuple[Array, float]:
        """Mean thickness in each dwell, shape (D,), and the relative variance within one."""
        truth = self.truth
        mean, flicker = one_over_f(self.rng, truth.dwell, plan.pause, truth.corner)
        time = plan.times(truth.dwell)
        of_pass = 1 + truth.passes_differ * self.rng.uniform(-1, 1, truth.passes)
        sign = self.rng.choice([-1.0, 1.0])
        line = 1 + sign * np.sqrt(3) * truth.drift * (2 * time / time.max() - 1)
        return of_pass[plan.scan] * (1 + truth.jet * mean) * line, truth.jet**2 * flicker

    def background(self, dwells: int) -> tuple[NDArray[np.bool_], int, Array]:
        """Laser states, laser phase and photons per pulse, shape (D, P), of a run without X-rays."""
        fill = self.truth.fill
        laser_on = np.tile(SEGMENTS, dwells)[:dwells]
        step = int(np.gcd(fill.bunches, fill.divider))
        phase = (self.phase + step * int(self.rng.integers(fill.phases))) % fill.phases
        light = self.truth.laser_light * laser_on
        return laser_on, phase, self._by_phase(np.zeros((dwells, fill.divider)), light, np.full(dwells, phase))
