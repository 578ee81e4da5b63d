"""Computed spectra: broadening against quadrature, fits against known fractions, p-values against their definition."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.overlay import SpectrumCurve
from reduction.theory.average import ComputedSpectrum, average
from reduction.theory.broadening import Width, broadened
from reduction.theory.fit import Template, fit_models
from reduction.theory.placed import difference, normalised, place
from tests.reduction.computed_spectra import absorption, computed

REPEATS = 400
ENERGY = np.arange(13.450, 13.540, 0.001)
SETTINGS = Settings(pre_edge=(13.449, 13.4605), integral=(13.4655, 13.5395))


def test_the_width_begins_ends_and_bends_where_the_paper_has_it() -> None:
    width = Width()
    assert width.at(np.array([-50.0, 0.0, 0.01])) == pytest.approx(0.3, abs=1e-4)
    assert width.at(np.array([16.0]))[0] == pytest.approx((0.3 + 6.0) / 2)  # an arctan is half way at its inflection
    assert width.at(np.array([1e5]))[0] == pytest.approx(6.0, abs=0.01)
    e = np.linspace(1, 60, 60)
    assert (np.diff(width.at(e)) > 0).all()


def test_a_broadened_spectrum_is_the_integral_over_a_lorentzian() -> None:
    energy = np.array([-1.0, 0.0, 0.3, 4.0, 9.0, 30.0])
    value = np.array([0.0, 0.2, 3.0, 0.5, 1.4, 1.0])
    places, width = np.array([-3.0, 0.3, 6.0, 28.0]), np.array([0.3, 0.5, 2.0, 6.0])
    fine = np.concatenate([np.linspace(-1, 30, 620_001), 30 + np.geomspace(1e-4, 1e6, 40_001)])
    curve = np.interp(fine, energy, value, left=0.0, right=1.0)
    for at, full, got in zip(places, width, broadened(energy, value, width, places), strict=True):
        kernel = full / (2 * np.pi) / ((fine - at) ** 2 + full**2 / 4)
        assert got == pytest.approx(np.trapezoid(curve * kernel, fine), abs=1e-5)


def test_sites_are_averaged_by_their_multiplicities_where_all_are_known() -> None:
    one = ComputedSpectrum(np.arange(0.0, 20.0), np.full(20, 1.0))
    other = ComputedSpectrum(np.arange(5.0, 30.0, 2.0), np.full(13, 4.0))
    found = average([one, other], [2, 1])
    assert found.energy[[0, -1]] == pytest.approx([5.0, 19.0]) and found.value == pytest.approx(2.0)
    with pytest.raises(ReductionError, match="0 energies in common"):
        average([one, ComputedSpectrum(np.arange(40.0, 60.0), np.ones(20))], [1, 1])
    with pytest.raises(ReductionError, match="weights 1, 0: all are above 0"):
        average([one, other], [1, 0])


def measured(zero: float, fraction: float, seed: int, noise: float = 1e-3) -> tuple[SpectrumCurve, np.ndarray]:
    """A noisy laser-off spectrum in edge integrals, and its transient without noise."""
    normal = []
    for value in absorption(ENERGY, zero, fraction):
        flat = value - value[(ENERGY >= 13.449) & (ENERGY <= 13.4605)].mean()
        inside = (ENERGY >= 13.4655) & (ENERGY <= 13.5395)
        normal.append(flat / (np.trapezoid(flat[inside], ENERGY[inside]) / np.ptp(ENERGY[inside])))
    rng = np.random.default_rng(seed)
    static = normal[0] + noise * rng.standard_normal(ENERGY.size)
    return SpectrumCurve(ENERGY, static, np.full(ENERGY.size, noise**2)), normal[1] - normal[0]


@pytest.mark.parametrize("zero", [13.4665, 13.4721])
def test_the_ground_state_is_found_where_it_was_put(zero: float) -> None:
    static, _ = measured(zero, 0.0, 1)
    placed = place(static, computed(), Width(), SETTINGS, 13.4737, 4e-3)
    assert placed.shift.value == pytest.approx(zero, abs=max(4 * placed.shift.stddev, 2e-5))
    assert placed.whole and placed.scale == pytest.approx(1.0, abs=0.005)
    assert normalised(computed(), Width(), placed) == pytest.approx(placed.static, abs=0.01)


def test_a_computed_spectrum_that_ends_early_is_fitted_below_its_end_and_that_of_another_edge_refused() -> None:
    static, transient = measured(13.467, 0.01, 2)
    short = place(static, computed(end=50.0), Width(), SETTINGS, 13.4737, 4e-3)
    assert not short.whole and short.energy[-1] < 13.517
    change = difference(computed(1.0, 50.0), computed(0.0, 50.0), Width(), short)
    design = np.stack([change, short.static], axis=1)
    fraction = np.linalg.lstsq(design, transient[: short.energy.size], rcond=None)[0][0]
    assert fraction == pytest.approx(0.01, rel=0.02)
    with pytest.raises(ReductionError, match=r"too early|no shift"):
        place(static, computed(end=4.0), Width(), SETTINGS, 13.4737, 4e-3)


def templates(rng: np.random.Generator, energies: int, curves: int, names: str) -> list[Template]:
    at = np.linspace(0, 1, energies)
    return [
        Template(
            name,
            np.stack([np.exp(-(((at - 0.2 - 0.5 * rng.random()) / 0.1) ** 2)) - 0.4 * at for _ in range(curves)]),
            np.stack([np.arange(curves, dtype=float)] * 2, axis=1) if curves > 1 else np.zeros((1, 0)),
        )
        for name in names
    ]


def test_pulls_of_a_fraction_have_width_one_and_its_chi_square_its_degrees_of_freedom() -> None:
    rng = np.random.default_rng(3)
    model = templates(rng, 30, 1, "a")[0]
    root = 0.02 * rng.standard_normal((30, 30)) + 0.05 * np.eye(30)
    pulls, chi_squares = [], []
    for _ in range(REPEATS):
        data = 0.3 * model.curves[0] + root @ rng.standard_normal(30)
        fit = fit_models(data, root @ root.T, [model], draws=10)[0]
        pulls.append((fit.amplitude - 0.3) / fit.stddev)
        chi_squares.append(fit.chi_square)
    assert fit.dof == 29
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(REPEATS))
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * REPEATS))
    assert np.mean(chi_squares) == pytest.approx(29, abs=4 * np.sqrt(2 * 29 / REPEATS))


def test_p_values_count_the_shifts_and_widths_that_were_tried() -> None:
    """Noise alone has a p-value below 5 % in 5 % of the measurements, whatever number of curves is tried."""
    rng = np.random.default_rng(4)
    models = templates(rng, 25, 20, "ab")
    presence = []
    for _ in range(REPEATS):
        fits = fit_models(0.1 * rng.standard_normal(25), 0.01 * np.eye(25), models, draws=400)
        presence.append([fit.presence for fit in fits])
    below = np.mean(np.array(presence) < 0.05, axis=0)
    assert below == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / REPEATS) + 0.01)


def test_the_true_model_is_rejected_as_rarely_as_its_p_value_says_and_a_wrong_one_often() -> None:
    rng = np.random.default_rng(5)
    models = templates(rng, 25, 6, "ab")
    against = {"a": [], "b": []}
    for _ in range(REPEATS):
        data = 0.35 * models[0].curves[2] + 0.1 * rng.standard_normal(25)
        for fit in fit_models(data, 0.01 * np.eye(25), models, draws=300):
            against[fit.name].append(fit.against_best < 0.05)
    assert np.mean(against["a"]) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / REPEATS)
    assert np.mean(against["b"]) > 0.3


def test_a_measured_model_brings_its_own_noise() -> None:
    rng = np.random.default_rng(6)
    truth = templates(rng, 40, 1, "a")[0].curves[0]
    pulls = []
    for _ in range(REPEATS):
        own = truth + 0.05 * rng.standard_normal(40)
        data = 0.8 * truth + 0.05 * rng.standard_normal(40)
        model = Template("heat", own[None, :], np.zeros((1, 0)), 0.0025 * np.eye(40))
        fit = fit_models(data, 0.0025 * np.eye(40), [model], draws=10)[0]
        pulls.append((fit.amplitude - 0.8) / fit.stddev)
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * REPEATS) + 0.02)


def test_nonsense_is_refused() -> None:
    model = templates(np.random.default_rng(0), 10, 1, "a")
    with pytest.raises(ReductionError, match="no model"):
        fit_models(np.zeros(10), np.eye(10), [])
    with pytest.raises(ReductionError, match="not finite"):
        fit_models(np.full(10, np.nan), np.eye(10), model)
    with pytest.raises(ReductionError, match="without any change"):
        fit_models(np.ones(10), np.eye(10), [Template("a", np.zeros((1, 10)), np.zeros((1, 0)))])
    with pytest.raises(ReductionError, match="the first is not above the last"):
        Width(start=7.0)
