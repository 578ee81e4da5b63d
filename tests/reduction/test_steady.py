"""Flux and jet from drawn counts: pulls, what is recommended, and causes by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.findings.flux_knobs import FluxKnobs
from reduction.findings.steady import Attenuated, Series, allan_deviation, find_flux, find_jet
from tests.reduction.test_findings import check_pulls

DWELL, PHASES, LEAST = 0.25, 120, 2e4


def series_of(rng: np.random.Generator, mu: float, noise: np.ndarray, i0_noise: float = 1e-3) -> Series:
    """Poisson photons in bunches that differ by 5 %, of a sample whose thickness scatters by `noise`."""
    gates = int(6.517e6 / PHASES * DWELL)
    charge = 1 + 0.05 * np.random.default_rng(0).standard_normal(PHASES)
    charge /= charge.mean()
    hits = rng.binomial(gates, 1 - np.exp(-mu * charge * np.exp(noise)[:, None]))
    i0 = 1e6 * DWELL * (1 + i0_noise * rng.standard_normal(noise.size))
    seconds = np.full(noise.size, DWELL)
    return Series(hits.astype(float), np.full(hits.shape, float(gates)), i0, seconds, DWELL, 5, LEAST, 0.07)


@pytest.mark.parametrize("repeats", [20, pytest.param(500, marks=pytest.mark.long)])
def test_the_noise_of_a_jet_has_right_errors(repeats: int) -> None:
    """White noise, whose Allan deviation is its standard deviation, on counts that scatter, and an I0 with noise."""
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        found = find_jet(series_of(rng, 0.1, 0.01 * rng.standard_normal(240), 0.004))
        assert found.verdict == "good", found.reason
        pulls.append((found.value - 1.0) / found.stddev)
    check_pulls(pulls)


def test_counting_is_no_noise_of_the_jet() -> None:
    """16,000 hits a dwell scatter by 0.8 %."""
    found = find_jet(series_of(np.random.default_rng(3), 0.01, np.zeros(240), 0.0))
    assert found.value < 0.45


def test_the_best_dwell_is_short_for_a_slow_jet_and_long_for_a_steady_one() -> None:
    rng = np.random.default_rng(1)
    walk = 0.02 * np.cumsum(rng.standard_normal(480))
    slow, steady = find_jet(series_of(rng, 0.1, walk)), find_jet(series_of(rng, 0.1, np.zeros(480)))
    assert slow.numbers["best_dwell_s"][0] < 0.8 < 2.0 < steady.numbers["best_dwell_s"][0]
    assert slow.numbers["over_counting"][0] > 2.0 and steady.numbers["over_counting"][0] < 1.6
    exponent, error = slow.numbers["spectrum_exponent"]
    assert abs(exponent + 2.0) < 4 * error  # a random walk has 1 / f^2


def test_a_drift_is_no_noise() -> None:
    assert allan_deviation(np.linspace(0.0, 0.1, 500), np.zeros(500))[0] < 2e-4


@pytest.mark.parametrize("repeats", [20, pytest.param(400, marks=pytest.mark.long)])
def test_photons_per_pulse_have_right_errors(repeats: int) -> None:
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        mu = float(np.exp(rng.uniform(np.log(0.02), np.log(0.4))))
        jet = 0.005 * rng.standard_normal(60)
        found = find_flux(series_of(rng, mu, jet))
        assert found.verdict == "good", found.reason
        assert found.numbers["pile_up"][0] == pytest.approx(1 - (1 - np.exp(-mu)) / mu, rel=0.02)
        pulls.append((found.value - mu * np.exp(jet).mean()) / found.stddev)  # of these counts
    check_pulls(pulls)


@pytest.mark.parametrize("repeats", [40, pytest.param(500, marks=pytest.mark.long)])
def test_the_linearity_of_i0_has_right_errors(repeats: int) -> None:
    """I0 shows more by up to 5 % at the highest flux; the jet scatters by 0.5 %."""
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        flux, bent = np.exp(-np.repeat([0.0, 0.5, 1.0, 1.5], 10)), rng.uniform(-0.05, 0.05)
        photons = 0.2 * flux * (1 + 5e-3 * rng.standard_normal(flux.size))
        found, error = Attenuated(photons, 1e6 * flux * (1 + bent * flux)).nonlinearity()
        pulls.append((found - bent) / error)
    check_pulls(pulls)


def test_an_i0_that_is_not_linear_is_named() -> None:
    rng, flux = np.random.default_rng(4), np.exp(-np.repeat([0.0, 0.5, 1.0, 1.5], 10))
    series = series_of(rng, 0.2, np.zeros(40))
    photons = 0.2 * flux * (1 + 1e-3 * rng.standard_normal(flux.size))
    bent, straight = (Attenuated(photons, 1e6 * flux * (1 + each * flux)) for each in (0.05, 0.0))
    assert "I0 is not linear (+5" in find_flux(series, bent).reason
    assert find_flux(series, straight).verdict == "good"


def test_what_is_to_be_done_is_named() -> None:
    rng = np.random.default_rng(2)
    quiet = np.zeros(40)
    dark = series_of(rng, 0.1, quiet)
    for series, verdict, words in (
        (series_of(rng, 1.2, quiet), "look", "attenuate by 4"),
        (series_of(rng, 3.0, quiet), "look", "brightest bunch is saturated"),
        (series_of(rng, 0.005, quiet), "good", "more solid angle"),
        (series_of(rng, 0.1, quiet, i0_noise=0.02), "look", "gain of I0"),
        (replace(dark, i0=np.full(40, 1e3 * DWELL)), "bad", "No beam"),
        (replace(dark, hits=np.zeros_like(dark.hits)), "bad", "Dead detector"),
        (series_of(rng, 0.1, quiet[:8]), "bad", "Only 8 counts"),
    ):
        found = find_flux(series)
        assert found.verdict == verdict and words in found.reason, found.reason
    assert find_jet(replace(dark, hits=np.zeros_like(dark.hits))).verdict == "bad"


@pytest.mark.parametrize(
    ("mu", "absorbance", "wanted"),
    [
        (0.15, 0.0, None),
        (0.05, 1.0, 0.0),
        (0.9, 0.0, np.log(3.0)),
        (0.2, 1.0, 1.0 + np.log(0.2 / 0.3)),
        (0.28, 1.0, None),
    ],
)
def test_filters_are_recommended_for_three_tenths_of_a_photon(
    mu: float, absorbance: float, wanted: float | None
) -> None:
    """Or none where there are fewer photons; the light goes with exp(-absorbance)."""
    series = series_of(np.random.default_rng(4), mu, np.zeros(64))
    found = find_flux(series, knobs=FluxKnobs(absorbance, 0.0))
    assert found.verdict == "good"
    if wanted is None:
        assert found.settings == {}
    else:
        assert found.settings == {"attenuator": pytest.approx(wanted, abs=0.02)} and "recommended" in found.reason


@pytest.mark.parametrize(("rate", "gain"), [(1e6, None), (2e5, 2e9), (2e7, 2e7)])
def test_a_gain_of_i0_is_recommended_where_its_rate_is_far_off(rate: float, gain: float | None) -> None:
    """At a gain of 1e8; the highest of 1, 2, 5 times a power of ten with at most 5e6/s."""
    series = series_of(np.random.default_rng(5), 0.15, np.zeros(64))
    found = find_flux(replace(series, i0=1e-6 * rate * series.i0), knobs=FluxKnobs(gain=1e8, i0_most=5e6))
    assert found.settings == ({} if gain is None else {"i0_gain": gain})
