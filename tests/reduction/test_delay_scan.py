"""Delay scans: truth from the forward model, errors as statistics, the paper's procedure step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.errors import ReductionError
from reduction.traces.delay import reduce_delay_scan
from reduction.traces.kinetics.fit import fit_traces
from tests.reduction.axis_scans import DELAYS, PATTERN, SETTINGS, measured, photons
from tests.reduction.scans import scenario_model

PAPER = replace(SETTINGS, procedure="paper")
QUIET = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}}


@pytest.fixture(scope="module")
def model():
    return scenario_model(sample={"mu_white_line": 0.3}, **QUIET)


@pytest.fixture(scope="module")
def light(model):
    return photons(model, DELAYS, 8.8)


def truth(model, light):
    """on / off - 1 of slot 0, bunch by bunch mean, minus its mean before time zero."""
    of_slot = model.slot_of_phase == 0
    off, on = light[:, 0][:, of_slot].mean(axis=1), light[:, 1][:, of_slot].mean(axis=1)
    return on / off - 1 - (on / off - 1)[DELAYS <= -150].mean()


@pytest.mark.parametrize("reference", ["paper", "shutter"])
def test_without_noise_it_is_the_truth(model, light, reference):
    found = reduce_delay_scan(DELAYS, measured(model, light, 2, 1.5), replace(SETTINGS, reference=reference))
    np.testing.assert_allclose(found.transient[0], truth(model, light), atol=1e-7)
    assert found.before_zero.tolist() == (DELAYS <= -150).astype(int).tolist()


def test_the_last_slot_as_reference_leaves_less_than_it_holds(model, light):
    found = reduce_delay_scan(DELAYS, measured(model, light, 2, 1.5), replace(SETTINGS, reference="slots"))
    expected = truth(model, light)
    held = np.exp(-614e3 / 155e3) * abs(expected[-1])  # the long component, four bunches later
    assert 0 < np.abs(found.transient[0] - expected).max() < 1.5 * held


def test_scale_of_the_jet_and_of_slots_drops_out(model, light):
    rng = np.random.default_rng(3)
    thickness = np.repeat(1 + 0.1 * rng.standard_normal((DELAYS.size, 2)), len(PATTERN), axis=1)
    efficiency = np.array([1.004, 0.997, 1.0, 0.995, 1.004])
    rates = measured(model, light, 2, 1.5, thickness=thickness, efficiency=efficiency)
    found = reduce_delay_scan(DELAYS, rates, SETTINGS)
    np.testing.assert_allclose(found.transient[0], truth(model, light), atol=1e-6)
    paper = reduce_delay_scan(DELAYS, rates, PAPER)
    off = paper.off[0].mean()
    assert np.abs(paper.transient[0] / off - truth(model, light)).max() > 0.03 * np.abs(truth(model, light)).max()


@pytest.mark.parametrize("drift", [0.2, -0.2])
def test_light_of_the_laser_on_a_drifting_sample_is_in_the_errors(model, light, drift):
    """0.004 photons of the laser alone count more where the sample became thinner; before, 0.3 % were forgotten."""
    thickness = 1 + drift * np.linspace(0, 1, DELAYS.size)[:, None, None]
    photons_seen = light * thickness
    photons_seen[:, 1] += 0.004 * (np.arange(light.shape[2]) % 5 == 0)
    rates = measured(model, photons_seen, 2, 1.5)
    found = reduce_delay_scan(DELAYS, rates, SETTINGS)
    away = found.transient[0] - truth(model, light)
    assert np.abs(away[-1]) > 1e-3
    np.testing.assert_allclose(found.transient_stddev[0], np.abs(away), rtol=0.05, atol=1e-4)
    assert f"that is up to {np.abs(away).max():.1g}, which is in the errors" in str(found.notes)
    known = replace(rates, background=np.full((2, 5), 1e-9))  # with a background run the rest is a part of the signal
    assert reduce_delay_scan(DELAYS, known, SETTINGS).transient_stddev[0].max() < 1e-4


def test_paper_is_the_si_step_by_step(model, light):
    rates = measured(model, light, 3, 1.5, np.random.default_rng(2))
    found = reduce_delay_scan(DELAYS, rates, PAPER)
    rows, laser = rates.rows, np.tile(PATTERN, 3)
    sums, errors = {}, {}
    for state in (0, 1):
        mine = laser == state
        counts = (-np.expm1(-rows.slot_mu[:, mine, 0]) * rows.weight[:, mine] * 24).sum(axis=1)
        flux = (rows.weight * rows.flux)[:, mine].sum(axis=1)
        sums[state] = (rows.slot_mu[:, mine, 0] * rows.weight[:, mine]).sum(axis=1) / flux
        errors[state] = sums[state] / np.sqrt(counts)
    before = DELAYS <= -150
    expected = (sums[1] - sums[1][before].mean()) - (sums[0] - sums[0][before].mean())
    np.testing.assert_allclose(found.transient[0], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.transient_stddev[0], np.hypot(errors[0], errors[1]), rtol=5e-3)
    assert found.transient[0][before].mean() == pytest.approx(0, abs=1e-15)
    assert np.isnan(found.transient[1:]).all()
    assert found.offset.shape == found.offset_stddev.shape == found.transient.shape[:1]
    assert found.offset[0] == pytest.approx(sums[1][before].mean() - sums[0][before].mean(), rel=1e-10)


@pytest.mark.parametrize("reference", ["shutter", "combined"])
def test_errors_are_right_jet_noise_included(model, light, reference):
    """Pulls of three points of 300 scans and chi-square of all; 1.5 % of jet noise in each dwell."""
    expected = truth(model, light)
    settings = replace(SETTINGS, reference=reference)
    pulls = []
    for seed in range(300):
        rng = np.random.default_rng([seed, 5])
        rates = measured(model, light, 2, 1.5, rng, 1 + 0.015 * rng.standard_normal((DELAYS.size, 8)))
        found = reduce_delay_scan(DELAYS, rates, settings)
        pulls.append(((found.transient - expected) / found.transient_stddev)[0, [1, 7, 12]])
    pulls = np.array(pulls)
    # the error of each scan comes from about 30 degrees of freedom, so pulls are a little wider than normal
    assert (abs(pulls.mean(axis=0)) < 4.5 / np.sqrt(300)).all()
    assert (abs(pulls.std(axis=0) - 1) < 4.5 / np.sqrt(600)).all(), pulls.std(axis=0)


def test_the_last_slot_takes_jet_noise_out(model, light):
    rng = np.random.default_rng(8)
    rates = measured(model, light, 2, 1.5, rng, 1 + 0.015 * rng.standard_normal((DELAYS.size, 8)))
    errors = {
        name: reduce_delay_scan(DELAYS, rates, replace(SETTINGS, reference=name)).transient_stddev[0, 8]
        for name in ("shutter", "combined", "slots")
    }
    assert errors["combined"] < 0.5 * errors["shutter"]
    assert errors["combined"] <= 1.001 * errors["slots"]


def test_a_trace_can_be_fitted_with_its_covariance(model, light):
    rates = measured(model, light, 4, 9.0, np.random.default_rng(1))
    found = reduce_delay_scan(DELAYS, rates, SETTINGS)
    trace = found.trace()
    assert trace.delay.size == DELAYS.size - 1
    fit = fit_traces([trace])
    assert abs(fit.lifetimes[0] - 120) < 4.5 * fit.lifetimes_stddev[0]
    assert fit.chi_square < fit.freedom + 5 * np.sqrt(2 * fit.freedom)


def test_points_without_both_states_are_left_out(model, light):
    rates = measured(model, light, 1, 1.5)
    rates.rows.state[3] = -1
    rates.dwells[:, 3] = 0
    found = reduce_delay_scan(DELAYS, rates, SETTINGS)
    assert found.used.tolist() == [0 if i == 3 else 1 for i in range(DELAYS.size)]
    assert np.isnan(found.transient[:, 3]).all()
    assert found.trace().delay.size == DELAYS.size - 2


@pytest.mark.parametrize("settings", [SETTINGS, PAPER])
def test_no_point_before_time_zero_is_an_error(model, light, settings):
    rates = measured(model, light, 1, 1.5)
    with pytest.raises(ReductionError, match=r"no point before time zero .* is good"):
        reduce_delay_scan(DELAYS + 1000, rates, settings)
    with pytest.raises(ReductionError, match="all points lie before"):
        reduce_delay_scan(DELAYS - 200_000, rates, settings)
    with pytest.raises(ReductionError, match="single dwells"):
        reduce_delay_scan(DELAYS, replace(rates, rows=None), settings)
    late = ~(settings.before_zero >= DELAYS)
    rates.rows.state[late], rates.dwells[:, late] = -1, 0
    slipped = replace(rates, faults={int(point): ("laser slipped",) for point in np.flatnonzero(late)})
    with pytest.raises(ReductionError, match=rf"all good points lie before .* laser slipped \({late.sum()} points\)"):
        reduce_delay_scan(DELAYS, slipped, settings)
