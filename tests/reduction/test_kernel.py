"""The live kernel against a plain numpy twin, hypothesis choosing counts, patterns and histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.background import Background
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.counting.pileup import lower_limit_when_full, photons_per_pulse, upper_limit_without_hits

RATE = 6.5173e6


def dwell_at(point, segment, laser, hits, gates, flux, scan="a", quality="good", laser_phase=0, attempt=0):
    return Dwell(
        scan, point, segment, attempt, laser, quality, flux,
        np.asarray(hits, np.int64), np.asarray(gates, np.int64), laser_phase,
    )  # fmt: skip


def twin(dwells, pattern, i0_noise):
    """Rates (2, S) and covariances (2, S, S) of one point in the plainest numpy."""
    rate, cov = [], []
    for laser in (False, True):
        rows = [d for d in dwells if d.laser_on == laser]
        weight = np.array([d.gates.mean() for d in rows])
        flux = np.array([d.flux for d in rows])
        mu, var = [], []
        for d in rows:
            k, n = d.hits.astype(float), d.gates.astype(float)
            v = k / (n * (n - k))
            m = -np.log(1 - k / n) - v / 2
            slot = (np.arange(pattern.num_phases) - d.laser_phase) % pattern.divider
            mu.append([m[slot == s].mean() for s in range(pattern.divider)])
            var.append([v[slot == s].sum() / (slot == s).sum() ** 2 for s in range(pattern.divider)])
        exposure = (weight * flux).sum()
        r = (weight[:, None] * np.array(mu)).sum(axis=0) / exposure
        c = np.diag((weight[:, None] ** 2 * np.array(var)).sum(axis=0) / exposure**2)
        c = c + np.outer(r, r) * ((weight * flux * i0_noise / exposure) ** 2).sum()
        rate.append(r)
        cov.append(c)
    return np.array(rate), np.array(cov)


patterns = st.sampled_from([(24, 5), (24, 4), (7, 3), (1, 5), (10, 1), (324, 4)])


@settings(max_examples=60, deadline=None)
@given(patterns, st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0, 0.1))
def test_kernel_agrees_with_plain_numpy(shape, seed, passes, i0_noise):
    rng = np.random.default_rng(seed)
    pattern = Pattern(*shape, laser_phase=0, bunch_rate=RATE)
    sums = CountingAccumulator(pattern, 3, i0_noise)
    dwells = []
    for number in range(passes):
        for segment, laser in enumerate((True, False, False, True)):
            gates = rng.integers(2, 60_000, pattern.num_phases)
            d = dwell_at(
                1, segment, laser, rng.integers(0, gates), gates, rng.uniform(0.01, 1), scan=str(number),
                laser_phase=int(rng.integers(0, pattern.num_phases)),
            )  # fmt: skip
            dwells.append(d)
            update = sums.add(d)
    rate, cov = twin(dwells, pattern, i0_noise)
    np.testing.assert_allclose(update.rate, rate, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(update.covariance, cov, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(update.difference, rate[1] - rate[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(update.difference_covariance, cov[0] + cov[1], rtol=1e-9, atol=1e-16)
    result = sums.result()
    np.testing.assert_array_equal(result.rate[:, :, 1], update.rate)
    assert np.isnan(result.rate[:, :, [0, 2]]).all()


def full_scan(sums, rng, scans=("a",), points=2, pattern=None):
    for scan in scans:
        for point in range(points):
            for segment, laser in enumerate((True, False, False, True)):
                gates = np.full(pattern.num_phases, 50_000)
                sums.add(dwell_at(point, segment, laser, rng.binomial(gates, 0.1), gates, 0.15, scan=scan))


def test_a_saturated_bunch_leaves_all_slots_of_all_dwells():
    pattern = Pattern(24, 5, 0, RATE)
    sums = CountingAccumulator(pattern, 2, 1e-3)
    rng = np.random.default_rng(5)
    full_scan(sums, rng, pattern=pattern)
    hits, gates = rng.binomial(50_000, 0.1, 120), np.full(120, 50_000)
    hits[31] = 50_000  # bunch 7
    update = sums.add(dwell_at(1, 3, True, hits, gates, 0.15))
    assert update.bad_phases == 1 and update.fault is None
    result = sums.result()
    assert np.flatnonzero(result.bunches_out).tolist() == [7]
    without = hits[(np.arange(120) % 24 != 7) & (np.arange(120) % 5 == 0)] / 50_000
    assert update.photons[0] == pytest.approx(np.mean(-np.log(1 - without)), rel=1e-4)
    assert np.isfinite(result.rate).all() and np.isfinite(result.covariance).all()
    light = -np.log(0.9) / 0.15
    assert np.abs(update.rate / light - 1).max() < 0.03 and np.abs(update.difference).max() < 0.03 * light
    error = np.sqrt(0.9 / 0.1 / 50_000 / (23 * 2)) * light / 0.9 * 0.1 / -np.log(0.9)  # of on, as that of off
    assert np.sqrt(np.diagonal(update.difference_covariance)) == pytest.approx(np.hypot(error, error), rel=0.6)
    # every slot still averages 23 bunches, so errors grow by a little, not by accident
    assert result.covariance[0, 0, 0, 0] > 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"quality": "laser unlocked"}, "laser unlocked"),
        ({"flux": 0.0}, "no flux"),
        ({"flux": -0.1}, "no flux"),
        ({"flux": float("nan")}, "flux not a number"),
        ({"hits": np.full(120, 60_000)}, "hits above gates"),
        ({"hits": np.full(120, -1)}, "hits above gates"),
        ({"gates": np.zeros(120), "hits": np.zeros(120)}, "no gates"),
        ({"hits": np.full(120, 50_000)}, "saturated: a hit in every gate"),
    ],
)
def test_a_dwell_with_a_fault_is_flagged_and_does_not_count(change, fault):
    pattern = Pattern(24, 5, 0, RATE)
    sums = CountingAccumulator(pattern, 2, 1e-3)
    full_scan(sums, np.random.default_rng(1), pattern=pattern)
    values = {"hits": np.full(120, 5000), "gates": np.full(120, 50_000), "flux": 0.15, **change}
    quality = values.pop("quality", "good")
    before = sums.result()
    update = sums.add(dwell_at(0, 0, True, scan="b", quality=quality, **values))
    assert update.fault == fault
    np.testing.assert_array_equal(sums.result().rate, before.rate)
    assert sums.dwells_at(0) == (2, 2)
    assert not sums.result().bunches_out.any()


def test_a_later_attempt_takes_the_place_of_an_earlier_one():
    pattern = Pattern(24, 5, 0, RATE)
    sums = CountingAccumulator(pattern, 1, 1e-3)
    gates = np.full(120, 50_000)
    for laser, segment in ((True, 0), (False, 1)):
        sums.add(dwell_at(0, segment, laser, np.full(120, 40_000), gates, 0.15, quality="beam lost"))
        update = sums.add(dwell_at(0, segment, laser, np.full(120, 5000), gates, 0.15, attempt=1))
    np.testing.assert_allclose(update.rate, -np.log(0.9) / 0.15, rtol=1e-4)


def test_merge_is_the_sum_of_both():
    pattern = Pattern(24, 5, 0, RATE)
    parts = [CountingAccumulator(pattern, 2, 1e-3) for _ in range(2)]
    whole = CountingAccumulator(pattern, 2, 1e-3)
    for number, part in enumerate(parts):
        for sums in (part, whole):
            full_scan(sums, np.random.default_rng(number), scans=(f"pass {number}",), pattern=pattern)
    parts[0].merge(parts[1])
    np.testing.assert_array_equal(parts[0].result().rate, whole.result().rate)
    np.testing.assert_array_equal(parts[0].result().covariance, whole.result().covariance)
    with pytest.raises(ValueError, match="same grid"):
        parts[0].merge(CountingAccumulator(pattern, 3, 1e-3))


def test_what_does_not_fit_is_refused_by_name():
    sums = CountingAccumulator(Pattern(24, 5, 0, RATE), 2, 1e-3)
    with pytest.raises(ValueError, match="point_index 2 is outside the grid of 2"):
        sums.add(dwell_at(2, 0, True, np.ones(120), np.full(120, 10), 0.1))
    with pytest.raises(ValueError, match="Counts has shape"):
        sums.add(dwell_at(0, 0, True, np.ones(96), np.full(96, 10), 0.1))


def test_background_is_subtracted_by_phase():
    pattern = Pattern(24, 5, 0, RATE)
    background = np.zeros((2, 120))
    background[1, np.arange(120) % 5 == 0] = 0.02
    sums = CountingAccumulator(pattern, 1, 0.0, background=Background(background, np.full((2, 120), 1e-3)))
    gates = np.full(120, 10**9)
    for segment, laser in enumerate((False, True)):
        mu = 0.1 + background[int(laser)]
        update = sums.add(dwell_at(0, segment, laser, np.rint(-np.expm1(-mu) * gates), gates, 1.0))
    np.testing.assert_allclose(update.rate, 0.1, rtol=1e-6)
    assert update.covariance[0, 0, 0] == pytest.approx(1e-6 / 24, rel=0.01)


def test_estimate_of_small_counts_is_unbiased():
    """Exact expectation over the binomial law: without its correction the bias would be (e^mu - 1) / (2 n)."""
    n, mu = 400, 0.3
    q = -np.expm1(-mu)
    k = np.arange(n)  # k = n has probability 1e-235 here
    from scipy.stats import binom

    weights = binom.pmf(k, n, q)
    estimate, variance = photons_per_pulse(k, np.full(n, n))
    corrected = (weights * estimate).sum() - mu
    plain = (weights * -np.log1p(-k / n)).sum() - mu
    assert plain == pytest.approx(np.expm1(mu) / (2 * n), rel=0.02)
    assert abs(corrected) < 0.02 * plain
    scatter = (weights * (estimate - mu) ** 2).sum()
    assert (weights * variance).sum() == pytest.approx(scatter, rel=0.01)


def test_limits_and_flags_of_empty_and_full_gates():
    mu, variance = photons_per_pulse([0, 10, 0], [10, 10, 0])
    assert mu[0] == 0 and variance[0] == 0
    assert np.isinf(mu[1]) and np.isnan(mu[2])
    assert np.exp(-upper_limit_without_hits(100) * 100) == pytest.approx(0.158655, rel=1e-4)
    assert (1 - np.exp(-lower_limit_when_full(100))) ** 100 == pytest.approx(0.158655, rel=1e-4)
    for hits, gates in ((-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="between 0 and the opened gates"):
            photons_per_pulse(hits, gates)
