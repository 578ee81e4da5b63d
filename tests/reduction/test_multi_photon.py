"""Fraction of hits with more than one photon, against the Poisson distribution of scipy."""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

from reduction.counting.pileup import multi_photon_fraction


def test_it_is_that_of_the_poisson_distribution() -> None:
    mu = np.array([1e-6, 1e-3, 0.05, 0.15, 0.5, 1.0, 2.0, 5.0, 40.0])
    expected = poisson.sf(1, mu) / poisson.sf(0, mu)
    np.testing.assert_allclose(multi_photon_fraction(mu), expected, rtol=1e-9, atol=1e-12)


def test_rates_that_are_none_give_no_pile_up() -> None:
    np.testing.assert_array_equal(multi_photon_fraction([0.0, -1e-3]), [0.0, 0.0])
    assert np.isnan(multi_photon_fraction(np.nan))
    assert multi_photon_fraction(0.2).shape == ()
