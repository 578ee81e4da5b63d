"""Global fit of delay traces: truth from the closed form, intervals against lmfit's own, coverage as a statistic."""

from __future__ import annotations

import lmfit
import numpy as np
import pytest
from scipy.stats import chi2

from reduction.traces.kinetics.fit import FitError, Trace, fit_traces
from reduction.traces.kinetics.model import components
from reduction.traces.kinetics.scan_fit import fit_scan
from reduction.traces.kinetics.variable_projection import VariableProjection
from tests.reduction.scans import scenario_model

DELAYS = np.unique(np.concatenate([np.linspace(-300, 600, 31), np.geomspace(700, 130_000, 15)]))
LIFETIMES, FRACTIONS, SIGMA = (120.0, 900.0, np.inf), np.array([0.60, 0.21, 0.19]), 45.0
TRUTH = components(DELAYS, LIFETIMES, SIGMA) @ FRACTIONS


def trace(noise: float, rng: np.random.Generator | None = None, scale: float = 1.0) -> Trace:
    values = scale * TRUTH
    if rng is not None:
        values = values + noise * rng.standard_normal(values.size)
    return Trace(DELAYS, values, np.full(DELAYS.size, noise**2))


def test_noise_free_traces_give_the_truth_back():
    fit = fit_traces([trace(0.01), trace(0.01, scale=-0.2)])
    np.testing.assert_allclose(fit.lifetimes[:2], [120, 900], rtol=1e-4)
    np.testing.assert_allclose(fit.amplitudes, np.outer([1, -0.2], FRACTIONS), atol=1e-5)
    np.testing.assert_allclose(fit.fractions, np.tile(FRACTIONS, (2, 1)), atol=1e-4)
    np.testing.assert_allclose(fit.curve(DELAYS, 1), -0.2 * TRUTH, atol=1e-5)
    assert fit.freedom == 2 * DELAYS.size - 8
    assert not fit.notes


def test_long_component_time_zero_and_response_are_found():
    shifted = components(DELAYS - 30, (120, 900, 155_000.0), 60.0) @ FRACTIONS
    fit = fit_traces([Trace(DELAYS, shifted, np.full(DELAYS.size, 1e-6))], tail="long", free=("time_zero", "sigma"))
    np.testing.assert_allclose(fit.lifetimes, [120, 900, 155_000], rtol=1e-3)
    assert fit.sigma == pytest.approx(60, abs=0.05)
    assert fit.time_zero == pytest.approx(30, abs=0.05)
    assert 0 < fit.sigma_stddev < 1 and 0 < fit.time_zero_stddev < 1


def test_errors_are_those_of_a_linear_expansion_by_lmfit():
    """The same model written with all parameters nonlinear, through lmfit's own covariance."""
    data = trace(0.01, np.random.default_rng(5))
    fit = fit_traces([data])
    parameters = lmfit.Parameters()
    for name, value in (("t1", 110.0), ("t2", 800.0), ("a1", 0.5), ("a2", 0.3), ("a3", 0.2)):
        parameters.add(name, value=value)

    def residual(p: lmfit.Parameters) -> np.ndarray:
        columns = components(DELAYS, (p["t1"].value, p["t2"].value, np.inf), SIGMA)
        return (data.value - columns @ [p[a].value for a in ("a1", "a2", "a3")]) / 0.01

    twin = lmfit.minimize(residual, parameters, scale_covar=False)
    lifetimes = [twin.params[name] for name in ("t1", "t2")]
    np.testing.assert_allclose(fit.lifetimes[:2], [tau.value for tau in lifetimes], rtol=1e-3)
    np.testing.assert_allclose(fit.lifetimes_stddev[:2], [tau.stderr for tau in lifetimes], rtol=0.02)
    np.testing.assert_allclose(fit.amplitudes[0], [twin.params[a].value for a in ("a1", "a2", "a3")], rtol=5e-3)
    errors = np.sqrt(np.diagonal(fit.amplitudes_covariance))
    np.testing.assert_allclose(errors, [twin.params[a].stderr for a in ("a1", "a2", "a3")], rtol=0.02)
    linear = [twin.var_names.index(a) for a in ("a1", "a2", "a3")]
    sizes = np.array([twin.params[a].value for a in ("a1", "a2", "a3")])
    drawn = np.random.default_rng(1).multivariate_normal(sizes, twin.covar[np.ix_(linear, linear)], 20_000)
    scatter = (drawn / drawn.sum(axis=1, keepdims=True)).std(axis=0)
    np.testing.assert_allclose(fit.fractions_stddev[0], scatter, rtol=0.05)
    assert fit.chi_square == pytest.approx(twin.chisqr, rel=1e-5)
    interval = lmfit.conf_interval(
        lmfit.Minimizer(residual, twin.params), twin, p_names=["t1", "t2"], sigmas=[0.683, 0.954],
        prob_func=lambda best, other: chi2.cdf(other.chisqr - best.chisqr, 1),
    )  # fmt: skip
    for i, name in enumerate(("t1", "t2")):
        low2, low1, _, high1, high2 = [value for _, value in interval[name]]
        np.testing.assert_allclose(fit.intervals[:, i], [[low1, high1], [low2, high2]], rtol=5e-3)


def test_covariance_between_traces_is_used():
    """A common disturbance of all points of both traces, in their covariance: it must not reach the lifetimes."""
    rng = np.random.default_rng(2)
    common, noise = 0.3, 0.002
    size = 2 * DELAYS.size
    covariance = np.diag(np.full(size, noise**2)) + common**2
    shift = common * rng.standard_normal()
    traces = [Trace(d.delay, d.value + shift, d.covariance) for d in (trace(noise, rng), trace(noise, rng, 0.5))]
    fit = fit_traces(traces, covariance=covariance)
    assert abs(fit.lifetimes[0] - 120) < 5 * fit.lifetimes_stddev[0] < 15
    assert fit.chi_square < size + 5 * np.sqrt(2 * size)
    blind = fit_traces(traces)
    assert blind.chi_square > 100 * size and blind.notes


def test_published_counting_gives_the_published_errors():
    """36 s a point, half of them with the laser on, 0.3 photons a pulse: +-20 ps and +-300 ps."""
    model = scenario_model(sample={"mu_white_line": 0.3}, jet={"thickness_rms": 0.0, "pass_to_pass_rms": 0.0})
    energy = model.white_line_keV(13.472)
    off, on = (model.mu(energy, 100.0, 8.8, laser) for laser in (False, True))
    of_slot = model.slot_of_phase == 0
    shots = 18.0 * model.bunch_rate_hz / model.divider
    variance = sum(np.expm1(mu[of_slot]).mean() / shots for mu in (off, on))  # binomial, of -ln(1 - k/n)
    at_100_ps = float((components([100.0], LIFETIMES, SIGMA) @ FRACTIONS)[0])
    noise = at_100_ps * np.sqrt(variance) / abs((on - off)[of_slot].mean())  # where all amplitudes add up to 1
    error = fit_traces([Trace(DELAYS, TRUTH, np.full(DELAYS.size, noise**2))]).lifetimes_stddev
    assert 15 < error[0] < 30
    assert 200 < error[1] < 450


def covered(repeats: int, noise: float) -> np.ndarray:
    """Share of repeats whose intervals hold the truth, shape (levels, lifetimes)."""
    hits = np.zeros((2, 2))
    for seed in range(repeats):
        fit = fit_traces([trace(noise, np.random.default_rng([seed, 3]))])
        low, high = np.moveaxis(fit.intervals[:, :2], -1, 0)
        hits += (np.nan_to_num(low, nan=-np.inf) <= [120, 900]) & (np.nan_to_num(high, nan=np.inf) >= [120, 900])
    return hits / repeats


def test_profile_intervals_cover_the_truth_shortened():
    share = covered(60, 0.01)
    for level, found in zip((0.683, 0.954), share, strict=True):
        assert (abs(found - level) < 4.5 * np.sqrt(level * (1 - level) / 60)).all(), share


@pytest.mark.long
@pytest.mark.parametrize("noise", [0.005, 0.015])
def test_profile_intervals_cover_the_truth(noise):
    share = covered(2000, noise)
    assert (abs(share[0] - 0.68) <= 0.03).all(), share
    assert (abs(share[1] - 0.95) <= 0.02).all(), share


def test_open_intervals_are_nan_and_unknown_lifetimes_are_noted():
    fit = fit_traces([trace(0.2, np.random.default_rng(4))])
    assert np.isnan(fit.intervals[1, :2]).any()
    assert fit.notes


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.5])
def test_poor_traces_give_an_answer_with_a_warning_and_never_fail(noise):
    """Few points, much noise, at the start of a scan: what is not known is NaN or noted."""
    few = np.array([-300.0, -200, 0, 50, 100, 200, 400, 800, 1600, 5000, 20_000])
    truth = components(few, LIFETIMES, SIGMA) @ FRACTIONS
    for seed in range(12):
        values = truth + noise * np.random.default_rng([seed, 8]).standard_normal(few.size)
        fit = fit_traces([Trace(few, values, np.full(few.size, noise**2))])
        inside = (fit.intervals[..., 0] <= fit.lifetimes) | np.isnan(fit.intervals[..., 0])
        assert inside.all() and np.isfinite(fit.lifetimes[:2]).all()
        assert fit.notes or (fit.lifetimes_stddev[:2] < fit.lifetimes[:2]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_lifetimes": 4}, "num_lifetimes"),
        ({"tail": "flat"}, "tail"),
        ({"free": ("t0",)}, "free may name"),
        ({"sigma": 0.0}, "sigma"),
        ({"covariance": np.eye(3)}, "shape"),
        ({"covariance": np.zeros((DELAYS.size,) * 2)}, "cannot be inverted"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(FitError, match=message):
        fit_traces([trace(0.01)], **change)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Trace(DELAYS[:6] + 1000, TRUTH[:6], np.ones(4)), "6 points has a covariance"),
        (Trace(DELAYS[-4:], TRUTH[-4:], np.ones(4)), "4 points are fewer than the 5 parameters"),
        (Trace(DELAYS, np.where(DELAYS > 0, np.nan, TRUTH), np.ones(DELAYS.size)), "not finite"),
        (Trace(DELAYS, TRUTH, np.zeros(DELAYS.size)), "error of a trace"),
        (Trace(-np.abs(DELAYS), TRUTH, np.ones(DELAYS.size)), "after time zero"),
        (Trace(DELAYS, TRUTH[:-1], np.ones(DELAYS.size)), "values for"),
    ],
)
def test_bad_traces_are_refused(bad, message):
    with pytest.raises(FitError, match=message):
        fit_traces([bad])


def drifted(off: float, noise: float, seed: int) -> Trace:
    """The default scenario's trace with time zero elsewhere."""
    values = components(DELAYS - off, LIFETIMES, SIGMA) @ FRACTIONS
    values += noise * np.random.default_rng(seed).standard_normal(values.size)
    return Trace(DELAYS, values, np.full(DELAYS.size, noise**2))


def test_a_scan_whose_time_zero_has_drifted_is_fitted_all_the_same():
    """A drift of 10 ps/h over an hour and a half, at a hundred sigma a point: taken as beginning at 0 it fits badly."""
    data = drifted(15.0, 0.01, 3)
    fixed, fit = fit_traces([data]), fit_scan(data)
    assert fixed.chi_square > 3 * fixed.freedom
    assert fit.chi_square < chi2.isf(1e-5, fit.freedom)
    assert abs(fit.time_zero - 15.0) < 4.5 * fit.time_zero_stddev < 10.0
    for lifetime, error, true in zip(fit.lifetimes[:2], fit.lifetimes_stddev[:2], (120, 900), strict=True):
        assert abs(lifetime - true) < 4.5 * error
    assert abs(fixed.lifetimes[0] - 120) > 4.5 * fixed.lifetimes_stddev[0]


@pytest.mark.parametrize("tail", [155_000.0, np.inf])
def test_the_tail_of_a_scan_decays_where_the_trace_determines_it(tail: float):
    """Mean pulls of both lifetimes; a tail of 155 ns taken as flat moves them by many of their errors."""
    truth = components(DELAYS, (120.0, 900.0, tail), SIGMA) @ FRACTIONS
    seeds = range(10)
    noisy = [truth + 0.01 * np.random.default_rng(seed).standard_normal(truth.size) for seed in seeds]
    data = [Trace(DELAYS, values, np.full(DELAYS.size, 1e-4)) for values in noisy]
    fits = [fit_scan(each, levels=()) for each in data]
    for index, true in enumerate((120.0, 900.0)):
        pulls = np.array([(fit.lifetimes[index] - true) / fit.lifetimes_stddev[index] for fit in fits])
        assert abs(pulls.mean()) < 4.5 / np.sqrt(len(seeds))
    flat = np.array([np.isinf(fit.lifetimes[-1]) for fit in fits])
    assert flat.mean() > 0.5 if np.isinf(tail) else not flat.any()
    taken_as_flat = fit_traces([data[0]], levels=(), free=("time_zero",))
    assert np.isinf(tail) or taken_as_flat.lifetimes[0] - 120.0 > 5 * taken_as_flat.lifetimes_stddev[0]


@pytest.mark.parametrize(
    ("lifetimes", "fractions", "noise", "flat"),
    [
        ((120.0,), (0.0,), 0.01, True),
        ((120.0, 900.0), (0.6, 0.4), 0.01, True),
        (LIFETIMES, FRACTIONS, 0.001, True),
        ((120.0, 900.0, 30_000.0), FRACTIONS, 0.01, False),
    ],
    ids=["pure noise", "no tail", "offset", "decaying tail"],
)
def test_a_tail_decays_only_where_that_fits_better(lifetimes, fractions, noise, flat):
    """A scan to 30 ns; a tail that is not constrained takes amplitudes of a hundred thousand and errors of a few ps."""
    delay = np.unique(np.concatenate([np.linspace(-200, 300, 11), np.geomspace(450, 30_000, 12)]))
    truth = components(delay, lifetimes, SIGMA) @ np.asarray(fractions)
    noisy = [truth + noise * np.random.default_rng([seed, 3]).standard_normal(delay.size) for seed in range(5)]
    fits = [fit_scan(Trace(delay, values, np.full(delay.size, noise**2)), levels=()) for values in noisy]
    assert [np.isinf(fit.lifetimes[-1]) for fit in fits] == [flat] * len(fits)


def test_what_the_traces_do_not_determine_has_no_small_error():
    """Two lifetimes that are the same: amplitude may be exchanged between them at will."""
    model = VariableProjection([trace(0.01)], 2, True, SIGMA, (), None)
    same = np.log([300.0, 300.0])
    error = np.sqrt(np.diagonal(model.covariance_of_all(same, model.amplitudes(same))))
    assert (error[:2] > 1e3).all()
    assert error[2] < 0.1


@pytest.mark.long
def test_time_zero_has_pulls_of_one():
    """Of fits without the note that one lifetime is fitted where the truth has two."""
    fits = [fit_scan(drifted(8.0, 0.03, seed), levels=()) for seed in range(60)]
    pulls = np.array([(fit.time_zero - 8.0) / fit.time_zero_stddev for fit in fits if not fit.notes])
    assert pulls.size > 30
    assert abs(pulls.mean()) < 4.5 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 4.5 / np.sqrt(2 * pulls.size)


def test_time_zero_stays_where_the_trace_does_not_determine_it():
    sparse = np.abs(DELAYS) > 60
    data = trace(0.01)
    few = Trace(DELAYS[sparse], data.value[sparse], data.covariance[sparse])
    assert (fit_scan(few).time_zero, fit_scan(few).time_zero_stddev) == (0.0, 0.0)
    weak = fit_scan(trace(3.0, np.random.default_rng(1)))
    assert (weak.time_zero, weak.time_zero_stddev) == (0.0, 0.0)
