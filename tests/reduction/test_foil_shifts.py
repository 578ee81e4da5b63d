"""Shifts of passes by a foil, and what happens to spectra that are moved by them."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.detectors.foil import mean_shift, shifts_of_passes

ERROR = 3e-5
"""keV."""


def test_the_error_of_the_mean_is_that_of_repeats():
    rng, pulls = np.random.default_rng(7), []
    for _ in range(2000):
        stddev = ERROR * rng.uniform(0.7, 1.4, 6)
        mean = mean_shift(shifts_of_passes(2e-4 + stddev * rng.standard_normal(6), stddev))
        pulls.append((mean.value - 2e-4) / mean.stddev)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.06)
    assert abs(np.mean(pulls)) < 0.08


def test_a_pass_without_an_edge_gets_the_mean_of_the_others_with_their_scatter():
    found = shifts_of_passes(np.array([1e-4, np.nan, 3e-4]), np.array([ERROR, np.nan, ERROR]))
    assert [each.value for each in found] == pytest.approx([1e-4, 2e-4, 3e-4])
    assert found[0].stddev == ERROR
    assert found[1].stddev == pytest.approx(np.hypot(ERROR / np.sqrt(2), 1e-4))


def test_no_pass_with_an_edge_gives_no_shift():
    assert shifts_of_passes(np.array([np.nan]), np.array([np.nan])) == ()
