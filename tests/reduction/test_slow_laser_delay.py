"""Delay scans with a laser once in ten turns: bins of slots of every delay against the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.traces.delay import reduce_delay_scan
from tests.reduction.bunch_scans import ENERGY, SETTINGS, TURNS, Array, Ring, measured

DELAYS = np.array([-400.0, -300, -250, -200, -160, 100, 200, 400, 800, 1600, 5000, 20_000, 60_000, 130_000])
"""Of slot 0, ps; as many as a ring has points."""
LIFETIMES, AMPLITUDES = (120.0, 900.0, 9e5), (-0.05, -0.02, -0.03)
"""ps, and relative; the last one lives through six bunches, a fortieth of the period."""


class DelayRing(Ring):
    """A ring whose points are delays at one energy."""

    def level(self, laser: int) -> Array:
        bunch_distance = 1e12 / (self.bunches * TURNS)
        since = (DELAYS + bunch_distance * np.arange(self.divider)[:, None]) % (self.divider * bunch_distance)
        change = sum(size * np.exp(-since / tau) for size, tau in zip(AMPLITUDES, LIFETIMES, strict=True))
        return np.asarray(self.mu * (1 + laser * change))


def pulls_of_bins(reference: str, number: int, passes: int = 2) -> Array:
    """Pulls of all bins and delays, shape (number, S, T)."""
    pulls = []
    ring = DelayRing(24, 240, gates=50_000, charge=0.1, topup=(30.0, 3, 0.05), passes=passes)
    for seed in range(number):
        rates = measured(ring, np.random.default_rng([41, seed]), delay=None)
        assert rates.pattern is not None
        found = reduce_delay_scan(
            DELAYS, rates, replace(SETTINGS, reference=reference), rates.pattern.probe_delays(0.0)
        )
        off, on = (rates.pattern.mean_by_slot(ring.level(laser)) for laser in (0, 1))
        truth = on / off - 1
        truth[0] -= truth[0][SETTINGS.before_zero >= DELAYS].mean()
        pulls.append((found.transient - truth) / found.transient_stddev)
    return np.array(pulls)


def test_points_are_as_many_as_delays() -> None:
    assert DELAYS.size == ENERGY.size


@pytest.mark.parametrize("reference", ["slots", "paper"])
def test_pulls_of_early_and_late_bins_have_the_width_1(reference: str) -> None:
    """450 and more values, of which a third is independent: bins share the ground state, or the noise of a dwell."""
    pulls = pulls_of_bins(reference, 4)
    assert np.nanstd(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * np.isfinite(pulls).sum() / 3))


@pytest.mark.long
@pytest.mark.parametrize("reference", ["paper", "shutter", "slots", "combined"])
def test_pulls_of_each_bin_have_the_width_1_in_many_scans(reference: str) -> None:
    """Of 300 scans of four passes; what all delays share is known to 0.04 of the width if it is all of the error.

    Late bins have many counts: what is left with `paper` and `shutter` is the noise of dwells, which is found from the
    scan itself. Its 42 degrees of freedom make pulls 1.02 wide; the 14 of two passes would make them 1.08.
    """
    pulls = pulls_of_bins(reference, 300, passes=4)
    bins = pulls[:, np.isfinite(pulls).any(axis=(0, 2))]  # the last one alone may be the reference
    np.testing.assert_allclose(np.sqrt(np.nanmean(bins**2, axis=(0, 2))), 1, atol=0.1)
    assert np.sqrt(np.nanmean(pulls**2)) == pytest.approx(1, abs=0.05)
