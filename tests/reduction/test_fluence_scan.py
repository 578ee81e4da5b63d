"""Fluence scans: truth from the forward model, the paper's procedure step by step, what it takes out by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.errors import ReductionError
from reduction.traces.fluence import reduce_fluence_scan
from reduction.traces.linear_range import saturation, straight_line
from tests.reduction.axis_scans import FLUENCES, PATTERN, SETTINGS, measured, photons
from tests.reduction.scans import scenario_model

PAPER = replace(SETTINGS, procedure="paper")


@pytest.fixture(scope="module")
def model():
    return scenario_model(sample={"mu_white_line": 0.3}, jet={"thickness_rms": 0.0, "pass_to_pass_rms": 0.0})


@pytest.fixture(scope="module")
def light(model):
    return photons(model, 100.0, FLUENCES)


def contrast(model, light):
    of_slot = model.slot_of_phase == 0
    off, on = light[:, 0][:, of_slot].mean(axis=1), light[:, 1][:, of_slot].mean(axis=1)
    return on / off - 1


def test_without_noise_it_is_the_truth(model, light):
    found = reduce_fluence_scan(FLUENCES, measured(model, light, 2, 1.5), SETTINGS)
    np.testing.assert_allclose(found.transient[0], contrast(model, light), atol=1e-7)
    assert found.scans == 2 and found.reference == "shutter"


def test_paper_subtracts_slope_times_the_mean_of_the_two_lowest(model, light):
    """Why the default does not follow the SI: its offset takes signal along."""
    found = reduce_fluence_scan(FLUENCES, measured(model, light, 3, 1.5), PAPER)
    truth = contrast(model, light)
    np.testing.assert_allclose(found.transient[0], truth - truth[:2].mean(), atol=1e-7)
    assert found.offset[0] == pytest.approx(truth[:2].mean(), rel=1e-5)


def test_paper_is_the_si_step_by_step(model, light):
    rng = np.random.default_rng(4)
    rates = measured(model, light, 5, 1.5, rng, np.repeat(1 + 0.05 * rng.standard_normal((1, 5)), 4, axis=1))
    found = reduce_fluence_scan(FLUENCES, rates, PAPER)
    laser, scans = np.tile(PATTERN, 5), {0: [], 1: []}
    for scan in range(5):
        signal = {}
        for state in (0, 1):
            mine = (laser == state) & (rates.rows.pass_index == scan)
            flux = (rates.rows.weight * rates.rows.flux)[:, mine].sum(axis=1)
            signal[state] = (rates.rows.slot_mu[:, mine, 0] * rates.rows.weight[:, mine]).sum(axis=1) / flux
        signal[1] = signal[1] - (signal[1] - signal[0])[:2].mean()
        for state in (0, 1):
            scans[state].append(signal[state] / signal[0].mean())
    expected = np.mean(scans[1], axis=0) - np.mean(scans[0], axis=0)
    error = np.hypot(*(np.std(scans[s], axis=0, ddof=1) / np.sqrt(5) for s in (0, 1)))
    np.testing.assert_allclose(found.transient[0], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.transient_stddev[0], error, rtol=1e-9)


def test_line_and_saturation_come_out_with_right_errors(model, light):
    truth = contrast(model, light)
    exact = straight_line(FLUENCES[:7], truth[:7], np.full(7, 1e-12)).slope
    pulls, inside = [], 0
    for seed in range(150):
        rates = measured(model, light, 2, 6.0, np.random.default_rng([seed, 6]))
        found = reduce_fluence_scan(FLUENCES, rates, SETTINGS)
        line = straight_line(FLUENCES[:7], found.transient[0, :7], found.transient_covariance[0][:7, :7])
        pulls.append((line.slope - exact) / line.slope_stddev)
        if seed < 40:
            bend = saturation(FLUENCES, found.transient[0], found.transient_covariance[0])
            inside += bend.interval[0] <= model.scenario.fluence.saturation_mJ_cm2 <= bend.interval[1]
    assert abs(np.mean(pulls)) < 4.5 / np.sqrt(150)
    assert abs(np.std(pulls) - 1) < 4.5 / np.sqrt(300)
    assert abs(inside / 40 - 0.683) < 4.5 * np.sqrt(0.683 * 0.317 / 40)


def test_one_scan_where_a_scatter_is_needed_is_an_error(model, light):
    with pytest.raises(ReductionError, match="scatter of at least two"):
        reduce_fluence_scan(FLUENCES, measured(model, light, 1, 1.5), PAPER)


def test_scans_that_lack_a_point_are_excluded_by_paper_with_a_note(model, light):
    rates = measured(model, light, 3, 1.5)
    rates.rows.state[4, :4] = -1
    found = reduce_fluence_scan(FLUENCES, rates, PAPER)
    assert found.scans == 2 and "1 scans left out" in str(found.notes)


def test_too_few_fluences_and_sums_alone_are_errors(model, light):
    rates = measured(model, light[:2], 2, 1.5)
    with pytest.raises(ReductionError, match="too few"):
        reduce_fluence_scan(FLUENCES[:2], rates, PAPER)
    for settings in (PAPER, SETTINGS):
        with pytest.raises(ReductionError, match="single dwells"):
            reduce_fluence_scan(FLUENCES[:2], replace(rates, rows=None), settings)


def test_laser_only_light_of_each_fluence_is_subtracted(model, light):
    """It grows with the fluence; the background run at the highest one was subtracted from all dwells."""
    rates = measured(model, light, 2, 1.5)
    extra = 0.004 * (np.arange(rates.rate.shape[1]) == 0)
    on = (rates.rows.state == 1)[..., None]
    grown = rates.rows.slot_mu + on * ((FLUENCES / 12.4)[:, None, None] - 1) * extra
    rows = replace(rates.rows, slot_mu=grown)
    known = replace(rates, rows=rows, background=np.stack([0 * extra, extra]))
    found = reduce_fluence_scan(FLUENCES, known, replace(SETTINGS, background_conditions=(("laser_fluence", 12.4),)))
    np.testing.assert_allclose(found.transient[0], contrast(model, light), atol=1e-7)
    assert "Laser-only light" not in str(found.notes)


def test_a_fluence_scan_without_a_background_run_says_what_its_slope_contains(model, light):
    assert "Laser-only light of each fluence is not known" in str(
        reduce_fluence_scan(FLUENCES, measured(model, light, 2, 1.5), SETTINGS).notes
    )
