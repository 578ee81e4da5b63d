"""Two spectra on one scale: difference, shift and shape, against closed forms and many repeats."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.overlay import SpectrumCurve, common_grid, overlay, shape_against, shift_between

E0 = 7.112
SETTINGS = Settings((7.06, 7.1), (7.102, 7.2))


def spectrum(energy: np.ndarray, shift: float = 0.0, slope: float = 0.0, factor: float = 1.0) -> np.ndarray:
    """An edge with a white line on a sloped background."""
    at = energy - shift - E0
    step = 0.5 + np.arctan((at - 0.004) / 0.0015) / np.pi
    return factor * (step + 0.4 * np.exp(-0.5 * ((at - 0.012) / 0.004) ** 2)) + 0.3 + slope * at


def noisy(rng: np.random.Generator, energy: np.ndarray, sigma: float, **how: float) -> SpectrumCurve:
    return SpectrumCurve(
        energy, spectrum(energy, **how) + rng.normal(0, sigma, energy.size), np.full(energy.size, sigma**2)
    )


def test_two_spectra_are_compared_only_where_both_are_known() -> None:
    early, late = np.linspace(7.0, 7.1, 51), np.linspace(7.05, 7.15, 401)
    np.testing.assert_allclose(common_grid(early, late), np.arange(26) * 0.002 + 7.05)
    np.testing.assert_allclose(common_grid(late, early), np.arange(26) * 0.002 + 7.05)


COARSE, FINE = np.linspace(7.06, 7.2, 90), np.linspace(7.05, 7.21, 400)


def test_the_same_spectrum_in_other_units_on_another_grid_does_not_differ() -> None:
    rng = np.random.default_rng(1)
    ratios, pulls = [], []
    for _ in range(20):
        found = overlay(noisy(rng, COARSE, 2e-3), noisy(rng, FINE, 6e-3, factor=3.0, slope=-2.0), SETTINGS)
        ratios.append(found.agreement.chi_square / found.agreement.dof)
        pulls.append(found.difference.value[40] / np.sqrt(found.difference.covariance[40, 40]))
    assert found.agreement.dof == COARSE.size - 3 or found.agreement.dof == COARSE.size
    assert np.mean(ratios) == pytest.approx(1, abs=0.06) and np.std(pulls) == pytest.approx(1, abs=0.5)


def test_a_difference_is_measured_with_its_sign() -> None:
    rng = np.random.default_rng(2)
    one, other = noisy(rng, COARSE, 1e-3), noisy(rng, COARSE, 1e-3)
    one = SpectrumCurve(COARSE, one.value + 0.05 * np.exp(-0.5 * ((COARSE - E0 - 0.02) / 0.003) ** 2), one.covariance)
    found = overlay(one, other, SETTINGS)
    at = int(np.argmax(found.difference.value))
    assert COARSE[at] == pytest.approx(E0 + 0.02, abs=2e-3) and found.agreement.p_value < 1e-6
    np.testing.assert_allclose(found.one.value - found.other.value, found.difference.value)


@pytest.mark.parametrize("true", [0.0, 0.8e-3, -2.5e-3])
def test_the_shift_has_the_sign_and_error_of_the_truth(true: float) -> None:
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(2):
        shifted, fixed = noisy(rng, COARSE, 2e-3, shift=true, slope=-1.0), noisy(rng, FINE[::2], 2e-3, factor=2.0)
        shift = shift_between(shifted, fixed, SETTINGS, E0, 5e-3)
        assert shift_between(fixed, shifted, SETTINGS, E0, 5e-3).value == -shift.value
        pulls.append((shift.value - true) / shift.stddev)
    assert np.abs(pulls).max() < 4
    assert shift.value == pytest.approx(true, abs=1e-4)


def transient(rng: np.random.Generator, energy: np.ndarray, amplitude: float, moved: float = 0.0) -> SpectrumCurve:
    at = energy - E0 - moved
    shape = np.exp(-0.5 * ((at - 0.004) / 0.002) ** 2) - 0.7 * np.exp(-0.5 * ((at - 0.012) / 0.003) ** 2)
    return SpectrumCurve(energy, amplitude * shape + rng.normal(0, 2e-3, energy.size), np.full(energy.size, 4e-6))


def test_one_transient_is_a_multiple_of_the_other() -> None:
    rng = np.random.default_rng(4)
    amplitudes, pulls, p_values = [], [], []
    for _ in range(20):
        found = shape_against(transient(rng, COARSE, 0.02), transient(rng, FINE, 0.05))
        amplitudes.append(found.amplitude)
        pulls.append((found.amplitude - 0.4) / found.stddev)
        p_values.append(found.agreement.p_value)
    assert np.mean(amplitudes) == pytest.approx(0.4, abs=0.01) and np.std(pulls) == pytest.approx(1, abs=0.5)
    assert 0.25 < np.mean(p_values) < 0.75


def test_another_shape_has_a_small_p_value() -> None:
    rng = np.random.default_rng(5)
    found = shape_against(transient(rng, COARSE, 0.05), transient(rng, FINE, 0.05, moved=3e-3))
    assert found.agreement.p_value < 1e-6


@pytest.mark.parametrize("noisier", [0.1, 1.0, 10.0])
def test_a_shape_has_a_degree_of_freedom_for_each_point_but_one_whichever_transient_is_noisier(noisier: float) -> None:
    rng, shape = np.random.default_rng(8), np.sin(np.arange(20.0))
    one, other = (
        SpectrumCurve(np.arange(20.0), shape + sigma * rng.standard_normal(20), np.diag(np.full(20, sigma**2)))
        for sigma in (0.01, 0.01 * noisier)
    )
    assert shape_against(one, other).agreement.dof == 19


def test_spectra_without_common_energies_are_refused_and_long_ones_thinned() -> None:
    with pytest.raises(ReductionError, match="0 energies in common"):
        common_grid(COARSE, COARSE + 1)
    long = np.linspace(7.0, 8.0, 3000)
    assert 200 < common_grid(long, long).size <= 400
