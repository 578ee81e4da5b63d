"""Forward model of the experiment: light in each phase of each dwell, from sample, laser, jet and ring.

Written for the study alone; it shares no code with the reduction that it tests, nor with the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

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
SEGMENTS = (True, False, False, True)
"""Laser states of the dwells of a point."""
DEAD, MOVE, RETURN = 0.1, 0.5, 30.0
"""s; between dwells, points and passes."""
FAST = 100.0
"""Hz; upper end of the jet's noise."""


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


@dataclass(frozen=True)
class SimulatedDwells:
    """One scan; axes N points, R dwells of a point, P phases.

    Attributes
    ----------
    laser_on : ndarray of bool, shape (R,)
    scan : ndarray of int, shape (R,)
        Pass of each dwell.
    laser_phase : ndarray of int, shape (N, R)
    photons : ndarray, shape (N, R, P)
        Mean photons per pulse.
    flicker : ndarray, shape (N, R)
        Relative variance of the jet within a dwell.
    i0 : ndarray, shape (N, R)
        I0 counts per pulse, as read.
    """

    laser_on: Flags
    scan: NDArray[np.int64]
    laser_phase: NDArray[np.int64]
    photons: Array
    flicker: Array
    i0: Array


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

    def absorption(self, energy: Array, delay: Array) -> Array:
        """Light of each slot with laser off and on, relative to the white line without laser; shape (2, S, N).

        `energy` and `delay` (of slot 0, ps) have shape (N,).
        """
        truth = self.truth
        left = excited(np.add.outer(truth.fill.slot_times(), delay), truth)
        off = truth.background + static(energy)
        on = off + truth.size * left * difference(energy)
        scale = truth.background + static(np.array([WHITE_LINE]))
        return np.stack([np.broadcast_to(off, on.shape), on]) / scale

    def scan(self, energy: Array, delay: Array, steady: bool = False) -> SimulatedDwells:
        """Light in all passes of one scan over these energies and delays."""
        truth = self.truth
        number, passes = energy.size, truth.passes
        laser_on, scan = np.tile(SEGMENTS, passes), np.repeat(np.arange(passes), len(SEGMENTS))
        thickness, flicker = self._jet(number, passes)
        ring = 1 - 0.02 * self.rng.random() * np.linspace(0, 1, number * scan.size).reshape(number, -1)
        phase = np.full((number, scan.size), self.phase)
        if truth.slip and truth.fill.even:
            order = _in_time(number, passes)
            phase[order > self.rng.integers(order.size)] += truth.slip
        phase %= truth.fill.phases
        each = np.arange(truth.fill.phases)
        slot = (each - phase[..., None]) % truth.fill.divider
        bunch = each % truth.fill.bunches
        level = self.absorption(energy, delay)
        light = np.where(
            laser_on[:, None], level[1][slot, np.arange(number)[:, None, None]], level[0, 0][:, None, None]
        )
        photons = truth.mu * light * self.charge[bunch] * self.efficiency[slot] * (thickness * ring)[..., None]
        photons += np.where(laser_on[:, None] & (slot == 0), truth.mu * truth.laser_light, 0.0)
        i0 = ring * (1 + truth.i0_noise * self.rng.standard_normal(ring.shape))
        return SimulatedDwells(laser_on, scan, phase, photons, flicker, i0)

    def _jet(self, number: int, passes: int) -> tuple[Array, Array]:
        """Mean thickness in each dwell and the variance within it, both shape (N, R)."""
        truth = self.truth
        order = _in_time(number, passes).ravel()
        ends = np.full(number * passes * len(SEGMENTS), DEAD)
        ends[len(SEGMENTS) - 1 :: len(SEGMENTS)] = MOVE
        ends[number * len(SEGMENTS) - 1 :: number * len(SEGMENTS)] = RETURN
        mean, flicker = _one_over_f(self.rng, truth.dwell, ends, truth.corner)
        position = np.tile(np.linspace(-1, 1, number * len(SEGMENTS)), passes)
        of_pass = np.repeat(1 + truth.passes_differ * self.rng.uniform(-1, 1, passes), number * len(SEGMENTS))
        sign = self.rng.choice([-1.0, 1.0])
        thickness = of_pass * (1 + truth.jet * mean) * (1 + sign * np.sqrt(3) * truth.drift * position)
        shape = (number, passes * len(SEGMENTS))
        return thickness[order].reshape(shape), np.full(shape, truth.jet**2 * flicker)


def _in_time(number: int, passes: int) -> NDArray[np.int64]:
    """Order in which each dwell (N, R) is taken: passes, points in a pass, dwells of a point."""
    of_pass = np.arange(number)[:, None] * len(SEGMENTS) + np.arange(len(SEGMENTS))
    return np.concatenate([of_pass + number * len(SEGMENTS) * one for one in range(passes)], axis=1)


def _one_over_f(rng: np.random.Generator, dwell: float, pauses: Array, corner: float) -> tuple[Array, float]:
    """Means over dwells of noise of variance 1 that is 1/f from `corner` to `FAST`, and the variance within a dwell.

    A sum of Ornstein-Uhlenbeck processes of equal variance, an octave apart; the mean over a dwell and the value at its
    end are drawn together, exactly.
    """
    rates = 2 * np.pi * np.geomspace(corner, FAST, max(2, round(np.log2(FAST / corner)) + 1))
    fraction = 1 / rates.size
    keep = np.exp(-rates * dwell)
    a = (1 - keep) / (rates * dwell)  # weight of the initial value in the mean
    var_end = 1 - keep**2
    var_mean = (2 / (rates * dwell)) * (1 - a) - a**2
    both = a * (1 - keep)
    slope = both / var_end
    rest = np.sqrt(np.maximum(var_mean - slope * both, 0.0))
    value = rng.standard_normal(rates.size)
    means = np.empty(pauses.size)
    noise = rng.standard_normal((pauses.size, 3, rates.size))
    for number, pause in enumerate(pauses):
        step = np.sqrt(var_end) * noise[number, 0]
        means[number] = (a * value + slope * step + rest * noise[number, 1]).sum()
        value = keep * value + step
        gap = np.exp(-rates * pause)
        value = gap * value + np.sqrt(1 - gap**2) * noise[number, 2]
    total_of_mean = var_mean + a**2
    return means * np.sqrt(fraction), float(fraction * (1 - total_of_mean).sum())
