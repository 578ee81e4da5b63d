"""Numbers of whole arrays by plain numpy, where scans of tests are too alike to notice a wrong index or power."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.current_errors import CurrentErrors
from reduction.counting.current_model import Jump
from reduction.drift.correct import WithoutDrift
from tests.reduction.dwells import Scan, decay


def test_the_variance_of_a_dwell_from_measured_currents_by_plain_sums():
    """Readings shared by dwells, the age of a reading, and bunches that a top-up filled in the middle of a dwell."""
    rng = np.random.default_rng(6)
    points, rows, readings, slots, bunches, pieces = 3, 4, 5, 2, 6, 2
    index = rng.integers(0, readings, (points, rows, pieces))
    weight, age = rng.random((points, rows, pieces)), rng.random((points, rows))
    members = rng.standard_normal((slots, bunches))
    noise = members @ np.diag(rng.random(bunches)) @ members.T
    jump = Jump(3 * rng.random(bunches), np.array([0, 2, 2]), np.array([1, 0, 3]), 1 + rng.random((3, 2)))
    errors = CurrentErrors(index, weight, age, noise, members @ members.T, (jump,), members)
    expected = np.zeros((points, rows, slots))
    for point in range(points):
        for row in range(rows):
            share = np.bincount(index[point, row], weight[point, row], minlength=readings)
            expected[point, row] = (share**2).sum() * np.diagonal(noise)
            expected[point, row] += age[point, row] * (members**2).sum(axis=1)
            for at in np.flatnonzero((jump.point == point) & (jump.row == row)):
                expected[point, row] += (jump.deviation[at] ** 2).sum() * (members @ jump.size) ** 2
    np.testing.assert_allclose(errors.variance(), expected, rtol=1e-12)
    for row in range(rows):
        alone = np.zeros((1, points, rows))
        alone[0, :, row] = 1.0
        own = np.diagonal(errors.covariance(alone)[:, 0, :, 0, :], axis1=1, axis2=2)
        np.testing.assert_allclose(own, expected[:, row], rtol=1e-12)


def test_the_size_of_a_drift_is_that_about_the_mean_of_each_pass():
    curve = np.array([[1.0, 1.02, np.nan, 1.04], [-3.0, -3.01, -3.02, -3.03]])
    stddev = np.array([[0.01, 0.02, np.nan, 0.02], [0.0, 0.01, 0.02, 0.04]])
    found = WithoutDrift(Scan(decay(0.3), passes=1).rows(), np.zeros((4, 1)), curve, curve, stddev, True, True)
    squares = [(value - np.nanmean(one)) ** 2 for one in curve for value in one if np.isfinite(value)]
    assert found.rms[0] == pytest.approx(np.sqrt(np.mean(squares)))
    assert found.rms[1] == pytest.approx(np.sqrt(np.nanmean(stddev**2)))
