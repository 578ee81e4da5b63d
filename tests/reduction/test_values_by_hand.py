"""Values that one formula or a few numbers give by hand, module by module."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from reduction.boxcar.agreement import _static
from reduction.boxcar.compare_chains import error_ratio
from reduction.counting.current_model import LEAST_READINGS, _noise, fit_currents
from reduction.counting.currents import CurrentReading, CurrentStore
from reduction.counting.rows import DwellRows
from reduction.diagnostics.diagnostics import _halves
from reduction.diagnostics.trends import trend_of_transient
from reduction.documents.analogue import _error_ratio
from reduction.documents.results import fit_data
from reduction.drift.correct import _root, _visits_of_monitors, correct_drift
from reduction.drift.fit import _posterior
from reduction.maps.transient_map import TransientMap
from reduction.spectra.amplitudes import relative_amplitude
from reduction.spectra.calibrate import _Foil, _Process, _steps
from reduction.spectra.drift_notes import _effect
from reduction.spectra.ratios import fieller
from reduction.thermal.series import constant_ratio
from reduction.traces.kinetics.fit import fit_traces
from reduction.traces.kinetics.model import decay
from reduction.traces.kinetics.scan_fit import RISE, _constrains
from reduction.traces.kinetics.variable_projection import Trace
from reduction.traces.linear_range import _profile, straight_line
from tests.reduction.drifting_scans import ENERGY, SETTINGS, Case, measured
from tests.reduction.test_by_formula import passes_of


def named(**values: Any) -> Any:
    return SimpleNamespace(**values)


def test_a_denominator_of_exactly_one_has_an_interval() -> None:
    found = fieller(2.0, 1.0, np.diag([0.04, 0.0]))
    one = norm.ppf(0.5 + 0.683 / 2)
    assert (found.low, found.high) == pytest.approx((2 - 0.2 * one, 2 + 0.2 * one)) and found.bounded


def test_the_noise_of_readings_is_their_scatter_about_a_line_through_their_neighbours() -> None:
    rng = np.random.default_rng(1)
    time, trend = np.cumsum(rng.uniform(0.5, 2.0, 4000)), np.array([1e-3, -2e-3])
    readings = named(time=time, log=trend * time[:, None] + 0.01 * rng.standard_normal((4000, 2)))
    assert np.sqrt(_noise([readings], 2)) == pytest.approx(0.01, rel=0.08)


@pytest.mark.parametrize(("number", "noise"), [(LEAST_READINGS, 0.0), (LEAST_READINGS - 1, 5e-3)])
def test_six_readings_show_their_noise_and_five_do_not(number: int, noise: float) -> None:
    readings = named(time=np.arange(float(number)), log=np.zeros((number, 3)))
    assert LEAST_READINGS == 6 and np.sqrt(_noise([readings], 3)) == pytest.approx(noise)


def test_currents_that_came_with_errors_have_the_mean_of_their_variances() -> None:
    store = CurrentStore(4, 2)
    for point, error in enumerate((0.01, 0.03)):
        store.put(0, point, CurrentReading(np.ones(2), float(point), np.full(2, error)))
    middle = np.arange(4.0)[:, None]
    model = fit_currents(store, np.zeros(1, np.int64), middle, np.ones((4, 1)), np.ones((4, 1), bool), None)
    assert model is not None and model.noise == pytest.approx((0.01**2 + 0.03**2) / 2)


@pytest.mark.parametrize(("number", "constrains"), [(RISE, True), (RISE - 1, False)])
def test_three_points_on_the_rise_constrain_it(number: int, constrains: bool) -> None:
    fit = named(time_zero=0.0, sigma=40.0, time_zero_stddev=5.0, sigma_stddev=5.0, notes=())
    delay = np.append(np.linspace(-80.0, 80.0, number), [500.0, 1000.0])
    assert _constrains(named(delay=delay), fit) == constrains


def test_a_lifetime_shorter_than_the_first_delay_is_found() -> None:
    """20 ps, from points at 50 ps and more and on the rise of 40 ps."""
    delay = np.array([-200.0, -150, -100, -60, -30, 0, 50, 100, 150, 200, 400])
    value = 0.5 * decay(delay, 20.0, 40.0)
    fit = fit_traces([Trace(delay, value, np.full(delay.size, 1e-8))], 1, tail="none", sigma=40.0)
    assert fit.lifetimes[0] == pytest.approx(20.0, rel=1e-3)
    assert fit.curve(delay) == pytest.approx(value, abs=1e-5)
    assert fit_data(fit, "")["fitted"] == 1 and fit_data(None, "why")["fitted"] == 0


def test_a_fitted_curve_begins_at_the_time_zero_of_the_fit() -> None:
    delay = np.concatenate([np.linspace(-300.0, 300.0, 31), np.geomspace(400, 3000, 10)])
    value = 0.5 * decay(delay - 60.0, 700.0, 40.0)
    trace = Trace(delay, value, np.full(delay.size, 1e-8))
    fit = fit_traces([trace], 1, tail="none", sigma=40.0, free=("time_zero",))
    assert fit.curve(delay) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(("energies", "scale"), [(1e-2, 1.0), (1.0, 1e-7)])
def test_a_map_of_unlike_errors_can_be_inverted(energies: float, scale: float) -> None:
    """Free combinations have variances of one; those of delays differ by many orders of magnitude."""
    covariance = np.zeros((2, 3, 2, 3))
    for delay, size in enumerate((1.0, scale)):
        covariance[delay, :, delay] = size**2 * energies * np.eye(3)
    found = TransientMap(np.arange(2.0), np.arange(3.0), np.ones((2, 3)), covariance).free()
    variances = np.einsum("dede->de", np.linalg.inv(found.precision.reshape(6, 6)).reshape(2, 3, 2, 3))
    assert variances == pytest.approx(energies * np.array([[1.0], [scale**2]]) * np.ones((2, 3)))


def test_edges_of_a_foil_rise_by_their_height() -> None:
    ends = _steps(np.array([-1e9, 0.0, 1e9]), np.zeros((1, 1)), np.ones((1, 1)))
    assert ends == pytest.approx(np.array([[-0.5, 0.0, 0.5]] * 2), abs=1e-8)


def test_the_steepest_place_between_those_that_are_drawn_is_that_of_a_parabola() -> None:
    foil: Any = object.__new__(_Foil)
    foil._origin, foil._step = 0.0, 1.0
    foil._derivatives = lambda t: -((t - np.array([[0.3], [-0.712]])) ** 2)
    assert foil.steepest(-1.0, 1.0) == pytest.approx([0.3, -0.712], abs=1e-12)


def test_derivatives_of_a_process_that_saw_nothing_have_the_covariance_of_its_kernel() -> None:
    """The second derivative of a^2 / (1 + d^2 / 2 l^2), by differences."""
    x = np.linspace(-50.0, 50.0, 5)
    process = _Process(x, np.zeros(5), 1e12 * np.eye(5), 0.5, 2.0)
    process._of_line[:] = 0.0
    t, step = np.array([0.0, 0.5, 1.5, 3.0]), 1e-3
    drawn = process.derivatives(
        t, np.zeros((40_000, 5)), np.zeros((40_000, 4)), np.zeros(40_000), np.random.default_rng(1)
    )

    def kernel(d: Any) -> Any:
        return 0.25 / (1 + 0.5 * (d / 2.0) ** 2)

    d = t[:, None] - t
    expected = -(kernel(d + step) - 2 * kernel(d) + kernel(d - step)) / step**2
    assert np.cov(drawn.T) == pytest.approx(expected, abs=5 * 0.0625 / 200)


def test_the_error_of_an_amplitude_contains_the_noise_of_the_shape_times_its_square() -> None:
    """Forty points with a variance of 0.01, twice a shape of +-1 with a variance of 0.04."""
    shape = (-1.0) ** np.arange(40)
    unit = np.eye(40)
    value = 2 * shape
    value[3] = np.nan  # stays out, and so does a point without a shape
    shape[5] = np.nan
    amplitude, stddev = relative_amplitude(value, 0.01 * unit, shape, 0.04 * unit)
    information = 38 * (1 - 0.04) / 0.01
    expected = 38 * 2 / 0.01 / information
    assert amplitude == pytest.approx(expected)
    assert stddev == pytest.approx(np.sqrt(38 * (0.01 + expected**2 * 0.04)) / 0.01 / information)


def test_a_drift_is_taken_out_of_a_scan_without_the_laser() -> None:
    rates = measured(Case("linear", 0.1, passes=3, order="alternating", visits=0), 1)
    assert rates.rows is not None
    state = np.where(rates.rows.state == 1, -1, rates.rows.state).astype(np.int8)
    found = correct_drift(replace(rates.rows, state=state), np.ones(ENERGY.size, bool), None, 1e-3)
    assert found is not None and found.rms[0] == pytest.approx(0.1, rel=0.3)


def dwells(mu: Any, variance: Any, flux: Any, time: Any) -> DwellRows:
    """One laser-off dwell of one slot at each point."""
    mu, variance, flux, time = (np.asarray(each, dtype=np.float64) for each in (mu, variance, flux, time))
    return DwellRows(
        pass_index=np.zeros(1, np.int64), state=np.zeros((mu.size, 1), np.int8), weight=np.ones((mu.size, 1)),
        flux=flux[:, None], slot_mu=mu[:, None, None], slot_var=variance[:, None, None],
        slot_shift=np.zeros((mu.size, 1, 1, 0)), time=time[:, None],
    )  # fmt: skip


def test_visits_of_monitors_by_hand() -> None:
    found = _visits_of_monitors(dwells([0.2, 0.5], [4e-6, 9e-6], [2.0, 4.0], [10.0, 20.0]), 7, 0.03)
    assert found.effect.tolist() == [7, 8] and found.time.tolist() == [10.0, 20.0]
    assert found.level == pytest.approx(np.log([0.1, 0.125]))
    assert found.variance == pytest.approx([4e-6 / 0.04 + 9e-4, 9e-6 / 0.25 + 9e-4])


def test_what_the_drift_leaves_open_is_its_covariance_without_counting_and_without_the_mean() -> None:
    rng = np.random.default_rng(2)
    draw = rng.standard_normal((3, 5))
    visits = named(effect=np.array([0, 1, 2, 0]), variance=np.array([0.02, 0.01, 0.04, 0.02]))
    known = draw @ draw.T + np.diag([0.01, 0.01, 0.04])
    root = _root(named(covariance=known), visits, np.arange(3), 3)
    centre = np.eye(3) - 1 / 3
    assert root @ root.T == pytest.approx(centre @ draw @ draw.T @ centre, abs=1e-10)


def test_parameters_of_a_drift_have_half_cauchy_priors_and_a_normal_one() -> None:
    model: Any = named(solve=lambda parameters: named(likelihood=0.0))
    none = np.zeros(5)
    of_walk, of_other = none.copy(), none.copy()
    of_walk[3], of_other[1] = 0.7, np.log(3.0)
    before = _posterior(model, np.ones(5), none)
    assert _posterior(model, np.ones(5), of_walk) - before == pytest.approx(-0.5)
    assert _posterior(model, np.ones(5), of_other) - before == pytest.approx(np.log(2 / 10))


def test_a_drift_of_nothing_changes_no_scale() -> None:
    rate = np.tile(np.linspace(1.0, 2.0, ENERGY.size), (2, 1, 1))
    compared: Any = named(
        rate=rate, local=1e-6 * np.ones((2, 1, 2, 1, ENERGY.size)), shared=np.zeros((2, 1, ENERGY.size, 0))
    )
    static, scale, _ = _effect(ENERGY, compared, 1e-9, SETTINGS)
    assert static < 1e-8 and scale < 1e-8


def test_halves_that_differ_by_their_error_have_a_ratio_of_one() -> None:
    """Six passes with an error of 0.3; means of three have an error of 0.3 / sqrt(3)."""
    values = np.tile([[0.0], [0.3 * np.sqrt(2 / 3)]], (3, 10))
    assert _halves(values, np.full((6, 10), 0.09), 10.0).ratio == pytest.approx(1.0)


def test_the_size_of_a_noisy_transient_is_projected_on_what_is_not_noise() -> None:
    """Three passes with errors of 0.2: the mean of two has half of a pass's variance at each of 40 energies."""
    passes = passes_of(0.0, 0.0, 3)
    passes.transient_variance = np.full((3, 1, 40), 0.04)
    power = (np.sin(np.arange(40.0)) ** 2).sum() / 0.04
    assert trend_of_transient(passes).stddev == pytest.approx(np.sqrt(2 * power) / (power - 20) * 2 / 3, rel=1e-6)


def test_laser_off_means_against_their_line_by_hand() -> None:
    """Three points with two laser-off dwells each; a variance of 0.02 a dwell, and 5 % of an offset of 2 at a level."""
    residual = np.array([[0.1, 0.3, 9.0], [0.0, -0.2, 9.0], [0.4, 0.0, 9.0]])
    state = np.tile(np.array([0, 0, 1], np.int8), (3, 1))
    level = np.array([1.0, 2.0, 4.0])
    expected = sum(each**2 / (0.01 + 0.01 / at) for each, at in zip((0.2, -0.1, 0.2), level, strict=True))
    assert _static(residual, state, 0.02, level, 2.0) == (pytest.approx(expected), 1)


def test_errors_of_two_chains_are_compared_where_both_have_one_each_to_its_own_spectrum() -> None:
    found = error_ratio(np.array([0.0, 0.1, 0.1]), np.array([9.0, 0.2, 0.2]), 100)
    assert found.ratio == pytest.approx(2.0)
    scan: Any = named(transient_stddev=np.full(4, 0.03), static=np.full(4, 5.0), freedom=50)
    values, _ = _error_ratio(None, None, (np.full(4, 2.0), np.full(4, 0.004)), scan)  # type: ignore[arg-type]
    assert values["error_ratio"] == pytest.approx((0.03 / 5) / (0.004 / 2))


def test_a_ratio_that_is_the_same_everywhere_has_its_sign() -> None:
    below = np.array([1.0, -2.0, 3.0])
    covariance = np.einsum("ab,ij->aibj", 1e-6 * np.eye(2), np.eye(3))
    found = constant_ratio(-2.5 * below, below, covariance)
    assert found.value == pytest.approx(-2.5, abs=1e-3) and found.chi_square < 1e-3


def test_a_bend_far_beyond_all_points_leaves_a_line_with_its_covariance() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 7.0]), np.array([1.1, 1.9, 4.2, 6.8])
    variance = np.diag([0.01, 0.02, 0.01, 0.03])
    line, bent = straight_line(x, y, variance), _profile(x, y, variance, np.array([1e9]))
    assert bent.covariance[-1, 0] == pytest.approx(line.covariance, rel=1e-6)
    assert (bent.intercept[-1, 0], bent.slope[-1, 0]) == pytest.approx((line.intercept, line.slope), rel=1e-6)
