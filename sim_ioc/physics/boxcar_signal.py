"""Boxcar signal of a detector trace: geometry of the windows, and statistics of the samples.

One photon gives a negative-going pulse sin^2(pi t / L) of length L. Once per laser period, a boxcar takes the mean
voltage in a window, minus that in a baseline window of the same size; one sample is the mean over a number of periods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc

from sim_ioc.physics.truth import ForwardModel, pulse_buckets

FloatArray = NDArray[np.float64]

SMEAR_STEPS = 64
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Window:
    """Settings of a boxcar: degrees of the laser period, seconds, periods per sample."""

    start_deg: float
    size_s: float
    periods: int
    has_baseline: bool
    baseline_deg: float


def pulse_area(time_ns: ArrayLike, length_ns: float) -> FloatArray:
    """Area of a pulse of height 1 up to a time after its start, ns; same shape as the times."""
    t = np.clip(np.asarray(time_ns, dtype=float), 0.0, length_ns)
    return np.asarray(0.5 * t - length_ns / (4 * math.pi) * np.sin(2 * math.pi * t / length_ns))


class LaserPeriod:
    """Pulses of the pattern as they come in laser periods: K periods, S slots.

    Attributes
    ----------
    period_ns
        Laser period.
    begins_ns : float64[K, S]
        Start of each detector pulse after the laser trigger.
    phase : int64[K, S]
        Phase of each pulse in the pattern.
    """

    def __init__(self, model: ForwardModel) -> None:
        ring, detector = model.scenario.ring, model.scenario.detector
        first = model.laser_phase + model.divider * np.arange(model.num_phases // model.divider)
        number = first[:, np.newaxis] + np.arange(model.divider)
        turns, bunches = np.divmod(number, model.num_bunches)
        markers_ns = (pulse_buckets(ring)[bunches] + turns * ring.harmonic) * 1e3 / ring.rf_MHz
        self.period_ns = 1e9 / model.laser_rate_hz
        trigger_ns = markers_ns[0, 0] + self.period_ns * np.arange(len(first))
        self.begins_ns: FloatArray = markers_ns - trigger_ns[:, np.newaxis] + detector.pulse_arrival_ns
        self.phase: NDArray[np.int64] = number % model.num_phases
        self.length_ns = detector.pulse_length_ns
        self._shapes: dict[int, FloatArray] = {}

    def mean_in_window(self, start_deg: float, size_s: float, late_ns: ArrayLike = 0.0) -> FloatArray:
        """Mean of each pulse of height 1 in a window that repeats every period, float64[..., K, S].

        Parameters
        ----------
        start_deg, size_s
            The window.
        late_ns
            Delay of the pulses, any shape.
        """
        size_ns = size_s * 1e9
        opens = start_deg / 360 * self.period_ns - np.asarray(late_ns, dtype=float)[..., np.newaxis, np.newaxis]
        area = np.zeros(np.broadcast_shapes(opens.shape, self.begins_ns.shape))
        since = np.mod(opens - self.begins_ns, self.period_ns)  # from the start of a pulse to the opening
        for earlier in (0.0, self.period_ns):
            from_begin = since - earlier
            area += pulse_area(from_begin + size_ns, self.length_ns) - pulse_area(from_begin, self.length_ns)
        return np.asarray(area / size_ns)

    def mean_trace(self, heights: FloatArray, points: int) -> FloatArray:
        """Mean over the laser periods of pulses of given heights, [K, S], at equally spaced points of a period."""
        if points not in self._shapes:
            time_ns = np.arange(points) * self.period_ns / points
            since = np.mod(time_ns - self.begins_ns.ravel()[:, np.newaxis], self.period_ns)
            inside = since < self.length_ns
            self._shapes[points] = np.where(inside, np.sin(np.pi * since / self.length_ns) ** 2, 0.0)
        return np.asarray(heights.ravel() @ self._shapes[points] / len(heights))

    def weights(self, window: Window, locked: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and mean square of the contribution of each pulse to the value of a period, float64[K, S].

        A laser that is out of lock triggers at any moment of the pattern.
        """
        late = np.zeros(1) if locked else (np.arange(SMEAR_STEPS) + 0.5) * self.period_ns / SMEAR_STEPS
        net = self.mean_in_window(window.start_deg, window.size_s, late)
        if window.has_baseline:
            net = net - self.mean_in_window(window.baseline_deg, window.size_s, late)
        return net.mean(axis=0), (net**2).mean(axis=0)

    def noise_variance(self, window: Window, noise_V_rtHz: float) -> float:
        """Variance of the value of one period from white noise: e^2 / 2 W per window, less where they overlap."""
        one = 0.5 * noise_V_rtHz**2 / window.size_s
        if not window.has_baseline:
            return one
        size = window.size_s * 1e9 / self.period_ns
        apart = abs((window.start_deg - window.baseline_deg + 180) % 360 - 180) / 360
        return one * 2 * (1 - max(0.0, 1 - apart / size))


@dataclass(frozen=True)
class Heights:
    """Mean and variance of pulse heights (V), and probability of clipping; arrays of one shape."""

    mean: FloatArray
    variance: FloatArray
    clipped: FloatArray


def pulse_heights(mu: FloatArray, photon_V: float, spread: float, saturation_V: float) -> Heights:
    """Heights of pulses with a Poisson number of photons, clipped by the amplifier.

    Parameters
    ----------
    mu
        Mean photons per pulse, any shape.
    photon_V, spread
        Height of one photon and its relative standard deviation.
    saturation_V
        Higher pulses are clipped.
    """
    most = math.floor(saturation_V / photon_V)
    clipped = np.asarray(gammainc(most + 1, mu))
    if float(clipped.max(initial=0.0)) < NEGLIGIBLE:
        return Heights(photon_V * mu, photon_V**2 * mu * (1 + spread**2), clipped)
    # Sum over photon numbers up to saturation; all above have the saturation height.
    probability, mean, square, below = np.exp(-mu), np.zeros_like(mu), np.zeros_like(mu), np.zeros_like(mu)
    for number in range(most + 1):
        if number:
            probability = probability * (mu / number)
        height = number * photon_V
        below += probability
        mean += probability * height
        square += probability * (height**2 + number * (spread * photon_V) ** 2)
    mean += (1 - below) * saturation_V
    square += (1 - below) * saturation_V**2
    return Heights(mean, square - mean**2, clipped)


def block_variance(values: FloatArray, length: int) -> float:
    """Variance of the means of blocks of consecutive values of a pattern that repeats, block after block.

    Parameters
    ----------
    values
        The pattern, shape (K,).
    length
        Values per block; blocks follow each other without a gap.
    """
    rest = length % values.size
    if rest == 0:
        return 0.0
    cumulated = np.cumsum(np.concatenate([[0.0], values, values]))
    starts = np.arange(0, values.size, math.gcd(length, values.size))
    return float(np.var((cumulated[starts + rest] - cumulated[starts]) / length))
