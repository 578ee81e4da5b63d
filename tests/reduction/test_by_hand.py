"""Numbers that one wrong operator in a formula changes and no other test sees: each by hand, numpy or scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from reduction.boxcar.compare_chains import error_ratio
from reduction.counting.after_effects import fit_after_effects
from reduction.counting.rows import DwellRows
from reduction.diagnostics.trends import trend_of_level
from reduction.documents.events import dwell_of
from reduction.documents.patterns import pattern_of
from reduction.documents.raw import raw_run
from reduction.drift.within_points import fast_noise
from reduction.errors import ReductionError
from reduction.references.compared import Compared
from reduction.references.dwell_noise import Excess, noise_between_passes, noise_within_states
from reduction.references.relative import ratio_minus_one, stddev_of
from reduction.spectra.align import find_shift
from reduction.spectra.calibrate import calibrate
from reduction.traces.linear_range import saturation
from tests.reduction.raw_documents import Bench


def test_flux_is_counts_a_second_less_dark_over_gain_and_bunch_rate():
    documents = list(Bench().a_pass("a", lambda data, at: data.update(i0=3e6, i0_time=2.5, i0_dark=1e3, i0_gain=50.0)))
    run, pattern = raw_run(documents[0][1]), pattern_of(documents[1][1])
    dwell = dwell_of(documents[2][1], run, pattern)
    assert dwell.flux == pytest.approx((1.2e6 - 1e3) / 50.0 / 6.5e6, rel=1e-12)
    assert dwell.gain == 50.0 and dwell.off_point == 0.0


def test_a_dwell_has_the_time_of_its_middle():
    """It ended 3 s of the clock after the start, which runs ten times as fast, and took 2.5 s of beam time."""
    documents = list(Bench().a_pass("a", lambda data, at: data.update(i0_time=2.5), time=1000.0, clock_rate=10.0))
    run, pattern = raw_run(documents[0][1]), pattern_of(documents[1][1])
    assert dwell_of({**documents[2][1], "time": 1003.0}, run, pattern).time == pytest.approx(28.75)


def noisy_rows(seed, passes, jet, counting=1e-4, flux_spread=0.3, points=60):
    """Dwells on, off, off, on at many points; the flux changes from dwell to dwell and multiplies the photons."""
    rng = np.random.default_rng(seed)
    laser = np.tile((1, 0, 0, 1), passes)
    shape = (points, laser.size)
    flux = 1 + flux_spread * (rng.random(shape) - 0.5)
    mu = 0.1 * (flux * (1 + jet * rng.standard_normal(shape)))[..., None] * np.ones(5)
    mu = mu * (1 + counting * rng.standard_normal(mu.shape))
    state = np.broadcast_to(laser, shape).astype(np.int8)
    scan = np.repeat(np.arange(passes), 4)
    return DwellRows(scan, state, np.full(shape, 1e4), flux, mu, (counting * mu) ** 2, np.zeros((*mu.shape, 0)))


@pytest.mark.parametrize("jet", [0.003, 0.02])
def test_noise_of_dwells_is_that_of_the_jet_whatever_the_flux_does(jet):
    within = noise_within_states(noisy_rows(1, 1, jet)).noise
    assert within == pytest.approx(jet, rel=4.5 / np.sqrt(2 * 120))
    between = noise_between_passes(noisy_rows(2, 6, jet)).noise
    assert between == pytest.approx(jet, rel=4.5 / np.sqrt(2 * 300))


@pytest.mark.parametrize(("noise_of", "passes", "freedom"), [(noise_within_states, 1, 1), (noise_between_passes, 3, 2)])
def test_counting_is_taken_out_of_the_noise_of_dwells(noise_of, passes, freedom):
    """Counting of 4.5 % a slot, 2 % of the five together, as large as the jet."""
    rows = noisy_rows(3, passes, 0.02, 0.045, points=1500)
    found = noise_of(replace(rows, slot_mu=3 * rows.slot_mu, slot_var=9 * rows.slot_var))
    assert found.variance == pytest.approx(0.02**2, rel=4.5 * 2.01 * np.sqrt(2 / (1500 * freedom)))
    assert found.stddev == pytest.approx((0.02**2 + 0.045**2 / 5) * np.sqrt(2 / (1500 * freedom)), rel=0.1)


def test_counting_of_few_photons_is_relative_to_their_square():
    """0.3 photons a pulse, known to 20 % in each of five slots; the jet is steady."""
    rows = noisy_rows(4, 1, 0.0, 0.2, points=800)
    found = noise_within_states(replace(rows, slot_mu=3 * rows.slot_mu, slot_var=9 * rows.slot_var))
    assert abs(found.variance) < 4.5 * found.stddev
    assert found.stddev == pytest.approx(0.2**2 / 5 * np.sqrt(2 / 800), rel=0.15)


def test_a_setting_of_the_noise_counts_unless_the_data_contradict_it():
    """A noise of 0.1 % with a small error contradicts 0.3 %, and with a large one does not."""
    assert Excess(1e-6, 1e-8).at_least(3e-3) == pytest.approx(1e-3)
    assert Excess(1e-6, 1e-5).at_least(3e-3) == 3e-3
    assert Excess(1e-6, 1e-8).at_least(5e-4) == pytest.approx(1e-3)


def test_two_dwells_determine_a_noise_and_one_does_not():
    rows = noisy_rows(3, 1, 0.02, points=1)
    level = np.log(rows.slot_mu.sum(axis=2) / rows.flux)[0]
    two, one = (replace(rows, state=np.array([state], np.int8)) for state in ([0, 0, -1, -1], [0, 1, -1, -1]))
    assert noise_within_states(two).noise == pytest.approx(abs(level[1] - level[0]) / np.sqrt(2), rel=1e-3)
    assert np.isnan(noise_within_states(one).variance)


def test_noise_that_does_not_grow_with_time_is_told_from_a_walk():
    """Independent noise of 2 %, counting as large, and a walk of 1 % from dwell to dwell."""
    rows = noisy_rows(4, 1, 0.02, 0.045, points=3000)
    walk = np.exp(0.01 * np.cumsum(np.random.default_rng(5).standard_normal(rows.state.shape), axis=1))[..., None]
    time = 1.5 * np.arange(rows.state.size, dtype=float).reshape(rows.state.shape)
    found = fast_noise(replace(rows, slot_mu=rows.slot_mu * walk, slot_var=rows.slot_var * walk**2, time=time))
    assert found == pytest.approx(0.02, rel=0.1)
    assert np.isnan(fast_noise(replace(rows, time=time, state=np.where(np.arange(4) % 2, rows.state, -1))))


def test_errors_of_compared_rates_and_their_ratio_by_a_draw():
    """Two slots, three points; what all points share is drawn once."""
    rng = np.random.default_rng(3)
    rate = 1 + 0.2 * rng.random((2, 2, 3))
    local = np.zeros((2, 2, 2, 2, 3))
    for laser in (0, 1):
        for slot in (0, 1):
            local[laser, slot, laser, slot] = (0.004 * (1 + rng.random(3))) ** 2
    shared = 0.006 * rng.standard_normal((2, 2, 3, 4))
    own = np.stack([[local[laser, slot, laser, slot] for slot in (0, 1)] for laser in (0, 1)])
    number = 40_000
    drawn = rate + np.sqrt(own) * rng.standard_normal((number, 2, 2, 3))
    drawn = drawn + np.einsum("lsem,nm->nlse", shared, rng.standard_normal((number, 4)))
    compared = Compared(rate, local, shared)
    tolerance = 4.5 / np.sqrt(2 * number)
    np.testing.assert_allclose(stddev_of(compared), drawn.std(axis=0), rtol=tolerance)
    _, covariance = ratio_minus_one(compared)
    ratio = drawn[:, 1] / drawn[:, 0] - 1
    for slot in (0, 1):
        found = np.cov(ratio[:, slot].T)
        scale = np.sqrt(np.outer(np.diagonal(found), np.diagonal(found)))
        np.testing.assert_allclose(covariance[slot] / scale, found / scale, atol=0.03)


def test_trend_and_its_error_are_those_of_polyfit():
    level = np.array([2.00, 2.02, 2.03, 2.07, 2.08, 2.12])
    variance = np.full(level.size, 0.05**2)  # more than the scatter about the line
    found = trend_of_level(level, variance)
    place = np.linspace(0, 1, level.size)
    slope, covariance = np.polyfit(place, level / level.mean(), 1, w=np.full(6, level.mean() / 0.05), cov="unscaled")
    assert found.change == pytest.approx(slope[0], rel=1e-9)
    assert found.stddev == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)
    scattered = trend_of_level(level, np.full(level.size, 1e-12))
    _, scaled = np.polyfit(place, level / level.mean(), 1, cov=True)
    assert scattered.stddev == pytest.approx(np.sqrt(scaled[0, 0]), rel=1e-9)


def test_after_effects_of_dwells_that_differ_tenfold_in_length_and_rate():
    """Expectations without noise: each cell has ``C = B (a + beta q)`` exactly, and a and beta come back."""
    rng = np.random.default_rng(4)
    rate = np.linspace(0.05, 0.5, 8)[:, None] * (1 + 0.3 * rng.random(12))
    after_none = 10 ** rng.uniform(5, 6, (8, 1)) * np.ones((8, 12))
    before = 0.3 * after_none
    a, beta = 0.02, 0.7
    both, hits_after_none = before * (a + beta * rate), after_none * rate
    found = fit_after_effects([(after_none + before, hits_after_none + both, before, both)])
    assert found.afterpulse == pytest.approx(a, rel=1e-6) and found.beta == pytest.approx(beta, rel=1e-6)


@pytest.mark.parametrize(("coincidences", "enough"), [(10, True), (9.999, False)])
def test_after_effects_need_ten_coincidences(coincidences, enough):
    q, before, after_none = np.array([[0.1, 0.3, 0.5]]), np.array([[1e3, 1e3, 1e3]]), np.array([[1e4, 1e4, 1e4]])
    both = before * (0.02 + 0.7 * q)
    before, both = before * coincidences / both.sum(), both * coincidences / both.sum()
    cells = after_none + before, after_none * q + both, before, both
    if enough:
        assert fit_after_effects([cells]).beta == pytest.approx(0.7, rel=1e-6)
    else:
        with pytest.raises(ReductionError, match="too few coincidences"):
            fit_after_effects([cells])


@pytest.mark.parametrize(("rates", "hits"), [((0.05, 0.4), 0.25), ((0.3, 0.7), 2.0)])
def test_error_of_after_effects_by_many_draws(rates, hits):
    """Binomial draws of dwells of other lengths and rates: the quoted error of both parameters is their scatter.

    `hits` gates follow a hit for each that does not.
    """
    rng = np.random.default_rng(5)
    rate = np.linspace(*rates, 6)[:, None] * (1 + 0.3 * rng.random(10))
    after_none = np.repeat(np.array([20_000, 60_000, 30_000, 90_000, 40_000, 200_000])[:, None], 10, axis=1)
    before = (after_none * hits).astype(np.int64)
    found = []
    for _ in range(300):
        both, alone = rng.binomial(before, 0.02 + 0.7 * rate), rng.binomial(after_none, rate)
        found.append(fit_after_effects([(after_none + before, alone + both, before, both)]))
    values = np.array([(each.afterpulse, each.beta) for each in found])
    quoted = np.sqrt(np.mean([np.diagonal(each.covariance) for each in found], axis=0))
    np.testing.assert_allclose(values.std(axis=0) / quoted, 1, atol=4.5 / np.sqrt(600))
    assert (np.abs(values.mean(axis=0) - [0.02, 0.7]) < 4.5 * quoted / np.sqrt(300)).all()


def test_ratio_of_two_chains_and_its_interval():
    """Twice the error at 20 points from 8 pairs: chi-square with 7 x 10 degrees of freedom."""
    found = error_ratio(np.full(20, 0.01), np.full(20, 0.02), 7)
    assert found.ratio == pytest.approx(2.0) and found.time == pytest.approx(0.25)
    dof = 7 * 10
    assert found.low == pytest.approx(np.sqrt(4 * dof / chi2.isf(0.023, dof)), rel=1e-9)
    assert found.high == pytest.approx(np.sqrt(4 * dof / chi2.isf(0.977, dof)), rel=1e-9)


def test_errors_name_energies_in_electronvolts():
    flat = np.ones(30)
    energy = 13.45 + 0.0003 * np.arange(30)
    with pytest.raises(ReductionError, match=r"a scan of 8\.7 eV is too short"):
        find_shift(energy, flat, flat, flat, flat)
    long = 13.45 + 0.0005 * np.arange(121)
    edge = [1 / (1 + np.exp(-(long - at) / 0.0012)) for at in (13.470, 13.474)]
    with pytest.raises(ReductionError, match=r"no shift within 2\.0 eV"):
        find_shift(long, edge[1], 1e-4 * np.ones(121), edge[0], 1e-4 * np.ones(121))
    with pytest.raises(ValueError, match=r"0 points within 6 eV of 13\.2 keV"):
        calibrate(energy, flat, flat, 13.2)


def test_intervals_of_saturation_are_quantiles_over_all_sharpnesses():
    """By sums over a fine grid of knees and sharpnesses, each line by least squares."""
    x = np.array([0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14.0])
    y = x / (1 + (x / 9.0) ** 8) ** (1 / 8) + 0.1 * np.random.default_rng(8).standard_normal(x.size)
    found = saturation(x, y, np.full(x.size, 0.01))
    knees = np.geomspace(7.0, 13.0, 120)
    weight = np.zeros(knees.size)
    for sharpness in np.geomspace(0.8, 32.0, 40):
        for index, knee in enumerate(knees):
            shape = x / (1 + (x / knee) ** sharpness) ** (1 / sharpness)
            left = np.linalg.lstsq(np.stack([np.ones_like(x), shape], axis=1), y, rcond=None)[1][0]
            weight[index] += np.exp(-0.5 * (left / 0.01 + np.log(sharpness / 4) ** 2))
    below = np.cumsum(weight) / weight.sum()
    for ends, level in ((found.interval, 0.6827), (found.wide, 0.9545)):
        assert ends == pytest.approx(np.interp([0.5 - level / 2, 0.5 + level / 2], below, knees), rel=0.015)
    assert found.saturates_at == pytest.approx(knees[weight.argmax()], rel=0.015)
