"""Fits of delay scans whose time zero, response and decays differ from those given to the fit.

The truth is a convolution by quadrature, with nothing of the model's closed form in it.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import exponnorm, norm

from reduction.statistics.quantiles import runs_p_value
from reduction.traces.kinetics.fit import Trace, fit_traces
from reduction.traces.kinetics.model import components
from reduction.traces.kinetics.response import response_of
from reduction.traces.kinetics.scan_fit import fit_scan

DELAYS = np.unique(np.concatenate([np.linspace(-300, 600, 31), np.geomspace(700, 130_000, 15)]))
FINE = np.linspace(-6, 6, 4001)
DENSITY = norm.pdf(FINE) / norm.pdf(FINE).sum()


def decays(delay, lifetimes, fractions, sigma):
    """Exponentials that start at 0, averaged over a Gaussian of arrival times."""
    arrival = delay[:, None] - sigma * FINE
    value = sum(f * np.exp(-np.maximum(arrival, 0) / tau) for f, tau in zip(fractions, lifetimes, strict=True))
    return np.where(arrival > 0, value, 0.0) @ DENSITY


def drawn(seed, zero=0.0, sigma=45.0, noise=0.01, lifetimes=(120.0, 900.0, np.inf), fractions=(0.60, 0.21, 0.19)):
    values = decays(DELAYS - zero, lifetimes, fractions, sigma)
    noisy = values + noise * np.random.default_rng([seed, int(10 * sigma), int(zero + 500)]).standard_normal(
        values.size
    )
    return Trace(DELAYS, noisy, np.full(DELAYS.size, noise**2))


@pytest.mark.parametrize("zero", [-150.0, -80.0, 40.0, 80.0, 140.0])
def test_a_time_zero_far_off_is_found_and_the_lifetimes_with_it(zero):
    fit = fit_scan(drawn(1, zero, noise=1e-3), levels=())
    assert abs(fit.time_zero - zero) < 4.5 * fit.time_zero_stddev < 5
    assert abs(fit.lifetimes[0] - 120) < 4.5 * fit.lifetimes_stddev[0] < 10
    assert not fit.notes


@pytest.mark.long
@pytest.mark.parametrize("sigma", [30.0, 65.0])
def test_another_response_than_the_setting_does_not_reach_the_lifetimes(sigma):
    """Pulls of the first lifetime and of the response over 40 traces; 45 ps given, as by default."""
    fits = [fit_scan(drawn(seed, 20.0, sigma, noise=4e-3), levels=()) for seed in range(40)]
    for pulls in (
        np.array([np.log(fit.lifetimes[0] / 120) * fit.lifetimes[0] / fit.lifetimes_stddev[0] for fit in fits]),
        np.array([(fit.sigma - sigma) / fit.sigma_stddev for fit in fits]),
    ):
        assert abs(pulls.mean()) < 4.5 / np.sqrt(40)
        assert abs(pulls.std() - 1) < 4.5 / np.sqrt(80)
    wrong = fit_traces([drawn(0, 20.0, sigma, noise=4e-3)], free=("time_zero",), levels=())
    assert abs(wrong.lifetimes[0] - 120) > 5 * wrong.lifetimes_stddev[0]


@pytest.mark.long
def test_intervals_cover_with_time_zero_and_response_unknown():
    """Both drawn anew in each of 60 traces."""
    inside = np.zeros(2)
    for seed in range(60):
        rng = np.random.default_rng([seed, 9])
        fit = fit_scan(drawn(seed, rng.uniform(-100, 100), rng.uniform(30, 70), noise=5e-3))
        low, high = fit.intervals[:, 0].T
        inside += (np.nan_to_num(low, nan=-np.inf) <= 120) & (np.nan_to_num(high, nan=np.inf) >= 120)
    for share, level in zip(inside / 60, (0.683, 0.954), strict=True):
        assert abs(share - level) < 4.5 * np.sqrt(level * (1 - level) / 60)


def test_a_response_that_is_known_weighs_as_one_measurement_more():
    """The weighted mean of the trace's value and the known one, by hand."""
    data = drawn(3, sigma=60.0, noise=0.02)
    alone = fit_traces([data], free=("time_zero", "sigma"), levels=())
    both = fit_traces([data], sigma=50.0, sigma_stddev=4.0, free=("time_zero",), levels=())
    own, known = (1 / alone.sigma_stddev**2, np.log(alone.sigma)), (1 / (4.0 / 50.0 * alone.sigma) ** 2, np.log(50.0))
    mean = (own[0] * own[1] + known[0] * known[1]) / (own[0] + known[0])
    assert np.log(both.sigma) == pytest.approx(mean, abs=0.15 * 4.0 / 50.0)
    assert both.sigma_stddev == pytest.approx((own[0] + known[0]) ** -0.5, rel=0.1)
    assert both.freedom == alone.freedom + 1
    sure = fit_traces([data], sigma=50.0, sigma_stddev=1e-3, free=("time_zero",), levels=())
    assert sure.sigma == pytest.approx(50.0, abs=0.01) and sure.chi_square > alone.chi_square


def test_a_response_neither_given_nor_constrained_is_reported():
    """No point on the rise: the error of the first lifetime is larger for it, and a note reports it."""
    away = (DELAYS < -100) | (DELAYS > 250)
    data = drawn(4, noise=0.01)
    late = Trace(DELAYS[away], data.value[away], data.covariance[away])
    fit = fit_scan(late, levels=())
    assert any("The response is taken as 45 +- 15 ps" in note for note in fit.notes)
    assert any("Time zero is fixed as set" in note for note in fit.notes)
    known = fit_scan(late, levels=(), response_stddev=2.0)
    assert not any("response" in note for note in known.notes)


TAILED = np.column_stack([np.linspace(-150, 350, 251), exponnorm.pdf(np.linspace(-150, 350, 251), 2.0, -40, 25)])
"""ps, density: a Gaussian of 25 ps with a tail of 50 ps; its mean is at 10 ps."""


def test_bins_of_a_measured_response_have_its_moments():
    response, sigma = response_of(TAILED)
    assert sigma == pytest.approx(25 * np.sqrt(1 + 2.0**2), rel=0.02)  # the table ends at 350 ps
    low, high, weight = response.T
    middle = (low + high) / 2
    assert weight.sum() == pytest.approx(1.0) and weight @ middle == pytest.approx(0.0, abs=1e-3)
    assert weight @ (middle**2 + (high - low) ** 2 / 12) == pytest.approx(1.0, abs=2e-3)


def test_a_gaussian_given_as_a_table_is_the_gaussian():
    table = np.column_stack([np.linspace(-300, 300, 1201), norm.pdf(np.linspace(-300, 300, 1201), 0, 45)])
    response, sigma = response_of(table)
    lifetimes = np.array([2.0, 120.0, 900.0, np.inf])
    np.testing.assert_allclose(
        components(DELAYS, lifetimes, sigma, response), components(DELAYS, lifetimes, 45.0), atol=1.5e-3
    )


@pytest.mark.long
def test_a_response_with_a_tail_that_was_measured_elsewhere():
    """The convolution by a sum over the table; as a Gaussian the first lifetime is many errors off, with a note."""
    steps = TAILED[:, 1] / TAILED[:, 1].sum()
    arrival = DELAYS[:, None] - TAILED[:, 0]
    parts = [
        f * np.exp(-np.maximum(arrival, 0) / tau) for f, tau in zip((0.6, 0.21, 0.19), (120, 900, 1e12), strict=True)
    ]
    truth = np.where(arrival > 0, sum(parts), 0.0) @ steps
    noise = 3e-3
    pulls = []
    for seed in range(20):
        values = truth + noise * np.random.default_rng([seed, 77]).standard_normal(truth.size)
        data = Trace(DELAYS, values, np.full(DELAYS.size, noise**2))
        fit = fit_scan(data, levels=(), response_stddev=1.0, response_shape=TAILED)
        pulls.append((fit.lifetimes[0] - 120) / fit.lifetimes_stddev[0])
    assert abs(np.mean(pulls)) < 4.5 / np.sqrt(20) and np.std(pulls) < 1 + 4.5 / np.sqrt(40)
    np.testing.assert_allclose(fit.curve(DELAYS), truth, atol=5 * noise)
    assert not fit.notes
    assert fit_scan(data, levels=()).notes


@pytest.mark.parametrize(
    ("shape", "phrase"),
    [
        ([(0.0, 1.0)] * 3, "at least five pairs"),
        ([(0.0, 1.0), (1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0)], "ascending times"),
        ([(float(t), -1.0) for t in range(9)], "densities from 0"),
        ([(float(t), 0.0) for t in range(9)], "not all 0"),
    ],
)
def test_a_response_that_is_none_is_refused(shape, phrase):
    with pytest.raises(ValueError, match=phrase):
        fit_scan(drawn(1), response_shape=shape)


@pytest.mark.long
def test_three_lifetimes_fitted_by_two_are_reported():
    three = {"lifetimes": (40.0, 300.0, 3000.0, np.inf), "fractions": (0.4, 0.3, 0.2, 0.1)}
    found = [fit_scan(drawn(seed, noise=1.5e-3, **three), levels=()) for seed in range(10)]
    assert all(any("chi-square is" in note or "same sign" in note for note in fit.notes) for fit in found)
    honest = [fit_scan(drawn(seed, noise=1.5e-3), levels=()) for seed in range(40)]
    assert sum(bool(fit.notes) for fit in honest) <= 1  # two tests at 1e-3 each


@pytest.mark.parametrize("above", [6, 8])
def test_chance_of_few_runs_by_counting_all_of_them(above):
    """All orders of so many positive among sixteen residuals, each as probable as the other."""
    number = 16
    runs = []
    for places in combinations(range(number), above):
        sign = np.zeros(number, np.bool_)
        sign[list(places)] = True
        runs.append(1 + int((sign[1:] != sign[:-1]).sum()))
    runs = np.array(runs)
    for seen in (3, 5, 6, 8, 10):
        places = _with_runs(seen, above, number)
        assert runs_p_value(np.where(places, 0.7, -0.2)) == pytest.approx((runs <= seen).mean(), abs=0.02)
    assert runs_p_value(np.ones(20)) == runs_p_value(np.array([1.0, -1.0] * 4)) == 1.0


def _with_runs(runs, above, number):
    """Signs with so many runs, the first one positive."""
    sizes = {True: above, False: number - above}
    parts = [runs // 2 + runs % 2, runs // 2]
    signs: list[bool] = []
    for index in range(runs):
        sign = index % 2 == 0
        left = parts[0 if sign else 1] - index // 2
        length = sizes[sign] if left == 1 else 1
        sizes[sign] -= length
        signs += [sign] * length
    return np.array(signs)


def test_one_lifetime_is_not_taken_for_two():
    """A second one that chance fits would move time zero by many of its errors."""
    fits = [fit_scan(drawn(seed, -20.0, 95.0, 0.03, (1500.0, np.inf), (0.6, 0.4)), (), 95.0, 2.0) for seed in range(40)]
    pulls = np.array([(fit.time_zero + 20.0) / fit.time_zero_stddev for fit in fits if fit.time_zero_stddev])
    assert pulls.size > 30 and abs(pulls.mean()) < 4.5 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 4.5 / np.sqrt(2 * pulls.size)
    assert np.mean([fit.lifetimes.size == 2 for fit in fits]) > 0.9
