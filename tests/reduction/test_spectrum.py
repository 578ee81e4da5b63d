"""The chain from rates to spectra: closed forms, Monte-Carlo of its covariance, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.accumulate import PointRates
from reduction.counting.phases import Pattern
from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.spectrum import normalise, projection, reduce_spectrum, require_reference

ENERGY = np.array([13.450, 13.454, 13.460, 13.466, 13.470, 13.471, 13.480, 13.500, 13.550])
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.466, 13.550), reference="paper")


def edge_like(scale=3.0, offset=0.7):
    return offset + scale * np.array([0, 0, 0, 0.2, 1.1, 1.4, 0.9, 1.0, 1.0])


def test_offset_and_integral_are_those_of_numpy():
    result = normalise(edge_like(), np.full(9, 1e-4), ENERGY, SETTINGS)
    above = edge_like() - 0.7
    inside = slice(3, None)
    integral = np.trapezoid(above[inside], ENERGY[inside]) / (13.550 - 13.466)
    assert result.offset == pytest.approx(0.7)
    assert result.integral == pytest.approx(integral)
    np.testing.assert_allclose(result.value, above / integral, atol=1e-14)


def test_covariance_is_that_of_many_noisy_spectra():
    """20,000 draws know each standard deviation to 0.5 %; 2 % is four of that, over all points."""
    rng = np.random.default_rng(2)
    sigma = 0.01 * (1 + np.arange(9) / 5)
    draws = np.array(
        [
            normalise(edge_like() + sigma * rng.standard_normal(9), sigma**2, ENERGY, SETTINGS).value
            for _ in range(20_000)
        ]
    )
    covariance = normalise(edge_like(), sigma**2, ENERGY, SETTINGS).covariance
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), draws.std(axis=0, ddof=1), rtol=0.02)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(covariance / scale, np.cov(draws.T) / scale, atol=0.03)
    full = normalise(edge_like(), np.diag(sigma**2), ENERGY, SETTINGS).covariance
    np.testing.assert_allclose(full, covariance, rtol=1e-10, atol=1e-18)


def test_normalisation_removes_scale_and_offset():
    one = normalise(edge_like(3.0, 0.7), np.full(9, 1e-4), ENERGY, SETTINGS).value
    other = normalise(edge_like(0.02, -5.0), np.full(9, 1e-4), ENERGY, SETTINGS).value
    np.testing.assert_allclose(one, other, atol=1e-12)


def rates_of(rate, dwells=None):
    slots = rate.shape[1]
    cov = np.zeros((2, slots, slots, ENERGY.size)) + 1e-6 * np.eye(slots)[None, :, :, None]
    counts = np.full((2, ENERGY.size), 2) if dwells is None else dwells
    return PointRates(rate, cov, counts, np.zeros(24, np.int64))


def test_points_without_both_states_are_left_out_and_marked():
    rate = np.tile(edge_like(), (2, 5, 1))
    dwells = np.full((2, ENERGY.size), 2)
    dwells[1, 7] = 0
    rate[1, :, 7] = np.nan
    spectrum = reduce_spectrum(ENERGY, rates_of(rate, dwells), SETTINGS)
    assert spectrum.used.tolist() == [True] * 7 + [False, True]
    assert np.isnan(spectrum.transient[:, 7]).all()
    np.testing.assert_allclose(spectrum.transient[:, spectrum.used], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("rate", "settings", "phrase"),
    [
        (
            edge_like(),
            Settings((13.40, 13.41), (13.466, 13.55), "paper"),
            "no point in the pre-edge window 13.4000-13.4100",
        ),
        (
            edge_like(),
            Settings((13.45, 13.46), (13.60, 13.70), "paper"),
            "fewer than two points in the edge-integral window",
        ),
        (np.full(9, 0.5), SETTINGS, "not above zero"),
        (-edge_like(), SETTINGS, "not above zero"),
        (np.full(9, np.nan), SETTINGS, "no point has good dwells"),
    ],
)
def test_what_cannot_be_normalised_is_refused_with_a_reason(rate, settings, phrase):
    with pytest.raises(ReductionError, match=phrase):
        reduce_spectrum(ENERGY, rates_of(np.tile(rate, (2, 5, 1))), settings)


def test_projection_weighs_points_by_their_own_errors_and_carries_the_covariance():
    rng = np.random.default_rng(4)
    shape = np.array([1.0, -2.0, 0.5])
    root = rng.standard_normal((3, 3))
    covariance = root @ root.T
    stddev = np.sqrt(np.diagonal(covariance))
    noisy = 0.3 * shape + rng.standard_normal(3)
    expected = np.linalg.lstsq((shape / stddev)[:, None], noisy / stddev, rcond=None)[0][0]
    amplitude, error = projection(noisy, covariance, shape)
    assert amplitude == pytest.approx(expected)
    drawn = rng.multivariate_normal(noisy, covariance, 20_000)
    assert error == pytest.approx(np.std([projection(one, covariance, shape)[0] for one in drawn[:4000]]), rel=0.05)


def test_noise_of_a_shape_in_the_covariance_does_not_pass_for_knowledge():
    """A part that is known to a third only, with the noise of the shape it was found by (Peelle's puzzle)."""
    rng = np.random.default_rng(5)
    shape = np.exp(-(np.linspace(-2, 2, 25) ** 2))
    pulls = []
    for _ in range(400):
        seen = shape + 0.05 * rng.standard_normal(25)
        transient = seen * (1 + 0.3 * rng.standard_normal())
        covariance = 0.05**2 * np.eye(25) + 0.3**2 * np.outer(seen, seen)
        amplitude, error = projection(transient, covariance, shape)
        pulls.append((amplitude - 1) / error)
    assert abs(np.mean(pulls)) < 0.2 and abs(np.std(pulls) - 1) < 0.15


def test_slots_are_refused_where_there_is_one():
    slots = Settings((13.45, 13.46), (13.466, 13.55), reference="slots")
    for pattern in (Pattern(24, 5, 0, 6.5e6), Pattern(324, 4, 0, 88e6), Pattern(24, 24, 0, 6.5e6)):
        require_reference(slots, pattern)
    with pytest.raises(ReductionError, match="more than one slot"):
        require_reference(slots, Pattern(24, 1, 0, 6.5e6))
    require_reference(SETTINGS, Pattern(24, 1, 0, 6.5e6))


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"pre_edge": (13.46, 13.45)}, "pre_edge must go"),
        ({"reference": "best"}, "reference must be one of"),
        ({"i0_noise": 2.0}, "i0_noise must lie"),
        ({"nonsense": 1}, "unknown reduction settings: nonsense"),
    ],
)
def test_settings_refuse_by_name(changes, phrase):
    with pytest.raises(ValueError, match=phrase):
        Settings.from_mapping({**SETTINGS.to_mapping(), **changes})


def test_a_background_is_given_by_phase_and_refused_otherwise():
    given = Settings.from_mapping({**SETTINGS.to_mapping(), "background_on": [0.01, 0.02]})
    assert given.background(2)[0].tolist() == [[0, 0], [0.01, 0.02]]
    assert given.digest() != SETTINGS.digest() and not np.any(SETTINGS.background(3))
    with pytest.raises(ValueError, match="background_on has 2 values, but the pattern has 120 phases"):
        given.background(120)
    with pytest.raises(ValueError, match="background_off must hold photons a pulse"):
        Settings((13.45, 13.46), (13.466, 13.55), background_off=(-1.0,))


def test_settings_survive_a_document_and_have_a_hash():
    again = Settings.from_mapping(SETTINGS.to_mapping())
    assert again == SETTINGS and again.digest() == SETTINGS.digest()
    assert again.digest() != Settings((13.45, 13.46), (13.466, 13.55), "paper", i0_noise=2e-3).digest()
    with pytest.raises(ValueError, match="lack integral"):
        Settings.from_mapping({"pre_edge": [1, 2]})
