"""The error of a dwell's photons a pulse, against the binomial formula and against the scatter of many dwells."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern

PATTERN = Pattern(24, 5, 2, 6.5e6)
GATES = np.full(120, 5000, dtype=np.int64)


def photons(hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums = CountingAccumulator(PATTERN, 1, 1e-3)
    update = sums.add(Dwell("pass", 0, 0, 0, False, "good", 0.15, hits, GATES, 2))
    return update.photons, update.photons_stddev


def test_it_is_the_binomial_one() -> None:
    """Variance of -ln(1 - k/n) is k / (n (n - k)) by the delta method; a slot is the mean of its 24 phases."""
    hits = np.random.default_rng(1).binomial(5000, 0.2, 120)
    slot = (np.arange(120) - 2) % 5
    variance = hits / (5000.0 * (5000 - hits))
    expected = [np.sqrt(variance[slot == s].sum()) / 24 for s in range(5)]
    np.testing.assert_allclose(photons(hits)[1], expected, rtol=1e-12)


def test_it_is_the_scatter_of_dwells() -> None:
    """400 dwells of 5 slots: a standard deviation of 2,000 pulls is known to 1 / sqrt(4000) = 1.6 %; 4 of these."""
    rng = np.random.default_rng(2)
    values, stddev = np.array([photons(rng.binomial(5000, 1 - np.exp(-0.3), 120)) for _ in range(400)]).swapaxes(0, 1)
    pulls = (values - 0.3) / stddev
    assert pulls.std() == pytest.approx(1.0, abs=0.064)
    assert pulls.mean() == pytest.approx(0.0, abs=4 / np.sqrt(2000))
