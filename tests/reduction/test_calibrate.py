"""Energy calibration: known edges, glitches that must not catch it, errors against the scatter of repeats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from reduction.spectra.calibrate import E0, calibrate
from tests.reduction.foil_edges import KINDS, scanned, with_shape

TRUE = 13.0361
ENERGY = np.round(13.020 + 0.0004 * np.arange(90), 6)


def foil(position: float = TRUE) -> np.ndarray:
    return 0.2 + 1 / (1 + np.exp(-(ENERGY - position) / 0.0012))


def test_the_edge_is_found_and_pinned():
    errors = np.full(ENERGY.size, 1e-3)
    found = calibrate(ENERGY, foil(), errors, E0["Pb_L3"])
    assert found.position == pytest.approx(TRUE, abs=2e-5)
    assert found.shift == pytest.approx(E0["Pb_L3"] - TRUE, abs=2e-5)


@pytest.mark.parametrize("off", [0.0, 1.3e-5, 2.7e-5])
def test_between_the_places_at_which_derivatives_are_drawn_a_parabola_finds_the_edge(off):
    """The places are 0.05 eV apart."""
    found = calibrate(ENERGY, foil(TRUE + off), np.full(ENERGY.size, 2e-5), E0["Pb_L3"])
    assert found.position == pytest.approx(TRUE + off, abs=6e-6)


def test_a_steeper_place_far_away_does_not_catch_it():
    glitch = foil() + 3 / (1 + np.exp(-(ENERGY - 13.0500) / 0.0003))
    found = calibrate(ENERGY, glitch, np.full(ENERGY.size, 1e-3), E0["Pb_L3"])
    assert found.position == pytest.approx(TRUE, abs=1e-4)


def test_its_error_covers_edges_of_any_shape():
    """Also 2 eV from the tabulated energy; a polynomial of degree 7 is up to 7 of its errors off."""
    pulls = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        kind = ("step", "broad", "white line", "shoulder")[seed % 4]
        true = E0["Br_K"] + rng.choice([-2e-3, 0.3e-3])
        fine = np.linspace(true - 0.006, true + 0.006, 120_001)
        steepest = fine[np.argmax(np.gradient(with_shape(kind, 1e3 * (fine - true))))]
        noise, step = rng.choice([5e-4, 2e-3]), rng.choice([0.25e-3, 0.5e-3])
        energy = 13.44 + step * (rng.uniform() + np.arange(0.07 / step))
        value = with_shape(kind, 1e3 * (energy - true)) + noise * rng.standard_normal(energy.size)
        found = calibrate(energy, value, np.full(energy.size, noise), E0["Br_K"])
        assert found.stddev < 0.12e-3
        pulls.append((found.position - steepest) / found.stddev)
    inside = [int(np.sum(np.abs(pulls) < sigmas)) for sigmas in (1, 2)]
    assert inside[0] >= binom.ppf(1e-3, 24, 0.683) and inside[1] >= binom.ppf(1e-3, 24, 0.954)
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 1.4


@pytest.mark.parametrize("kind", ["shoulder", "white line"])
def test_steps_of_one_electronvolt_at_an_uneven_edge_are_in_its_error(kind):
    """The maximum is pulled towards the flatter side, by more than the noise moves it."""
    pulls = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        fine = np.linspace(TRUE - 0.006, TRUE + 0.006, 24_001)
        steepest = fine[np.argmax(np.gradient(with_shape(kind, 1e3 * (fine - TRUE))))]
        energy = 13.010 + 1e-3 * (rng.uniform() + np.arange(50))
        value = with_shape(kind, 1e3 * (energy - TRUE)) + 2e-3 * rng.standard_normal(energy.size)
        found = calibrate(energy, value, np.full(energy.size, 2e-3), E0["Pb_L3"])
        pulls.append((found.position - steepest) / found.stddev)
    assert np.sqrt(np.mean(np.square(pulls))) < 1.5


def test_steps_of_two_electronvolts_are_calibrated():
    """Six or seven points in the window suffice for an edge that rises evenly; else the error is large."""
    found = [scanned(kind, 2.0, 1e-3, seed) for kind in KINDS for seed in range(2)]
    assert max(abs(one.away / one.stddev) for one in found) < 3.5
    assert max(one.stddev for one in found if one.kind == "step") < 0.1


@pytest.mark.parametrize(
    ("absorption", "errors", "e0", "message"),
    [
        (foil(13.0500), np.full(ENERGY.size, 1e-3), 13.030, "end of the window"),
        (foil(), np.full(ENERGY.size, 1e-3), 13.2, "too few"),
        (foil() * np.nan, np.full(ENERGY.size, 1e-3), TRUE, "not finite"),
        (foil(), np.zeros(ENERGY.size), TRUE, "not finite and above 0"),
    ],
)
def test_an_edge_that_is_not_there_is_an_error(absorption, errors, e0, message):
    with pytest.raises(ValueError, match=message):
        calibrate(ENERGY, absorption, errors, e0)
