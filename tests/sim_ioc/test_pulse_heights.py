"""Pulse heights and discriminator against closed forms and drawn pulses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim_ioc.physics.pulse_heights import PulseHeights, avalanche_gain
from sim_ioc.scenario.detectors import DetectorTruth

DETECTOR = DetectorTruth()
HEIGHTS = PulseHeights(DETECTOR)
SIGMA_MV = 100 * 0.22 / 2.3548  # of one photon, noise included
MU = np.array([0.05, 0.15, 0.7, 2.0])


def below(x: float) -> float:
    """Distribution of a normal variable."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def test_the_one_photon_peak_has_its_width_and_the_two_photon_peak_its_place() -> None:
    for sigmas in (-2.0, -1.0, 0.0, 1.0, 2.0):
        assert HEIGHTS.missed(1, 100 + sigmas * SIGMA_MV) == pytest.approx(below(sigmas), rel=1e-4)
    assert HEIGHTS.missed(2, 200.0) == pytest.approx(0.5)
    two = math.sqrt(2 * (SIGMA_MV**2 - 16) + 16)  # the noise of 4 mV is there once
    assert HEIGHTS.missed(2, 200 + two) == pytest.approx(below(1.0), rel=1e-4)


def test_at_the_threshold_of_start_up_every_pulse_is_counted() -> None:
    assert HEIGHTS.counted(MU, DETECTOR.threshold_mV) == pytest.approx(MU, rel=1e-6)
    assert HEIGHTS.noise_counts(DETECTOR.threshold_mV, 16.0) < 1e-12


def test_a_threshold_sweep_has_a_plateau_with_an_edge_on_each_side() -> None:
    mu, width_ns = 0.15, 16.0

    def counted(threshold_mV: float) -> float:
        return float(HEIGHTS.counted(mu, threshold_mV)) + HEIGHTS.noise_counts(threshold_mV, width_ns)

    assert [counted(level) / mu for level in (25, 40, 60, 75)] == pytest.approx([1, 1, 1, 1], abs=0.004)
    # noise edge: f0 exp(-v^2 / 2 sigma^2) w crossings add as many counts as there are photons
    left = 4 * math.sqrt(2 * math.log(0.1 * width_ns / mu))
    assert counted(left) == pytest.approx(2 * mu, rel=1e-6)
    # photon edge: half of the single photons, nearly all of the pairs
    half = -math.log(math.exp(-mu) * (1 + mu / 2 + below((100 - 200) / 13) * mu**2 / 2))
    assert counted(100.0) == pytest.approx(half, rel=1e-3)
    # between the peaks of one and two photons only pairs and more are left
    assert counted(150.0) == pytest.approx(-math.log(math.exp(-mu) * (1 + mu)), rel=1e-3)
    assert counted(1000.0) < 1e-12


@pytest.mark.parametrize("threshold", [20.0, 95.0, 120.0, 205.0, 330.0])
def test_counted_photons_are_those_of_drawn_pulses(threshold: float) -> None:
    rng, number = np.random.default_rng(int(threshold)), 400_000
    avalanche = math.sqrt(SIGMA_MV**2 - 16)
    for mu in MU:
        photons = rng.poisson(mu, number)
        heights = 100 * photons + avalanche * np.sqrt(photons) * rng.standard_normal(number)
        heights += 4 * rng.standard_normal(number)
        hits = np.count_nonzero(heights[photons > 0] > threshold)
        p = 1 - math.exp(-float(HEIGHTS.counted(mu, threshold)))
        assert abs(hits - number * p) < 5 * math.sqrt(number * p * (1 - p) + 1)


def test_noise_crosses_a_level_as_often_as_drawn_noise_does() -> None:
    """White noise up to a band B has B / sqrt(3) zero crossings upwards a second (Rice)."""
    number, oversampling = 2**21, 16
    spectrum = np.zeros(number // 2 + 1, dtype=complex)
    rng = np.random.default_rng(3)
    band = number // (2 * oversampling)
    spectrum[1:band] = rng.standard_normal(band - 1) + 1j * rng.standard_normal(band - 1)
    noise = np.fft.irfft(spectrum, number)
    noise /= noise.std()
    # B = 1 / (2 oversampling) a sample; take a sample as 1 ns
    truth = DETECTOR.model_copy(update={"noise_bandwidth_MHz": 1e3 / (2 * oversampling) / math.sqrt(3)})
    for level in (0.0, 1.0, 2.0, 3.0):
        crossings = np.count_nonzero((noise[:-1] < level) & (noise[1:] >= level))
        expected = PulseHeights(truth).noise_counts(level * truth.noise_mV, float(number))
        # crossings are a little regular: fewer than Poisson's scatter; sampling misses some percent of the brief ones
        assert crossings == pytest.approx(expected, abs=5 * math.sqrt(expected), rel=0.02)


def test_gain_follows_bias_and_temperature() -> None:
    assert HEIGHTS.gain(380.0, 25.0) == 1.0
    # 1 / (1 - (V / Vb)^2)
    ratio = (1 - (380 / 420) ** 2) / (1 - (400 / 420) ** 2)
    assert HEIGHTS.gain(400.0, 25.0) == pytest.approx(ratio)
    warm = (1 - (380 / 420) ** 2) / (1 - (380 / (420 + 5 * 0.8)) ** 2)
    assert HEIGHTS.gain(380.0, 30.0) == pytest.approx(warm)
    assert warm < 1 < ratio
    assert avalanche_gain(0.0, 420.0, 2.0) == 1.0
    # the photon edge moves with the gain
    assert HEIGHTS.missed(1, 100 * ratio, ratio) == pytest.approx(0.5)
