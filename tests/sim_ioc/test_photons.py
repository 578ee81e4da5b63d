"""Counts and pair counters against a chain of single shots and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_ioc.physics.pair_chain import walk_once
from sim_ioc.physics.photons import PhaseCounts, hit_probability, sample_counts, sample_pairs

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MU = np.array([0.1, 1.9, 0.5, 0.9, 0.2, 1.2, 0.7, 0.05])


def shot_by_shot(
    rng: np.random.Generator,
    mu: FloatArray,
    turns: int,
    afterpulse: float,
    blinding: float,
    repeats: int,
    paralysable: bool = False,
) -> PhaseCounts:
    """Go through every gate: photons arrive, some are hidden by the hit before, an afterpulse may come.

    Where the dead time is paralysable, photons that were hidden count as a hit before.
    """
    num_phases = mu.size
    hits = np.zeros((repeats, turns * num_phases), dtype=bool)
    before = np.zeros(repeats, dtype=bool)
    for gate in range(turns * num_phases):
        lit = 1 - np.exp(-mu[gate % num_phases])
        came = rng.random(repeats) < lit
        photon = came & ~(before & (rng.random(repeats) < blinding))
        # An afterpulse adds a hit where no photon makes one: so often that hits after a hit are a + (1 - b) q.
        ghost = rng.random(repeats) < afterpulse / (1 - (1 - blinding) * lit)
        hits[:, gate] = photon | (before & ghost)
        before = hits[:, gate] | came if paralysable else hits[:, gate]
    result = [np.zeros((repeats, 5, num_phases), dtype=np.int64) for _ in range(4)]
    for lag in range(1, 6):
        first, second = hits[:, :-lag], hits[:, lag:]
        phase = np.arange(lag, turns * num_phases) % num_phases
        for p in range(num_phases):
            here = phase == p
            result[0][:, lag - 1, p] = here.sum()
            result[1][:, lag - 1, p] = second[:, here].sum(axis=1)
            result[2][:, lag - 1, p] = first[:, here].sum(axis=1)
            result[3][:, lag - 1, p] = (first & second)[:, here].sum(axis=1)
    counts = hits.reshape(repeats, turns, num_phases).sum(axis=1)
    return PhaseCounts(counts, np.full(counts.shape, turns, dtype=np.int64), *result)


@pytest.mark.parametrize(
    ("afterpulse", "blinding", "paralysable"),
    [(0.0, 0.0, False), (0.1, 0.0, False), (0.0, 0.6, False), (0.08, 0.4, False), (0.0, 0.6, True)],
)
def test_same_law_as_shot_by_shot(afterpulse: float, blinding: float, paralysable: bool) -> None:
    turns, repeats = 60, 3000
    mu = MU if afterpulse == 0 else np.minimum(MU, 1.2)
    brute = shot_by_shot(np.random.default_rng(1), mu, turns, afterpulse, blinding, repeats, paralysable)
    many = np.broadcast_to(mu, (repeats, mu.size))
    fast = sample_pairs(np.random.default_rng(2), many, turns, afterpulse, blinding, paralysable=paralysable)
    assert np.array_equal(fast.gates, brute.gates)
    assert np.array_equal(fast.pair_gates, brute.pair_gates)
    for name in ("counts", "pair_counts", "prev_hits", "coinc"):
        a, b = getattr(fast, name), getattr(brute, name)
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / repeats)
        pull = (a.mean(axis=0) - b.mean(axis=0)) / np.maximum(error, 1e-9)
        assert np.abs(pull).max() < 4.8, name
    # The variables of one phase and lag scatter together in the same way.
    for lag in range(5):
        for phase in range(mu.size):
            products = []
            for result in (fast, brute):
                values = [getattr(result, n)[:, lag, phase] for n in ("pair_counts", "prev_hits", "coinc")]
                off = np.stack(values, axis=1) - np.mean(values, axis=1)
                products.append(off[:, :, np.newaxis] * off[:, np.newaxis, :])
            difference = products[0].mean(axis=0) - products[1].mean(axis=0)
            error = np.sqrt((products[0].var(axis=0) + products[1].var(axis=0)) / repeats)
            assert np.all(np.abs(difference) < 5 * error), (lag, phase)


def test_closed_form_of_the_hit_rate_with_after_effects() -> None:
    afterpulse, blinding, turns = 0.05, 0.3, 50_000
    q = 1 - np.exp(-MU)
    rate = np.full(MU.size, 0.5)
    for _ in range(200):  # p_k = q_k + (a - b q_k) p_(k-1), round and round until it repeats
        for k in range(MU.size):
            rate[k] = q[k] + (afterpulse - blinding * q[k]) * rate[k - 1]
    counts = sample_pairs(np.random.default_rng(3), np.broadcast_to(MU, (40, 8)), turns, afterpulse, blinding).counts
    error = np.sqrt(rate * (1 - rate) / (40 * turns)) * 1.5  # neighbours are a little correlated
    assert np.all(np.abs(counts.mean(axis=0) / turns - rate) < 4.5 * error)


def test_closed_forms_of_the_pairs_of_short_frames() -> None:
    """Hits p of each phase, of the gate before it, and of both: p_(k-1) (a + (1 - b) q_k)."""
    afterpulse, blinding, turns = 0.05, 0.3, 2_000_000
    q = 1 - np.exp(-MU)
    after_hit = afterpulse + (1 - blinding) * q
    rate = np.full(MU.size, 0.5)
    for _ in range(200):
        for k in range(MU.size):
            rate[k] = q[k] + (after_hit[k] - q[k]) * rate[k - 1]
    sums = np.zeros((3, MU.size), np.int64)
    sets = np.full(2, turns // 2)
    walk_once(np.random.default_rng(3), np.tile(q, (2, 1)), np.tile(after_hit, (2, 1)), sets, *sums)
    before = np.roll(rate, 1)
    for found, expected in zip(sums / turns, (rate, before, before * after_hit), strict=True):
        assert np.abs((found - expected) / np.sqrt(expected * (1 - expected) / turns)).max() < 5.5


@pytest.mark.parametrize("blinding", [0.3, 1.0])
def test_closed_form_of_the_hit_rate_with_a_paralysable_dead_time(blinding: float) -> None:
    turns = 50_000
    q = 1 - np.exp(-MU)
    rate = q * (1 - blinding * np.roll(q, 1))  # seen unless there was a photon in the gate before, hidden or not
    counts = sample_pairs(
        np.random.default_rng(13), np.broadcast_to(MU, (40, 8)), turns, 0.0, blinding, paralysable=True
    )
    error = np.sqrt(rate * (1 - rate) / (40 * turns)) * 1.5
    assert np.all(np.abs(counts.counts.mean(axis=0) / turns - rate) < 4.5 * error)
    # both of two neighbours: the earlier was not hidden, and did not hide the later
    seen = counts.coinc[:, 0].mean(axis=0) / turns
    expected = q * (1 - blinding) * np.roll(rate, 1)
    assert np.all(np.abs(seen - expected) < 4.5 * np.sqrt(np.maximum(expected, 1e-12) / (40 * turns)) + 1e-5)


def test_blinding_may_differ_from_phase_to_phase() -> None:
    by_phase = np.where(np.arange(8) == 3, 1.0, 0.0)
    result = sample_pairs(np.random.default_rng(14), MU, 20_000, 0.0, by_phase)
    assert result.coinc[0, 3] == 0
    assert np.all(np.delete(result.coinc[0], 3) > 0)


def test_without_after_effects_gates_are_independent() -> None:
    turns, repeats = 20_000, 300
    q = 1 - np.exp(-MU)
    result = sample_pairs(np.random.default_rng(4), np.broadcast_to(MU, (repeats, 8)), turns)
    mean = result.counts.mean(axis=0)
    assert np.all(np.abs(mean - turns * q) < 4.5 * np.sqrt(turns * q * (1 - q) / repeats))
    variance = result.counts.var(axis=0, ddof=1)
    assert variance == pytest.approx(turns * q * (1 - q), rel=5 * np.sqrt(2 / repeats))
    for lag in range(1, 6):
        both = q * np.roll(q, lag)
        mean = result.coinc[:, lag - 1].mean(axis=0)
        assert np.all(np.abs(mean - turns * both) < 5 * np.sqrt(turns * both / repeats) + 1)


def test_pair_counters_agree_with_the_counts_within_the_turn() -> None:
    result = sample_pairs(np.random.default_rng(5), MU, 5000, 0.02, 0.3, starts=3)
    for lag in range(1, 6):
        assert np.array_equal(result.prev_hits[lag - 1, lag:], result.counts[:-lag])
        assert np.array_equal(result.pair_counts[lag - 1, lag:], result.counts[lag:])
        assert np.all(result.pair_gates[lag - 1, :lag] == 5000 - 3)
        assert np.all(result.pair_gates[lag - 1, lag:] == 5000)
    assert np.all(result.coinc <= np.minimum(result.prev_hits, result.pair_counts))
    assert np.all(result.pair_counts <= result.pair_gates)


@pytest.mark.parametrize("starts", [0, 1, 4, 50])
@pytest.mark.parametrize("turns", [0, 1, 3, 20])
def test_short_dwells_stay_consistent(turns: int, starts: int) -> None:
    result = sample_pairs(np.random.default_rng(6), MU, turns, 0.02, 0.3, starts=starts)
    assert np.all(result.gates == turns)
    for array in (result.counts, result.pair_gates, result.pair_counts, result.prev_hits, result.coinc):
        assert array.min() >= 0
    assert np.all(result.counts <= result.gates)
    assert np.all(result.prev_hits <= result.pair_gates)


def test_a_bright_gate_saturates_and_a_dark_one_stays_empty() -> None:
    mu = np.array([1e3, 0.0, 0.1, 0.1, 0.1, 0.1])
    result = sample_pairs(np.random.default_rng(7), mu, 1000)
    assert result.counts[0] == 1000
    assert result.counts[1] == 0
    assert result.prev_hits[0, 1] == 1000


def test_plain_counts_are_binomial() -> None:
    counts = sample_counts(np.random.default_rng(8), np.broadcast_to(MU, (4000, 8)), 1000)
    q = -np.expm1(-MU)
    assert counts.dtype == np.int64
    assert np.all(np.abs(counts.mean(axis=0) - 1000 * q) < 4.5 * np.sqrt(1000 * q * (1 - q) / 4000))
    assert counts.var(axis=0) == pytest.approx(1000 * q * (1 - q), rel=5 * np.sqrt(2 / 4000))


def test_leading_axes_are_summed() -> None:
    result = sample_pairs(np.random.default_rng(9), np.broadcast_to(MU, (2, 3, 8)), [[10, 20, 30], [1, 2, 3]])
    assert result.counts.shape == (2, 3, 8)
    assert result.coinc.shape == (2, 3, 5, 8)
    total = result.total()
    assert np.all(total.gates == 66)
    assert np.array_equal(total.coinc, result.coinc.sum(axis=(0, 1)))
    assert np.array_equal((total + total).counts, 2 * total.counts)


def test_same_seed_same_counts() -> None:
    first, again = (sample_pairs(np.random.default_rng(10), MU, 1000, 0.01, 0.2) for _ in range(2))
    assert np.array_equal(first.coinc, again.coinc)


def test_hit_probability_keeps_small_numbers() -> None:
    assert hit_probability(1e-12) == pytest.approx(1e-12, rel=1e-9)
