"""Clean slots: amplitudes with a noisy shape, the tail against a plain Monte-Carlo, and which slots are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.references.clean_slots import (
    CleanSlots,
    amplitudes,
    find_clean_slots,
    significance_of_decay,
    tail,
)
from reduction.references.late_decay import CONSTANTS, LIFETIMES, SIZES
from reduction.references.methods import prepare
from reduction.references.slot_table import SlotTable
from tests.reduction.dwells import SHAPE, STATIC, Scan, decay

ORDER = SlotTable.of(5)


def logs_of(scan, seed, order=ORDER):
    rng = None if seed is None else np.random.default_rng([21, seed])
    return prepare(scan.rows(rng), order, 0.0).logs


def found(scan, seed, order=ORDER):
    return find_clean_slots(logs_of(scan, seed, order))


def test_amplitudes_are_unbiased_although_the_shape_is_noisy():
    """Plain least squares would pull all amplitudes towards that of the noise; 400 scans show it."""
    scan = Scan(decay(0.6), counting=4e-3, passes=2)
    truth = decay(0.6) / (1 - 0.6**4)
    pulls, plain = [], []
    for seed in range(400):
        logs = logs_of(scan, seed)
        value, counting, common = amplitudes(logs)
        pulls.append((value - truth) / np.sqrt(np.diagonal(counting) + common))
        weight = 1 / (logs.common + logs.counting.mean(axis=0))
        shape = logs.shape - np.average(logs.shape, weights=weight)
        plain.append(logs.z @ (weight * shape) / (shape @ (weight * shape)))
    pulls = np.array(pulls)
    assert np.abs(pulls.mean(axis=0)).max() < 0.25
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.16)
    stddev = np.sqrt(np.diagonal(counting) + common)
    assert np.abs((np.mean(plain, axis=0) - truth) / stddev).max() > 0.5


def test_first_minus_last_is_one_by_definition():
    value, counting, _ = amplitudes(logs_of(Scan(decay(0.4)), 1))
    assert value[0] - value[4] == pytest.approx(1)
    assert (np.eye(5)[0] - np.eye(5)[4]) @ counting @ (np.eye(5)[0] - np.eye(5)[4]) == pytest.approx(0, abs=1e-12)


CASES = {
    "nothing seen": (np.zeros(4), 0.03, 0.2),
    "fast": (np.array([0.05, 0.0, 0.01, -0.01]), 0.02, 0.1),
    "slow": (0.8 ** np.arange(1, 5), 0.05, 0.1),
    "constant": (np.full(4, 0.4), 0.03, 0.06),
    "doubtful constant": (np.full(4, 0.4), 0.03, 0.15),
}


@pytest.mark.parametrize("name", CASES)
def test_tail_is_the_mean_over_all_decays_by_plain_monte_carlo(name):
    amplitude, counting, common = CASES[name]
    covariance = counting**2 * np.eye(4) + common**2
    rng = np.random.default_rng(5)
    number = 1_000_000
    model = (rng.choice(CONSTANTS, number) * rng.standard_normal(number))[:, None]
    first = rng.integers(LIFETIMES.size, size=number)
    second = (first + rng.integers(1, LIFETIMES.size, size=number)) % LIFETIMES.size
    for chosen in (first, second):
        size = rng.choice(SIZES, number) * rng.standard_normal(number)
        model = model + size[:, None] * np.exp(-np.arange(1, 5) / LIFETIMES[chosen][:, None])
    whitened = (model - amplitude) @ np.linalg.cholesky(np.linalg.inv(covariance))
    weight = np.exp(-0.5 * (whitened**2).sum(axis=1))
    mean = weight @ model / weight.sum()
    away = model - mean
    expected = (weight[:, None] * away).T @ away / weight.sum()
    value, spread = tail(amplitude, covariance, np.arange(1.0, 5.0))
    effective = weight.sum() ** 2 / (weight**2).sum()
    stddev = np.sqrt(np.diagonal(spread))
    assert effective > 100
    np.testing.assert_allclose(value, mean, atol=5 * stddev.max() / np.sqrt(effective) + 1e-3)
    np.testing.assert_allclose(stddev, np.sqrt(np.diagonal(expected)), rtol=0.15 + 8 / np.sqrt(effective), atol=2e-3)


def test_clean_slots_are_those_where_the_decay_has_ended():
    """rho for 50, 155 and 500 ns between slots 153.4 ns apart, counting fine enough to resolve it."""
    clean = {
        lifetime: find_clean_slots(logs_of(Scan(decay(np.exp(-153.4 / lifetime)), counting=4e-4), 3)).clean.tolist()
        for lifetime in (20, 50, 155, 500, np.inf)
    }
    assert clean[20] == [False, True, True, True, True]
    assert clean[50] in ([False, False, True, True, True], [False, False, False, True, True])
    assert clean[155] in ([False, False, False, False, True], [False] * 5)  # slot 4 holds 0.7 % of slot 0
    assert not any(clean[500])
    assert not any(clean[np.inf])


def test_what_the_last_slot_holds_is_found_with_its_error():
    """Mean over 100 scans against the truth; a decay that ends in view, one that does not, a constant.

    A constant is the end of what rho may be, so that its mean lies a little lower.
    """
    constant = np.array([1, 0.3, 0.3, 0.3, 0.3])
    for amplitude, share, least in ((decay(0.37), 0.0191, 0.5), (decay(0.736), 0.4152, 0.5), (constant, 0.4286, 0.9)):
        several = [found(Scan(amplitude, counting=6e-4), seed) for seed in range(100)]
        residual = np.array([one.residual[4] for one in several])
        error = np.sqrt(np.mean([one.covariance[4, 4] for one in several]))
        assert abs(residual.mean() - share) < least * error
        assert residual.std() < 1.3 * error


@pytest.mark.parametrize("amplitude", [decay(0.37), np.array([1, 0.1, 0.1, 0.1, 0.1])], ids=["to nothing", "constant"])
def test_measured_residuals_have_errors_that_are_right_for_each_sample(amplitude):
    """The average over a family of decays has widths of 0.5 and a bias of 0.8 of its errors here."""
    scan, share = Scan(amplitude, jet=0.005), amplitude[4] / (1 - amplitude[4])
    rows = (scan.rows(np.random.default_rng([7, seed])) for seed in range(100))
    several = [prepare(each, ORDER, 0.0, "measured").clean for each in rows]
    pulls = np.array([(one.residual[4] - share) / np.sqrt(one.covariance[4, 4]) for one in several])
    assert abs(pulls.mean()) < 0.35
    assert pulls.std() == pytest.approx(1, abs=0.22)


def test_without_a_decay_nothing_is_clean():
    """The same in every slot, or nothing at all: only the laser off determines it, and slots cannot be compared."""
    for amplitude in (np.ones(5), np.zeros(5)):
        seen = [found(Scan(amplitude), seed) for seed in range(200)]
        assert not any(one.decay_seen or one.clean.any() for one in seen)
        significance = np.array([one.significance for one in seen])
        # the excess chi-square in units of its own standard deviation
        assert abs(significance.mean()) < 4 / np.sqrt(200)
        assert significance.std() == pytest.approx(1, abs=0.2)


def test_laser_only_light_is_no_decay():
    """Light of 0.5 % of the rate in slot 0 is flat in the rates, not in their ratio."""
    scan = Scan(np.zeros(5), offset=0.01)
    logs = logs_of(scan, 1)
    assert np.ptp(logs.shape) > 5e-3
    assert significance_of_decay(logs) < 3
    assert significance_of_decay(replace(logs, offset=np.ones_like(STATIC))) > 20


def test_slots_without_a_bound_by_the_laser_off_are_not_usable():
    loud = found(Scan(decay(0.05), jet=0.03), 1)
    assert loud.decay_seen and not loud.usable and not loud.clean.any()
    quiet = [found(Scan(decay(0.05), jet=0.001), seed) for seed in range(10)]
    assert all(one.usable for one in quiet)
    assert sum(one.clean[4] for one in quiet) >= 7  # within two of its errors


def test_slots_come_in_the_order_of_their_delays():
    """Just before the pump slot 0 is the last: 766 ns after the one before."""
    amplitudes_of_slots = np.roll(decay(0.05), 1)
    late = found(Scan(amplitudes_of_slots), 1, order=SlotTable.of(5, np.array([4.0, 0.0, 1.0, 2.0, 3.0])))
    # slot 1 is the first; slot 2, the second, still holds a twentieth
    assert late.last == 0 and late.clean.tolist() == [True, False, False, True, True]


def test_one_slot_or_few_points_determine_nothing():
    one = prepare(Scan(decay(0.3)).rows(np.random.default_rng(1)), ORDER, 0.0)
    few = replace(one.logs, z=one.logs.z[:, :3], counting=one.logs.counting[:, :3])
    assert significance_of_decay(few) == 0
    nothing = CleanSlots.none(5, 4)
    assert not nothing.usable and np.isnan(nothing.residual).all() and not nothing.covariance.any()
    assert SHAPE.min() < 0
