"""Lines and their end: closed forms, and pulls of the saturation."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import curve_fit

from reduction.traces.linear_range import Line, Tangent, saturation, straight_line

X = np.array([0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14.0])


def bent(at: float, sharpness: float) -> np.ndarray:
    return X / (1 + (X / at) ** sharpness) ** (1 / sharpness)


def test_line_is_that_of_scipy():
    rng = np.random.default_rng(1)
    y = 0.3 + 2 * X + 0.1 * rng.standard_normal(X.size)
    line = straight_line(X, y, np.full(X.size, 0.01))
    expected, covariance = curve_fit(lambda x, a, b: a + b * x, X, y, sigma=np.full(X.size, 0.1), absolute_sigma=True)
    np.testing.assert_allclose([line.intercept, line.slope], expected, rtol=1e-6)
    np.testing.assert_allclose(line.covariance, covariance, rtol=1e-5)
    full = np.diag(np.full(X.size, 0.01)) + 0.5
    shifted = straight_line(X, y, full)
    assert shifted.slope == pytest.approx(line.slope)  # what all points share is the intercept's
    assert shifted.intercept_stddev == pytest.approx(np.hypot(line.intercept_stddev, np.sqrt(0.5)))


def test_the_band_of_a_line_is_that_of_its_covariance():
    covariance = np.array([[0.09, -0.01], [-0.01, 0.04]])
    found = Line(1.0, 2.0, covariance, 0.0, 3).stddev(np.array([0.0, 2.0]))
    assert found == pytest.approx([0.3, np.sqrt(np.array([1, 2]) @ covariance @ np.array([1, 2]))])


def test_saturation_is_found_with_right_errors():
    inside, pulls = 0, []
    for seed in range(200):
        y = bent(11, 16) + 0.1 * np.random.default_rng(seed).standard_normal(X.size)
        found = saturation(X, y, np.full(X.size, 0.01))
        inside += found.interval[0] <= 11 <= found.interval[1]
        pulls.append((found.linear.slope - 1) / found.linear.slope_stddev)
        assert found.significance > 5
        assert found.linear_up_to <= 12
    assert abs(inside / 200 - 0.683) < 4.5 * np.sqrt(0.683 * 0.317 / 200)
    assert abs(np.mean(pulls)) < 1.0  # the range is chosen by the data, which bends its last point down


GRADUAL = {"a saturable absorber": X / (1 + X / 20), "a bleached one": 12 * -np.expm1(-X / 12)}


@pytest.mark.parametrize("name", GRADUAL)
def test_the_initial_slope_of_gradual_saturation_is_right(name):
    """The line through the linear range is 6 to 8 of its errors low for both."""
    pulls, intercepts, tangents, lines = [], [], [], []
    for seed in range(60):
        found = saturation(
            X, GRADUAL[name] + 0.5 + 0.1 * np.random.default_rng(seed).standard_normal(X.size), np.full(X.size, 0.01)
        )
        initial = found.initial
        pulls.append((initial.slope - 1) / initial.slope_stddev)
        intercepts.append((initial.intercept - 0.5) / initial.intercept_stddev)
        tangents.append(((initial.value(np.array([2.0])) - 2.5) / initial.stddev(np.array([2.0])))[0])
        lines.append((found.linear.slope - 1) / found.linear.slope_stddev)
    assert np.mean(lines) < -5
    for each in (pulls, intercepts, tangents):
        assert abs(np.mean(each)) < 1.0 and np.std(each) < 1.3
    assert np.mean(np.abs(pulls) < 2) > 0.88


def test_the_tangent_of_what_does_not_bend_is_the_line():
    """Only the chosen bends, which cost precision, are between it and the line of scipy."""
    y = 0.3 + 2 * X
    found = saturation(X, y, np.full(X.size, 1e-8)).initial
    assert (found.intercept, found.slope) == pytest.approx((0.3, 2.0), abs=1e-3)
    assert found.dof == X.size - 4


def test_an_initial_slope_hidden_in_the_noise_is_known_to_a_few_times_the_error_of_a_line():
    """A plateau has no slope of its own, but what it may hide is not without limit."""
    quoted = [
        saturation(X, 0.1 * np.random.default_rng(seed).standard_normal(X.size), np.full(X.size, 0.01)).initial
        for seed in range(20)
    ]
    line = 0.1 / np.sqrt(((X - X.mean()) ** 2).sum())
    assert 1 < np.median([one.slope_stddev for one in quoted]) / line < 200


def test_the_slope_of_a_line_between_exact_bends_has_the_interval_of_that_line():
    """One sharp bend far beyond the data: a straight line, whose interval is one standard deviation either way."""
    found = Tangent(0.0, 2.0, np.diag([1.0, 0.04]), 0.0, 3, np.array([1.0]), np.array([2.0]), np.array([0.2]))
    assert found.slope_interval() == pytest.approx((1.8, 2.2), abs=1e-4)
    assert found.slope_interval(0.9545) == pytest.approx((1.6, 2.4), abs=1e-3)
    assert found.below(1.8) == pytest.approx(0.1587, abs=1e-4)


@pytest.mark.parametrize("size", [0.0, 0.3, 3.0])
def test_intervals_of_the_slope_hold_it_as_often_as_they_claim_at_any_strength(size):
    """Knees and sharpnesses as they may be; the standard deviation alone holds 97 % where the signal is weak."""
    rng, pulls = np.random.default_rng(4), []
    for _ in range(120):
        knee, sharpness = np.exp(rng.uniform(np.log(0.7), np.log(50.0))), rng.choice([0.8, 1.3, 2.3, 8.0])
        rise = bent(knee, sharpness)
        y = size * rise / rise[-1] + 0.1 * rng.standard_normal(X.size)
        below = saturation(X, y, np.full(X.size, 0.01)).initial.below(size / rise[-1])
        pulls.append(NormalDist().inv_cdf(min(max(below, 1e-9), 1 - 1e-9)))
    assert abs(np.mean(np.abs(pulls) < 1) - 0.683) < 0.04 + 3 * np.sqrt(0.217 / 120)
    assert np.mean(np.abs(pulls) < 2) > 0.954 - 3 * np.sqrt(0.044 / 120)


def test_a_line_does_not_saturate():
    significant = 0
    for seed in range(100):
        found = saturation(X, X + 0.1 * np.random.default_rng(seed).standard_normal(X.size), np.full(X.size, 0.01))
        significant += found.significance > 3
        assert np.isinf(found.interval[1]) or found.significance > 1
    assert significant <= 3
    clean = saturation(X, X, np.full(X.size, 0.01))
    assert clean.linear_up_to == 14 and np.isinf(clean.saturates_at) and clean.significance == 0


@pytest.mark.parametrize(("knee", "found"), [(53.0, 53.0), (59.0, np.inf)])
def test_saturation_is_found_up_to_four_times_the_largest_fluence(knee, found):
    assert saturation(X, X / (1 + X / knee), np.full(X.size, 1e-8)).saturates_at == pytest.approx(found, rel=0.01)


def test_without_data_a_knee_is_as_likely_as_it_can_be_told_from_its_neighbours():
    """The interval's lower end is that of the angles between curves, here by their correlation for equal errors."""
    found = saturation(X, np.zeros(X.size), np.full(X.size, 1.0)).interval[0]
    knees, below = np.geomspace(X[0], 4 * X[-1], 2001), np.zeros(2001)
    for power in np.arange(-0.5, 5.25, 0.5):
        curves = np.array([bent(knee, 2.0**power) for knee in knees])
        curves -= curves.mean(axis=1, keepdims=True)
        near = (curves[1:] * curves[:-1]).sum(axis=1) / np.sqrt((curves[1:] ** 2).sum(axis=1))
        angle = np.arccos(np.minimum(near / np.sqrt((curves[:-1] ** 2).sum(axis=1)), 1.0))
        below[1:] += np.exp(-((power - 2) ** 2) * np.log(2) ** 2 / 2) * np.cumsum(angle) / angle.sum()
    assert found == pytest.approx(np.interp(0.5 - 0.6827 / 2, below / below[-1], knees), rel=0.02)


@pytest.mark.parametrize(
    ("x", "y", "covariance", "message"),
    [
        (X[:2], X[:2], np.ones(2), "three points"),
        (X[:4] * 0, X[:4], np.ones(4), "two positions"),
        (X, X * np.nan, np.ones(X.size), "not finite"),
        (X, X, np.zeros((X.size, X.size)), "cannot be inverted"),
    ],
)
def test_bad_lines_are_refused(x, y, covariance, message):
    with pytest.raises(ValueError, match=message):
        straight_line(x, y, covariance)


def test_too_few_points_for_a_range_are_refused():
    with pytest.raises(ValueError, match="at least five"):
        saturation(X[:4], X[:4], np.ones(4))


def test_the_error_of_an_initial_slope_is_that_of_the_mixture_it_is_the_mean_of():
    rng = np.random.default_rng(2)
    one = saturation(X, bent(6.0, 3.0) + 0.1 * rng.standard_normal(X.size), np.full(X.size, 0.01)).initial
    assert one.weights @ one.slopes == pytest.approx(one.slope)
    variance = one.weights @ (one.errors**2 + (one.slopes - one.slope) ** 2)
    assert one.slope_stddev == pytest.approx(np.sqrt(variance))
