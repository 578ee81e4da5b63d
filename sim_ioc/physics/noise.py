"""Slow fluctuations as functions of time: 1/f noise of the jet."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

TONES_PER_DECADE = 64


class PinkNoise:
    """Zero-mean 1/f noise between two frequencies, the same for the same seed.

    It is a sum of cosines with random phases, one in each of many equal parts of a decade: equal amplitudes then make a
    power spectrum of 1/f. The frequency within each part is drawn: a few strong tones on a regular comb would beat
    with the step from point to point of a scan.

    Parameters
    ----------
    rms
        Root mean square about the mean of a window of length `window_s`, averaged over windows.
    low_Hz, high_Hz
        Band of the noise.
    window_s
        Length of that window.
    seed
        Seed of the phases.
    """

    def __init__(self, rms: float, low_Hz: float, high_Hz: float, window_s: float, seed: list[int]) -> None:
        rng = np.random.default_rng(seed)
        num_tones = max(8, round(TONES_PER_DECADE * np.log10(high_Hz / low_Hz)))
        edges = np.geomspace(low_Hz, high_Hz, num_tones + 1)
        self._frequency_Hz = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.random(num_tones)
        self._phase = rng.uniform(0, 2 * np.pi, num_tones)
        # A tone of amplitude 1 has variance (1 - sinc^2(f T)) / 2 about the mean of a window of length T.
        variance = 0.5 * np.sum(1 - np.sinc(self._frequency_Hz * window_s) ** 2)
        self._amplitude = rms / np.sqrt(variance)
        self.is_quiet = rms == 0

    def on_grid(self, first_s: float, step_s: float, number: int) -> FloatArray:
        """Noise at evenly spaced times, shape (number,); much faster than one by one.

        A time is a long step plus a short step, and the cosine of the sum is expanded into products.
        """
        short = math.ceil(math.sqrt(number))
        angle = 2 * np.pi * self._frequency_Hz
        coarse = (first_s + step_s * short * np.arange(math.ceil(number / short)))[:, np.newaxis] * angle + self._phase
        fine = (step_s * np.arange(short))[:, np.newaxis] * angle
        cosines = np.cos(coarse) @ np.cos(fine).T - np.sin(coarse) @ np.sin(fine).T
        return np.asarray(self._amplitude * cosines.ravel()[:number])

    def __call__(self, time_s: ArrayLike) -> FloatArray:
        """Noise at each time; same shape as the times."""
        time = np.asarray(time_s, dtype=float)
        if self.is_quiet:
            return np.zeros(time.shape)
        angle = 2 * np.pi * time[..., np.newaxis] * self._frequency_Hz + self._phase
        return self._amplitude * np.cos(angle).sum(axis=-1)
