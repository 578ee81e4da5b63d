"""Rates with laser on and off from the same passes, and the noise that dwells show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import EMPTY
from reduction.counting.rows import only, point_rates
from reduction.references.dwell_noise import dwell_noise, noise_between_passes, noise_within_states
from reduction.references.on_off import balanced, summed
from reduction.references.relative import relative_transients
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings
from tests.reduction.dwells import STATIC, Scan, decay

QUIET = Scan(decay(0.0), counting=0.0, efficiency=np.ones(5))


def without(rows, *dwells):
    """The same dwells without some, given as (point, row)."""
    state = rows.state.copy()
    for dwell in dwells:
        state[dwell] = EMPTY
    return replace(rows, state=state)


def test_equal_passes_give_the_sum_of_scans_over_the_sum_of_flux():
    rng = np.random.default_rng(1)
    rows = Scan(decay(0.3), thickness=(1.0, 1.1)).rows(rng)
    rows = replace(rows, flux=np.broadcast_to(rng.uniform(0.5, 2, len(STATIC))[:, None], rows.flux.shape).copy())
    one, other = balanced(rows), summed(rows)
    np.testing.assert_allclose(one.rate, other.rate, rtol=1e-12)
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-12)
    np.testing.assert_allclose(one.variance_factor, 1 / 4, rtol=1e-12)
    laser = rows.state[0] == 1
    plain = (rows.weight * rows.slot_mu[..., 2])[:, laser].sum(axis=1) / (rows.weight * rows.flux)[:, laser].sum(axis=1)
    np.testing.assert_allclose(one.rate[1, 2], plain, rtol=1e-12)


def test_a_missing_dwell_does_not_compare_a_thick_pass_with_a_thin_one():
    rows = replace(QUIET, thickness=(1.0, 1.1)).rows()
    first_off_of_second_pass = 5
    short = without(rows, (7, first_off_of_second_pass), (7, first_off_of_second_pass + 1))
    off, on = balanced(short).rate
    truth = 1 + QUIET.truth()[:, 7]
    np.testing.assert_allclose(on[:, 7] / off[:, 7], truth, rtol=1e-12)
    off, on = summed(short).rate
    assert abs(on[1, 7] / off[1, 7] - truth[1]) > 0.04  # the published sum is wrong by the change of the jet


def test_one_of_two_off_dwells_missing_weighs_the_pass_alike_for_both_states():
    rows = without(replace(QUIET, thickness=(1.0, 1.1)).rows(), (7, 5))
    off, on = balanced(rows).rate
    np.testing.assert_allclose(on[:, 7] / off[:, 7], 1 + QUIET.truth()[:, 7], rtol=1e-12)


def test_a_point_without_both_states_in_one_pass_is_nan_and_the_others_are_not():
    rows = QUIET.rows()
    gone = without(rows, *((3, r) for r in (0, 3, 5, 6)))  # laser on in the second pass only, off in the first only
    assert np.isnan(balanced(gone).rate[:, :, 3]).all()
    assert np.isfinite(np.delete(balanced(gone).rate, 3, axis=2)).all()
    assert np.isfinite(summed(gone).rate).all()


def test_variance_and_spread_are_those_of_many_measurements():
    scan = Scan(decay(0.2), counting=2e-3, jet=3e-3)
    rates = np.array([balanced(scan.rows(np.random.default_rng([2, i]))).rate for i in range(2000)])
    expected = balanced(scan.rows())
    relative = expected.relative_variance + scan.jet**2 * expected.variance_factor[:, None, :]
    scatter = rates.var(axis=0) / expected.rate**2
    # 2000 measurements know one variance to 3.2 %, their mean over 380 to 0.2 % were they independent
    assert (scatter / relative).mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(scatter / relative, 1, atol=0.17)


@pytest.mark.parametrize("jet", [0.002, 0.01])
@pytest.mark.parametrize("way", [noise_between_passes, noise_within_states])
def test_noise_of_dwells_is_found_whatever_the_transient(jet, way):
    scan = Scan(decay(0.7, 3.0), jet=jet, passes=3)
    found = [way(scan.rows(np.random.default_rng([3, i]))).variance for i in range(200)]
    # 38 points x 2 (4) differences: each variance is known to 16 % at worst, 200 of them to 1.2 %
    assert np.mean(found) == pytest.approx(jet**2, rel=0.04)


def test_noise_between_passes_does_not_see_the_thickness_of_a_pass():
    scan = Scan(decay(0.3), jet=0.002, passes=4, thickness=(1, 1.2, 0.9, 1.05))
    found = [noise_between_passes(scan.rows(np.random.default_rng([4, i]))).noise ** 2 for i in range(100)]
    assert np.mean(found) == pytest.approx(0.002**2, rel=0.08)


def test_a_quiet_scan_has_no_noise_and_a_single_dwell_a_state_does_not_determine_it():
    assert dwell_noise(Scan(decay(0.3)).rows(np.random.default_rng(5))).noise < 3e-4
    one = Scan(decay(0.3), pattern=(1, 0), passes=1, jet=0.01).rows(np.random.default_rng(6))
    assert np.isnan(dwell_noise(one).noise)
    repeated = Scan(decay(0.3), passes=1, jet=0.01).rows(np.random.default_rng(7))
    assert dwell_noise(repeated) == noise_within_states(repeated)
    assert dwell_noise(repeated).noise == pytest.approx(0.01, rel=0.3)


def test_missing_dwells_do_not_count_as_noise():
    rows = Scan(decay(0.3), jet=0.005, passes=3, counting=1e-4).rows(np.random.default_rng(8))
    gone = without(rows, *((point, row) for point in range(0, 38, 2) for row in (1, 6, 11)))
    gone = replace(gone, slot_mu=np.where((gone.state == EMPTY)[..., None], np.nan, gone.slot_mu))
    for way in (noise_between_passes, noise_within_states):
        assert way(gone).noise == pytest.approx(0.005, rel=0.3)
    assert only(gone, np.arange(38) < 5).state.shape == (5, 12)


@pytest.mark.parametrize("jet", [0.0, 1e-3])
def test_the_error_of_the_estimate_is_its_scatter(jet):
    scan = Scan(decay(0.3), counting=2e-3, passes=5, jet=jet)
    found = [noise_between_passes(scan.rows(np.random.default_rng([6, i]))) for i in range(200)]
    pulls = [(each.variance - jet**2) / each.stddev for each in found]
    assert abs(np.mean(pulls)) < 4 / np.sqrt(200) and abs(np.std(pulls) - 1) < 4 / np.sqrt(400)


def test_noise_of_the_settings_holds_unless_the_data_contradict_it():
    long, short = Scan(decay(0.3), counting=5e-4, passes=5), Scan(decay(0.3), counting=2e-2, passes=2)
    found = dwell_noise(long.rows(np.random.default_rng(1)))
    assert found.at_least(2e-3) == found.noise < 3e-4
    assert found.at_least(1e-5) == max(found.noise, 1e-5)
    assert dwell_noise(short.rows(np.random.default_rng(1))).at_least(2e-3) >= 2e-3
    unknown = Scan(decay(0.3), pattern=(1, 0), passes=1)
    assert dwell_noise(unknown.rows(np.random.default_rng(1))).at_least(2e-3) == 2e-3


def test_pulls_of_a_quiet_jet_have_the_width_1_although_the_settings_expect_more_noise():
    """Four passes with I0 noise of 0.01 % where the settings give 0.2 %: errors were four times too large."""
    scan, pulls = Scan(decay(0.5), counting=1e-3, passes=4, jet=1e-4), []
    for seed in range(60):
        rates = point_rates(scan.rows(np.random.default_rng([8, seed])), 2e-3, np.zeros(24, np.int64))
        settings = Settings((13.450, 13.460), (13.464, 13.570), reference="shutter", i0_noise=2e-3)
        found = relative_transients(rates, settings, SlotTable.of(5), None)
        pulls.append((found.transient - scan.truth()) / np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2)))
    assert np.std(pulls) == pytest.approx(1, abs=0.05)
