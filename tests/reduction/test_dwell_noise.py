"""Noise of a dwell from on/off contrasts, where points are counted for different times."""

from __future__ import annotations

import numpy as np

from reduction.counting.kernels import EMPTY
from reduction.counting.rows import DwellRows
from reduction.references.dwell_noise import noise_between_passes, parts_of_passes

CYCLES = (1, 1, 2, 5, 9, 30)
NOISE, COUNTING, PASSES = 0.01, 2e-3, 3


def rows_of(rng: np.random.Generator, cycles: tuple[int, ...] = CYCLES) -> DwellRows:
    """One slot of 0.2 photons a pulse; a jet that is another in each pass, and with the laser on 3 % less."""
    states = np.tile(np.array([1, 0, 0, 1], np.int8), max(cycles))
    taken = np.arange(states.size) < 4 * np.array(cycles)[:, None]
    level = rng.normal(1.0, 0.1, (PASSES, 1, 1)) * (1 - 0.03 * states)
    level = level * (1 + NOISE * rng.standard_normal((PASSES, *taken.shape)))
    mu = 0.2 * np.concatenate(list(level), axis=1)
    mu *= 1 + COUNTING * rng.standard_normal(mu.shape)
    state = np.tile(np.where(taken, states, np.int8(EMPTY)), PASSES)
    weight = np.where(state == EMPTY, 0.0, 1e5)
    variance = np.full((*mu.shape, 1), (0.2 * COUNTING) ** 2)
    number = np.repeat(np.arange(PASSES), states.size)
    return DwellRows(number, state, weight, np.ones_like(mu), mu[..., None], variance, np.zeros((*mu.shape, 1, 0)))


def test_parts_of_a_pass_are_whole_cycles_that_become_longer() -> None:
    found = parts_of_passes(rows_of(np.random.default_rng(0), (2, 7)))
    one = np.repeat([0, 1, 2, 2, 3, 3, 3], 4)
    assert found.tolist() == [*one, *(one + 4), *(one + 8)]


def test_the_noise_is_right_and_as_sure_as_all_contrasts_allow() -> None:
    """Of 18 contrasts between passes alone the variance is known to 40 % at best; of all parts to 20 %."""
    found = [noise_between_passes(rows_of(np.random.default_rng([3, seed]))) for seed in range(200)]
    ratio = np.array([one.variance for one in found]) / NOISE**2
    contrasts = PASSES * sum(1 + int(np.log2(one - 1)) + 1 if one > 1 else 1 for one in CYCLES) - len(CYCLES)
    expected = np.sqrt(2 / contrasts)
    assert abs(ratio.mean() - 1) < 4 * expected / np.sqrt(200)
    assert abs(ratio.std() / expected - 1) < 0.25
    assert np.mean([one.stddev for one in found]) / NOISE**2 / expected - 1 < 0.25
