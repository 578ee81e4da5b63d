"""Numbers of whole arrays by plain numpy, where scans of tests are too alike to notice a wrong index or power."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, f

from reduction.counting.current_errors import CurrentErrors
from reduction.counting.current_model import Jump
from reduction.counting.currents import CurrentReading, CurrentStore
from reduction.counting.lost_slots import kept_slots
from reduction.diagnostics.trends import NO_TREND, trend_of_level, trend_of_shape, trend_of_transient
from reduction.drift.correct import WithoutDrift
from reduction.imported.scatter import scatter_of
from reduction.imported.spectra import Slots, trace_of
from reduction.maps.associated import associated_spectra
from reduction.maps.transient_map import TransientMap
from reduction.references.compared import Compared
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


def passes_of(noise: float, change: float = 0.0, number: int = 4) -> Any:
    """Static and transient spectra of passes with errors of 1 % at 40 energies, and noise of so many of these."""
    rng = np.random.default_rng(11)
    x = np.linspace(-0.5, 0.5, number)[:, None]
    static = 1 + np.linspace(0, 1, 40) + change * x * np.sin(np.arange(40.0))
    transient = (1 + change * x) * np.sin(np.arange(40.0))
    draw = 0.01 * noise * rng.standard_normal((2, number, 40))
    error = np.full((number, 40), 1e-4)
    return SimpleNamespace(
        number=np.arange(number), static=static + draw[0], static_variance=error, independent=np.full(number, 30.0),
        transient=(transient + draw[1])[:, None], transient_variance=error[:, None],
    )  # fmt: skip


@pytest.mark.parametrize(("noise", "change"), [(0.7, 0.0), (1.2, 0.02), (3.0, 0.1)])
def test_a_change_of_shape_is_a_line_at_every_energy(noise: float, change: float) -> None:
    """By polyfit; without more scatter than counting its p-value is that of chi-square, with it that of Fisher's F."""
    passes = passes_of(noise, change)
    x = np.linspace(-0.5, 0.5, 4)
    slope, level = np.polyfit(x, passes.static, 1)
    residual = (passes.static - level - x[:, None] * slope) / 0.01
    scatter = (residual**2).sum() / (2 * 40)
    pull = slope / (np.sqrt(max(1.0, scatter)) * 0.01 / np.sqrt((x**2).sum()))
    found = trend_of_shape(passes)
    assert found.change == pytest.approx(slope[np.argmax(np.abs(pull))])
    assert found.change / found.stddev == pytest.approx(pull[np.argmax(np.abs(pull))])
    assert (scatter > 1) == (noise > 1)
    singular = np.linalg.svd(residual, compute_uv=False) ** 2
    freedom = 30.0 if scatter < 1 else min(30.0, singular.sum() ** 2 / (singular**2).sum())
    ratio = (pull**2).mean()
    expected = chi2.sf(ratio * 30, 30) if scatter < 1 else f.sf(ratio, freedom, 2 * freedom)
    assert found.p_value == pytest.approx(expected, rel=1e-6)


def test_a_change_of_size_is_that_of_the_projection_on_the_other_passes() -> None:
    """Three passes suffice; two, or a level of 0, have no trend."""
    found = trend_of_transient(passes_of(0.0, 0.3, 3))
    assert found.change == pytest.approx(0.3, rel=0.1)
    steady = trend_of_transient(passes_of(0.0, 0.0, 3))
    power = (np.sin(np.arange(40.0)) ** 2).sum() / 1e-4  # of one pass; of the line twice as large
    assert steady.stddev == pytest.approx(np.sqrt(2 / power) * 2 / 3, rel=1e-3)
    assert trend_of_transient(passes_of(0.0, 0.3, 2)) == NO_TREND == trend_of_shape(passes_of(0.0, 0.3, 2))
    assert trend_of_level(np.array([-1.0, 0.0, 1.0]), np.ones(3)) == NO_TREND
    assert trend_of_level(np.ones(3), np.full(3, 0.01)).stddev == pytest.approx(0.1 / np.sqrt(0.5))


def test_a_map_of_three_delays_shows_a_lifetime_and_an_offset() -> None:
    """Two lifetimes and an offset need four delays after time zero."""
    delay, shape, rest = np.array([100.0, 400.0, 5000.0]), np.arange(1.0, 7.0), np.array([1.0, -2, 3, -1, 2, 0])
    value = np.outer(np.exp(-delay / 200), shape) + 0.3 * rest
    found = associated_spectra(TransientMap(delay, np.arange(6.0), value, 1e-6 * np.eye(18).reshape(3, 6, 3, 6)))
    assert found.lifetimes == pytest.approx([200.0, np.inf], rel=0.02)
    np.testing.assert_allclose(found.decay[1], 0.3 * rest, atol=5e-3)
    early = np.outer(np.exp(-delay[:2] / 200), shape)
    two = TransientMap(delay[:2], np.arange(6.0), early, 1e-6 * np.eye(12).reshape(2, 6, 2, 6))
    assert associated_spectra(two).decay.shape == (1, 6)
    assert associated_spectra(two).lifetimes == pytest.approx([200.0], rel=0.02)


def test_scatter_of_points_by_a_cubic_through_two_neighbours_on_each_side() -> None:
    """Plain loops: 61 differences around each point, those above 2.5 standard deviations left out."""
    rng = np.random.default_rng(13)
    x = np.cumsum(0.2 + rng.random(90))
    y = np.sin(x / 9) + 0.01 * (1 + x / x[-1]) * rng.standard_normal(90)
    y[40] += 0.5
    squares = []
    for at in range(2, 88):
        near = [at - 2, at - 1, at + 1, at + 2]
        centred = x[near] - x[at]
        weights = np.linalg.solve(np.vander(centred).T, np.array([0.0, 0.0, 0.0, 1.0]))
        squares.append((y[at] - weights @ y[near]) ** 2 / (1 + weights @ weights))
    square, expected = np.array(squares), []
    z = np.linspace(-2.5, 2.5, 200_001)
    of_kept = np.average(z**2, weights=np.exp(-(z**2) / 2))
    for at in range(86):
        first = min(max(at - 30, 0), 86 - 61)
        mine = square[first : first + 61]
        variance = np.median(mine) / chi2.median(1)
        for _ in range(10):
            variance = mine[mine <= 2.5**2 * variance].mean() / of_kept
        expected.append(np.sqrt(variance))
    np.testing.assert_allclose(scatter_of(x, y)[2:-2], expected, rtol=1e-3)
    assert scatter_of(x, y)[:3] == pytest.approx(expected[0], rel=1e-3)
    assert scatter_of(x[:8], y[:8]).shape == (8,)


def test_without_single_dwells_every_slot_is_kept() -> None:
    rates: Any = SimpleNamespace(rows=None, rate=np.zeros((2, 5, 7)))
    assert kept_slots(rates).tolist() == [True] * 5


def test_an_imported_trace_has_the_covariance_of_its_small_changes() -> None:
    """On over off, less the mean before time zero; on and off share a part of their noise."""
    rng = np.random.default_rng(17)
    delay, used = np.array([-300.0, -200.0, 50.0, 100.0, 900.0]), np.ones(5, np.bool_)
    rate = 1 + 0.3 * rng.random((2, 5))
    spread = 0.01 * rng.standard_normal((5, 2, 3))
    noise = spread @ spread.transpose(0, 2, 1)  # of off and on at each delay

    def trace(rate: Any) -> Any:
        local = noise.transpose(1, 2, 0)[:, None, :, None]
        compared = Compared(rate[:, None], local, np.zeros((2, 1, 5, 0)))
        slots = Slots(1, lambda _: compared, rate[0], noise[:, 0, 0], "laser off")
        return trace_of("laser_delay", delay, used, slots, -150.0, "")

    found = trace(rate)
    value = rate[1] / rate[0] - 1
    np.testing.assert_allclose(found["transient"][0], value - value[:2].mean(), atol=1e-12)
    changed = np.zeros((5, 2, 5))
    for state in (0, 1):
        for at in range(5):
            step = np.zeros((2, 5))
            step[state, at] = 1e-6
            changed[:, state, at] = (trace(rate + step)["transient"][0] - trace(rate - step)["transient"][0]) / 2e-6
    expected = np.einsum("asp,pst,btp->ab", changed, noise, changed)
    np.testing.assert_allclose(found["transient_covariance"][0], expected, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(found["transient_stddev"][0], np.sqrt(np.diagonal(expected)), rtol=1e-5)


def test_currents_of_bunches_are_kept_as_shares_with_relative_variances() -> None:
    """Readings in any unit; one without errors, one that a dwell replaces, and one of a bunch without current."""
    store = CurrentStore(2, 3)
    values, errors = np.array([2.0, 4.0, 6.0]), np.array([0.1, 0.1, 0.3])
    store.put(1, 0, CurrentReading(values, 7.0, errors))
    np.testing.assert_allclose(store.log[1][0], np.log([0.5, 1.0, 1.5]))
    np.testing.assert_allclose(store.variance[1][0], [0.05**2, 0.025**2, 0.05**2])
    assert store.time[1][0] == 7.0 and np.isnan(store.log[1][1]).all()
    store.put(1, 0, CurrentReading(values[::-1]))
    assert np.isnan(store.variance[1][0]).all() and store.log[1][0][0] == pytest.approx(np.log(1.5))
    np.testing.assert_allclose(store.reference, np.log([0.5, 1.0, 1.5]))
    store.put(1, 1, CurrentReading(np.array([1.0, 0.0, 1.0])))
    assert store.notes()[0].startswith("1 readings of the bunches' currents could not be used")
    assert "interpolated between the others" in store.notes()[0]
    other = CurrentStore(2, 3)
    other.take(0, store, 1, np.array([True, False]))
    np.testing.assert_allclose(other.log[0][0], store.log[1][0])
    assert np.isnan(other.log[0][1]).all() and len(other.notes()) == 1
    store.put(1, 0, None)
    assert np.isnan(store.log[1][0]).all()
