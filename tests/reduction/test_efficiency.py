"""Slot efficiencies: values, errors, chi-square and drift, as statistics over seeded scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import OFF
from reduction.errors import ReductionError
from reduction.references.efficiency import slot_efficiency
from tests.reduction.dwells import Scan, decay

SCAN = Scan(decay(0.3), jet=0.05, thickness=(1.0, 1.2), passes=2)
TRUE = SCAN.efficiency / SCAN.efficiency.mean()


def seeded(number, scan=SCAN):
    return [slot_efficiency(scan.rows(np.random.default_rng([11, i]))) for i in range(number)]


def test_efficiencies_and_their_errors_are_right_whatever_the_jet_does():
    """600 scans know the mean of a pull to 0.04 and its standard deviation to 0.03."""
    found = seeded(600)
    pulls = np.array([(one.value - TRUE) / np.sqrt(np.diagonal(one.covariance)) for one in found])
    assert np.abs(pulls.mean(axis=0)).max() < 0.16
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.11)
    values = np.array([one.value for one in found])
    scale = np.sqrt(np.outer(*[np.diagonal(found[0].covariance)] * 2))
    np.testing.assert_allclose(found[0].covariance / scale, np.cov(values.T) / scale, atol=0.17)
    assert values.mean(axis=1) == pytest.approx(1)


def test_chi_square_is_one_and_false_alarms_are_rare():
    found = seeded(600)
    dof = found[0].dof
    assert dof == (38 * 2 - 1) * 4
    # a chi-square scatters by sqrt(2 f), the mean of 600 by 1/24 of that: four of these
    assert np.mean([one.chi_square for one in found]) == pytest.approx(dof, abs=4 * np.sqrt(2 * dof / 600))
    # two tests of 0.1 % a scan: 1.2 expected, over 6 has a probability of 4e-4
    assert sum(bool(one.warnings) for one in found) <= 6


def test_drift_has_the_right_error_and_gives_a_warning():
    found = seeded(600)
    pulls = np.array([one.drift / one.drift_stddev for one in found])
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.12)
    assert np.abs(pulls.mean(axis=0)).max() < 0.16
    rows = SCAN.rows(np.random.default_rng(1))
    steps = (rows.pass_index[None, :] * 38 + np.arange(38)[:, None]) / (2 * 38)
    mu = rows.slot_mu.copy()
    mu[:, :, 2] *= 1 + 0.004 * steps
    drifting = slot_efficiency(replace(rows, slot_mu=mu))
    assert drifting.drift[2] == pytest.approx(0.004 * 0.8, abs=5 * drifting.drift_stddev[2])
    assert any("slot 2 changes by +0." in text for text in drifting.warnings)


def test_an_efficiency_that_depends_on_the_rate_fails_the_chi_square():
    rows = SCAN.rows(np.random.default_rng(2))
    mu = rows.slot_mu.copy()
    mu[:, :, 1] *= 1 - 0.05 * mu[:, :, 1]
    (warning, *_) = slot_efficiency(replace(rows, slot_mu=mu)).warnings
    assert "not constant" in warning and "chi-square" in warning


def test_only_laser_off_counts():
    rows = SCAN.rows(np.random.default_rng(3))
    mu = np.where((rows.state == OFF)[..., None], rows.slot_mu, 7.0 * rows.slot_mu)
    mu[:, :, 3] = np.where(rows.state == OFF, mu[:, :, 3], 0.0)
    np.testing.assert_array_equal(slot_efficiency(replace(rows, slot_mu=mu)).value, slot_efficiency(rows).value)


def test_one_slot_is_1_and_nothing_measured_is_refused():
    rows = SCAN.rows()
    one = slot_efficiency(replace(rows, slot_mu=rows.slot_mu[..., :1], slot_var=rows.slot_var[..., :1]))
    assert one.value == pytest.approx([1.0]) and one.dof == 0 and not one.warnings
    with pytest.raises(ReductionError, match="no laser-off dwell with hits in every slot"):
        slot_efficiency(replace(rows, slot_mu=np.zeros_like(rows.slot_mu)))
    with pytest.raises(ReductionError, match="no laser-off dwell"):
        slot_efficiency(replace(rows, state=np.ones_like(rows.state)))
