"""Energy calibration: known edges, glitches that must not catch it, errors against the scatter of repeats."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.spectra.calibrate import E0, calibrate

TRUE = 13.0361
ENERGY = np.round(13.020 + 0.0004 * np.arange(90), 6)


def foil(position: float = TRUE) -> np.ndarray:
    return 0.2 + 1 / (1 + np.exp(-(ENERGY - position) / 0.0012))


def test_the_edge_is_found_and_pinned():
    errors = np.full(ENERGY.size, 1e-3)
    found = calibrate(ENERGY, foil(), errors, E0["Pb_L3"])
    assert found.position == pytest.approx(TRUE, abs=2e-5)
    assert found.shift == pytest.approx(E0["Pb_L3"] - TRUE, abs=2e-5)


def test_a_steeper_place_far_away_does_not_catch_it():
    glitch = foil() + 3 / (1 + np.exp(-(ENERGY - 13.0500) / 0.0003))
    found = calibrate(ENERGY, glitch, np.full(ENERGY.size, 1e-3), E0["Pb_L3"])
    assert found.position == pytest.approx(TRUE, abs=1e-4)


def test_its_error_is_the_scatter_of_repeats():
    errors = np.full(ENERGY.size, 5e-3)
    found = [
        calibrate(ENERGY, foil() + 5e-3 * np.random.default_rng(seed).standard_normal(ENERGY.size), errors, TRUE)
        for seed in range(60)
    ]
    scatter = np.std([each.position for each in found])
    quoted = np.mean([each.stddev for each in found])
    assert quoted == pytest.approx(scatter, rel=4.5 / np.sqrt(120))


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
