"""P-values and intervals against those of `scipy.stats`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reduction.statistics import quantiles


def test_p_values_and_intervals_are_those_of_scipy() -> None:
    assert quantiles.chi_square_p_value(7.3, 4) == pytest.approx(stats.chi2.sf(7.3, 4))
    assert quantiles.f_p_value(2.1, 3, 40) == pytest.approx(stats.f.sf(2.1, 3, 40))
    assert quantiles.student_p_value(-2.2, 9) == pytest.approx(2 * stats.t.sf(2.2, 9))
    assert quantiles.normal_tail(1.7) == pytest.approx(stats.norm.sf(1.7))
    assert quantiles.normal_threshold(0.01) == pytest.approx(stats.norm.isf(0.01))
    assert quantiles.chi_square_of_level(0.954, 2) == pytest.approx(stats.chi2.ppf(0.954, 2))
    low, high = quantiles.chi_square_interval(1.5, 30, 0.9)
    assert (low, high) == pytest.approx((45 / stats.chi2.isf(0.05, 30), 45 / stats.chi2.isf(0.95, 30)))


def test_arrays_have_a_p_value_each_and_none_without_degrees_of_freedom() -> None:
    np.testing.assert_allclose(
        quantiles.chi_square_p_values([3.0, 1.0, 9.9], [2, 0, 5]),
        [stats.chi2.sf(3.0, 2), np.nan, stats.chi2.sf(9.9, 5)],
    )
    np.testing.assert_allclose(quantiles.f_p_values([1.2, 3.4], [2, 7], 20.0), stats.f.sf([1.2, 3.4], [2, 7], 20.0))
