"""What a boxcar sees of a detector trace: geometry of its windows, and the statistics of its samples.

One photon makes a negative-going pulse sin^2(pi t / L) of length L. A boxcar takes the mean voltage in a window,
once a laser period, less that in a baseline window of the same size, and averages so many periods to one sample.
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
    """Settings of a boxcar: degrees of the laser period, seconds, periods a sample."""

    start_deg: float
    size_s: float
    periods: int
    has_baseline: bool
    baseline_deg: float


def pulse_area(time_ns: ArrayLike, length_ns: float) -> FloatArray:
    """Area of a pulse of height 1 up to a time after its begin, ns; same shape as the times."""
    t = np.clip(np.asarray(time_ns, dtype=float), 0.0, length_ns)
    return np.asarray(0.5 * t - length_ns / (4 * math.pi) * np.sin(2 * math.pi * t / length_ns))


class LaserPeriod:
    """Pulses of the pattern as they come in laser periods: K periods, S slots.

    Attributes
    ----------
    period_ns
        Laser period.
    begins_ns : float64[K, S]
        Begin of each detector pulse after the laser's trigger.
    phase : int64[K, S]
        Phase of the pattern that each pulse is.
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
            Pulses come so much later, any shape.
        """
        size_ns = size_s * 1e9
        opens = start_deg / 360 * self.period_ns - np.asarray(late_ns, dtype=float)[..., np.newaxis, np.newaxis]
        area = np.zeros(np.broadcast_shapes(opens.shape, self.begins_ns.shape))
        since = np.mod(opens - self.begins_ns, self.period_ns)  # opens so long after the begin of a pulse
        for earlier in (0.0, self.period_ns):
            from_begin = since - earlier
            area += pulse_area(from_begin + size_ns, self.length_ns) - pulse_area(from_begin, self.length_ns)
        return np.asarray(area / size_ns)

    def mean_trace(self, heights: FloatArray, points: int) -> FloatArray:
        """Mean over the laser periods of pulses of given heights, [K, S], at so many points of a period."""
        if points not in self._shapes:
            time_ns = np.arange(points) * self.period_ns / points
            since = np.mod(time_ns - self.begins_ns.ravel()[:, np.newaxis], self.period_ns)
            inside = since < self.length_ns
            self._shapes[points] = np.where(inside, np.sin(np.pi * since / self.length_ns) ** 2, 0.0)
        return np.asarray(heights.ravel() @ self._shapes[points] / len(heights))

    def weights(self, window: Window, locked: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and mean square, over the moments of a pulse, of what it adds to a period's value, float64[K, S].

        A laser that is out of lock triggers at any moment of the pattern.
        """
        late = np.zeros(1) if locked else (np.arange(SMEAR_STEPS) + 0.5) * self.period_ns / SMEAR_STEPS
        net = self.mean_in_window(window.start_deg, window.size_s, late)
        if window.has_baseline:
            net = net - self.mean_in_window(window.baseline_deg, window.size_s, late)
        return net.mean(axis=0), (net**2).mean(axis=0)

    def noise_variance(self, window: Window, noise_V_rtHz: float) -> float:
        """Variance of one period's value from white noise of a density: e^2 / 2 W a window, less where they overlap."""
        one = 0.5 * noise_V_rtHz**2 / window.size_s
        if not window.has_baseline:
            return one
        size = window.size_s * 1e9 / self.period_ns
        apart = abs((window.start_deg - window.baseline_deg + 180) % 360 - 180) / 360
        return one * 2 * (1 - max(0.0, 1 - apart / size))


@dataclass(frozen=True)
class Heights:
    """Mean, variance and chance to be clipped of pulses of so many photons; arrays of one shape, volts."""

    mean: FloatArray
    variance: FloatArray
    clipped: FloatArray


def pulse_heights(mu: FloatArray, photon_V: float, spread: float, saturation_V: float) -> Heights:
    """Heights of pulses with a Poisson number of photons, up to what the amplifier gives.

    Parameters
    ----------
    mu
        Mean photons a pulse, any shape.
    photon_V, spread
        Height of one photon and its relative standard deviation.
    saturation_V
        Higher ones are clipped.
    """
    most = math.floor(saturation_V / photon_V)
    clipped = np.asarray(gammainc(most + 1, mu))
    if float(clipped.max(initial=0.0)) < NEGLIGIBLE:
        return Heights(photon_V * mu, photon_V**2 * mu * (1 + spread**2), clipped)
    # Up to saturation photon by photon; all above count as the saturation.
    chance, mean, square, below = np.exp(-mu), np.zeros_like(mu), np.zeros_like(mu), np.zeros_like(mu)
    for number in range(most + 1):
        if number:
            chance = chance * (mu / number)
        height = number * photon_V
        below += chance
        mean += chance * height
        square += chance * (height**2 + number * (spread * photon_V) ** 2)
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
        Values a block; blocks follow each other without a gap.
    """
    rest = length % values.size
    if rest == 0:
        return 0.0
    cumulated = np.cumsum(np.concatenate([[0.0], values, values]))
    starts = np.arange(0, values.size, math.gcd(length, values.size))
    return float(np.var((cumulated[starts + rest] - cumulated[starts]) / length))
