"""Pulse heights of an avalanche photodiode, its gain, and what a discriminator counts of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from sim_ioc.scenario.detectors import DetectorTruth

FloatArray = NDArray[np.float64]

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
NEVER_MISSED = 1e-13
MOST_PHOTONS = 120  # beyond, a pulse is above any threshold of the discriminator


def avalanche_gain(bias_V: float, breakdown_V: float, exponent: float) -> float:
    """Multiplication below breakdown, Miller's empirical formula (Phys. Rev. 99, 1234, 1955): 1 / (1 - (V/Vb)^n)."""
    return 1 / (1 - (bias_V / breakdown_V) ** exponent)


class PulseHeights:
    """Heights of n photons: Gaussian about n times one photon; the avalanche's spread adds to electronic noise.

    Parameters
    ----------
    detector
        Truths of the detector. The height and the width of the one-photon peak are those at start-up.

    Attributes
    ----------
    spread
        Relative standard deviation of the avalanche of one photon, without electronic noise.
    """

    def __init__(self, detector: DetectorTruth) -> None:
        self._detector = detector
        self.spread = math.sqrt(
            (detector.photon_fwhm / FWHM_PER_SIGMA) ** 2 - (detector.noise_mV / detector.photon_mV) ** 2
        )

    def gain(self, bias_V: float, temperature_degC: float) -> float:
        """Gain relative to that at start-up; breakdown moves with temperature."""
        truth = self._detector
        warmer = temperature_degC - truth.temperature_degC
        now = avalanche_gain(bias_V, truth.breakdown_V + truth.breakdown_V_per_K * warmer, truth.gain_exponent)
        return now / avalanche_gain(truth.hv_V, truth.breakdown_V, truth.gain_exponent)

    def missed(self, photons: ArrayLike, threshold_mV: float, gain: float = 1.0) -> FloatArray:
        """Probability that a pulse of `photons` photons stays below a threshold; same shape."""
        number = np.asarray(photons, dtype=float)
        one_mV = self._detector.photon_mV * gain
        sigma_mV = np.sqrt(self._detector.noise_mV**2 + number * (self.spread * one_mV) ** 2)
        return np.asarray(ndtr((threshold_mV - number * one_mV) / sigma_mV))

    def counted(self, mu: ArrayLike, threshold_mV: float, gain: float = 1.0) -> FloatArray:
        """Photons per pulse that would give the same hits if each photon were counted.

        With m_n the probability that n photons are missed, a pulse of mu photons is missed with
        exp(-mu) (1 + sum of mu^n m_n / n! over n > 0). Photons of one pulse add up: two that are missed one
        by one may be counted together.

        Parameters
        ----------
        mu
            Photons per pulse, any shape.
        """
        photons = np.asarray(mu, dtype=float)
        missed = self.missed(np.arange(1, MOST_PHOTONS + 1), threshold_mV, gain)
        term, total = np.ones_like(photons), np.zeros_like(photons)
        for number, probability in enumerate(missed, start=1):
            if probability < NEVER_MISSED:
                break
            term = term * (photons / number)
            total += probability * term
        return np.maximum(photons - np.log1p(total), 0.0)

    def noise_counts(self, threshold_mV: float, width_ns: float) -> float:
        """Crossings of a threshold by the noise while a gate is open.

        Gaussian noise crosses a level v upwards f0 exp(-v^2 / 2 sigma^2) times per second, f0 its rate of zero
        crossings (Rice, Bell Syst. Tech. J. 24, 46, 1945).
        """
        truth = self._detector
        level = threshold_mV / truth.noise_mV
        return truth.noise_bandwidth_MHz * 1e-3 * width_ns * math.exp(-0.5 * level**2)
