"""Temperature series: pulls on a made series with backlash, the Varshni shift of the SI, ratios that are constant."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import chi2

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.overlay import SpectrumCurve
from reduction.thermal.criterion import DerivativeShift, shift_by_derivatives
from reduction.thermal.series import Heated, constant_ratio, thermal_series
from reduction.thermal.varshni import Varshni

ENERGY = np.arange(13.440, 13.575, 0.0012)
SETTINGS = Settings(pre_edge=(13.440, 13.460), integral=(13.465, 13.5702))
TEMPERATURES = (25.0, 60.0, 140.0)
NOISE = 3e-3
REPEATS = 24


def absorption(energy: np.ndarray, temperature: float) -> np.ndarray:
    """An edge whose white line weakens and whose pre-edge changes with the temperature."""
    x = (temperature - 25) / 115
    step = 0.5 + np.arctan((energy - 13.4715 - 6.5e-6 * x) / 0.0012) / np.pi
    lines = (0.75 - 0.05 * x) * np.exp(-(((energy - 13.4735) / 0.0022) ** 2))
    lines += (0.2 + 0.03 * x) * np.exp(-(((energy - 13.4965) / 0.006) ** 2))
    return 0.3 + step + lines - 0.02 * x * np.exp(-(((energy - 13.468) / 0.001) ** 2))


def backlashes(seed: int, largest: float = 0.4e-3) -> np.ndarray:
    """keV; 0 at the reference."""
    rng = np.random.default_rng([seed, 1])
    drawn = largest * rng.uniform(0.6, 1.4, len(TEMPERATURES)) * rng.choice([-1, 1], len(TEMPERATURES))
    return np.where(np.array(TEMPERATURES) == 25, 0.0, drawn)


def measured(seed: int, noise: float = NOISE, backlash: float = 0.4e-3) -> list[Heated]:
    rng = np.random.default_rng(seed)
    found = []
    for temperature, shift in zip(TEMPERATURES, backlashes(seed, backlash), strict=True):
        scale = rng.uniform(0.5, 2)
        value = scale * (absorption(ENERGY - shift, temperature) + noise * rng.standard_normal(ENERGY.size))
        found.append(Heated(temperature, SpectrumCurve(ENERGY, value, np.full(ENERGY.size, (scale * noise) ** 2))))
    return found


def test_the_varshni_shift_is_that_of_the_si() -> None:
    assert 1e3 * Varshni().shift(140, 25) == pytest.approx(6.5, abs=0.05)  # meV, SI 8
    assert Varshni().shift(25, 25) == 0
    assert Varshni(alpha=1e-3, beta=0).gap(26.85) == pytest.approx(-0.3)  # without beta it is linear in kelvin


def test_differences_and_shifts_have_pulls_of_width_one_whatever_the_backlash() -> None:
    truth = thermal_series(measured(0, 1e-9), 25, SETTINGS, Varshni())
    inside = np.flatnonzero((truth.energy > 13.445) & (truth.energy < 13.565))
    moved = 1e3 * (np.array([each.value for each in truth.shift]) - backlashes(0))
    assert moved == pytest.approx(0, abs=0.02), "eV: the edge itself, and a white line that has become smaller"
    pulls, of_shifts = [], []
    for seed in range(1, REPEATS + 1):
        found = thermal_series(measured(seed), 25, SETTINGS, Varshni())
        same = np.searchsorted(found.energy, truth.energy[inside] - 1e-6)
        assert found.energy[same] == pytest.approx(truth.energy[inside], abs=1e-7)
        difference = found.difference[1:, same] - truth.difference[1:, inside]
        pulls.append(difference / found.stddev()[1:, same])
        away = 1e3 * (np.array([each.value for each in found.shift]) - backlashes(seed)) - moved
        of_shifts.append(away[1:] / [1e3 * each.stddev for each in found.shift[1:]])
        assert 1e3 * found.area_shift[1:] == pytest.approx(1e3 * backlashes(seed)[1:], abs=0.25)
    assert np.std(of_shifts) == pytest.approx(1, abs=3.5 / np.sqrt(4 * REPEATS))
    width = np.sqrt(np.mean(np.square(pulls), axis=(0, 2)))
    assert width == pytest.approx(1, abs=0.1)
    assert np.mean(pulls) == pytest.approx(0, abs=0.1)


def test_a_changed_white_line_is_no_noise() -> None:
    """With few counts and with many the shift is the same; its error is that of counting."""
    few, many = (thermal_series(measured(3, noise), 25, SETTINGS, None).shift[2] for noise in (1e-3, 1e-6))
    assert few.value == pytest.approx(many.value, abs=4 * few.stddev)
    assert few.stddev < 5e-6 and many.stddev == pytest.approx(1e-3 * few.stddev, rel=0.1)


def test_the_expected_shift_of_the_edge_is_kept_by_half_and_the_rest_of_it_is_an_error() -> None:
    none, all_of_it = (thermal_series(measured(0, 1e-9), 25, SETTINGS, each) for each in (None, Varshni(-7.3e-4, 314)))
    slopes = CubicSpline(none.energy, none.value[2])(none.energy, 1)
    steepest = int(np.argmax(slopes))
    slope = slopes[steepest]
    half = 0.5 * Varshni(-7.3e-4, 314).shift(140, 25) * 1e-3
    assert all_of_it.value[2, steepest] - none.value[2, steepest] == pytest.approx(-slope * half, rel=0.15)
    added = all_of_it.covariance[2, steepest, steepest] - none.covariance[2, steepest, steepest]
    assert np.sqrt(added) == pytest.approx(slope * half, rel=0.15)


def test_a_shift_changes_with_the_noise_of_both_spectra_as_its_derivatives_say() -> None:
    rng = np.random.default_rng(4)
    (cold, hot, _), far = measured(3), 2e-3

    def shift(more: np.ndarray, less: np.ndarray) -> DerivativeShift:
        values = (ENERGY, hot.curve.value + more, hot.curve.covariance, ENERGY, cold.curve.value + less)
        return shift_by_derivatives(*values, cold.curve.covariance, far)

    here, nothing = shift(0 * ENERGY, 0 * ENERGY), np.zeros(ENERGY.size)
    small = 1e-6 * rng.standard_normal(ENERGY.size)
    for moved, derivative in ((shift(small, nothing), here.by_value), (shift(nothing, small), here.by_reference)):
        assert moved.value - here.value == pytest.approx(derivative @ small, rel=0.05)
    variances = here.by_value**2 @ hot.curve.covariance, here.by_reference**2 @ cold.curve.covariance
    assert (here.stddev, here.common) == pytest.approx((np.sqrt(sum(variances)), np.sqrt(variances[1])))


def test_two_temperatures_share_the_noise_of_the_reference() -> None:
    found = thermal_series(measured(3), 25, SETTINGS, None)
    assert found.difference[0] == pytest.approx(0) and (found.stddev()[0] == 0).all()
    shared, reference = (np.diagonal(each) for each in (found.difference_covariance[1, 2], found.covariance[0]))
    flat, steep = found.energy > 13.53, np.argmax(np.gradient(found.value[0]))
    assert shared[flat] == pytest.approx(reference[flat], rel=0.02)
    assert 0 < shared[steep] < 0.9 * reference[steep]  # what aligned both to its noise is not in their difference to it


def test_a_single_temperature_and_another_edge_are_refused() -> None:
    with pytest.raises(ReductionError, match="a difference needs two temperatures"):
        thermal_series(measured(1)[:1], 25, SETTINGS, None)
    far = measured(1, backlash=6e-3)
    with pytest.raises(ReductionError, match="degC against 25 degC"):
        thermal_series(far, 25, SETTINGS, None)


def test_a_constant_ratio_has_the_chi_square_of_its_degrees_of_freedom() -> None:
    rng = np.random.default_rng(1)
    below = np.array([0.5, 1.0, 2.0, 0.05])
    root = 0.03 * np.eye(8) + 0.02 * rng.standard_normal((8, 8))
    covariance = (root @ root.T).reshape(2, 4, 2, 4)
    found = []
    for _ in range(400):
        data = np.concatenate([-1.7 * below, below]) + root @ rng.standard_normal(8)
        found.append(constant_ratio(data[:4], data[4:], covariance).chi_square)
    assert np.mean(found) == pytest.approx(3, abs=4 * np.sqrt(6 / 400))
    changing = constant_ratio(np.array([-1.7, 1.0, 2.0, 0.1]) * below, below, covariance)
    assert changing.p_value == pytest.approx(chi2.sf(changing.chi_square, 3)) and changing.p_value < 1e-6
