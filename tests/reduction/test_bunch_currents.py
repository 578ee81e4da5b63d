"""Bunches with currents of their own that change: chi-square of their counts, and a top-up that must not show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import PointRates
from reduction.references.dwell_noise import dwell_noise
from reduction.references.methods import by_paper
from tests.reduction.bunch_scans import SETTINGS, Ring, measured, spectrum, truth

QUIET = replace(SETTINGS, i0_noise=2e-4)
POINT, BUNCH = 5, 3
"""The point during which a top-up fills a bunch, and that bunch."""


def ring(bunches: int, divider: int, seed: int, **more: Any) -> Ring:
    """A ring with a top-up of 5 % of one bunch, somewhere between the first dwell of a point (on) and the last."""
    amplitudes = 0.4 ** np.minimum(np.arange(divider), 40)
    begins = Ring(bunches, divider, amplitudes, **more).times()[POINT]
    when = float(np.random.default_rng([3, seed]).uniform(begins[0], begins[-1]))
    return Ring(bunches, divider, amplitudes, topup=(when, BUNCH, 0.05), **more)


def test_counts_of_bunches_are_poisson_only_with_efficiencies_and_measured_currents():
    """Bunches that differ by 3 %, with lifetimes of their own: far above 1, a few, and 1 within four of its errors."""
    amplitudes = 0.4 ** np.minimum(np.arange(41), 40)
    changing = {"lifetime": 1500.0, "topup": (50.0, 7, 0.15)}
    one = Ring(41, 41, amplitudes, charge=0.03, efficiency=0.01, record_noise=1e-3, **changing)
    found = measured(one, np.random.default_rng(1)).bunches
    assert found.equal > 10
    assert 1.5 < found.fixed < 8
    assert found.measured == pytest.approx(1, abs=4 * np.sqrt(2 / found.dof) + 0.03)  # 0.03: the record's noise


def pulls_of_ratios(one: Ring, rates: PointRates) -> np.ndarray:
    """On over off of each slot against the truth, shape (S, E)."""
    compared = by_paper(rates.rows, dwell_noise(rates.rows).at_least(QUIET.i0_noise))
    ratio = np.log(compared.rate[ON] / compared.rate[OFF])
    local = compared.local / (compared.rate[:, :, None, None] * compared.rate)
    own = np.arange(len(ratio))
    signs = ((OFF, OFF, 1), (ON, ON, 1), (OFF, ON, -1), (ON, OFF, -1))
    variance = sum(sign * local[a, own, b, own] for a, b, sign in signs)
    level = [rates.pattern.mean_by_slot(one.level(laser)) for laser in (OFF, ON)]
    return (ratio - np.log(level[ON] / level[OFF])) / np.sqrt(variance)


@pytest.mark.parametrize("monitor", [False, True])
def test_a_top_up_of_one_bunch_between_on_and_off_does_not_show(monitor):
    """Of 24 bunches with every 4th pumped, bunch 3 is one of six in slot 3, which changes by 0.8 %."""
    number, pulls, without = 40, [], []
    for seed in range(number):
        one = ring(24, 4, seed, passes=1, record_noise=1e-3, gates=1_000_000, jet=0.0)
        pulls.append(pulls_of_ratios(one, measured(one, np.random.default_rng([17, seed]), QUIET, monitor=monitor)))
        if seed < 10:
            plain = measured(one, np.random.default_rng([17, seed]), QUIET, record=False)
            without.append(pulls_of_ratios(one, plain)[3, POINT])
    pulls = np.array(pulls)
    # slots of a dwell share the noise of I0: a third of the values is independent
    assert np.sqrt((pulls**2).mean()) == pytest.approx(1, abs=4 / np.sqrt(2 * pulls.size / 3))
    assert np.sqrt((pulls[:, 3, POINT] ** 2).mean()) < 1 + 4 / np.sqrt(2 * number)
    assert np.sqrt(np.mean(np.square(without))) > 3


@pytest.mark.long
@pytest.mark.parametrize("reference", ["paper", "shutter", "combined"])
@pytest.mark.parametrize(("bunches", "divider"), [(24, 4), (48, 10), (41, 41), (324, 4)])
def test_pulls_of_500_scans_with_a_top_up_have_the_width_1(bunches, divider, reference):
    pulls = []
    for seed in range(500):
        one = ring(bunches, divider, seed, charge=0.1)
        rates = measured(one, np.random.default_rng([19, seed]))
        result = spectrum(rates, reference)
        pulls.append((result.transient - truth(one, rates)) / result.transient_stddev)
    pulls = np.array(pulls)[:, :, 3:]
    assert np.nanstd(pulls) == pytest.approx(1, abs=0.05)
    assert np.abs(np.nanmean(pulls, axis=0)).max() < 5 / np.sqrt(500)
