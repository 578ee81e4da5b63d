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
from reduction.settings import REFERENCES, Settings
from tests.reduction.bunch_scans import ENERGY, SETTINGS, Ring, measured, normalised, spectrum, truth

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
    rates = measured(one, np.random.default_rng(1))
    found = rates.bunches
    assert found.dof == ((rates.rows.state == OFF).sum() - 1) * 40
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
    number, pulls, without = 25, [], []
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
    assert np.sqrt(np.mean(np.square(without))) > 2


HYBRID = (16.0, *[10.75] * 8)
PATTERNS = {
    "24/4": (24, 4, {}),
    "48/10": (48, 10, {}),
    "hybrid": (9, 9, {"charges": HYBRID, "gates": 200_000}),
    "328/328": (328, 328, {"gates": 20_000}),
    "324/4": (324, 4, {"gates": 20_000}),
    "1296 phases": (324, 1296, {"gates": 10_000}),
}


def pulls_of_scans(name: str, reference: str, number: int, settings: Settings = SETTINGS, **changes: Any) -> np.ndarray:
    """Transients of many scans with a top-up against their truth, shape (number, S, energies of the edge)."""
    bunches, divider, more = PATTERNS[name]
    pulls = []
    for seed in range(number):
        one = ring(bunches, divider, seed, charge=0.1, **more, **changes)
        rates = measured(one, np.random.default_rng([19, seed]), settings)
        result = spectrum(rates, reference, settings)
        true = truth_of_slots(one, rates, result.clean_slots == 1) if reference == "slots" else truth(one, rates)
        pulls.append((result.transient - true) / result.transient_stddev)
    return np.array(pulls)[:, :, 3:]


def truth_of_slots(one: Ring, rates: PointRates, clean: np.ndarray) -> np.ndarray:
    """What `slots` measures: each slot over the geometric mean of the others that are clean, or over the last one.

    Of a slow laser, what all others measure: its slots before the pump hold nothing.
    """
    if rates.rows.ground is not None:
        return truth(one, rates)
    off, on = (rates.pattern.mean_by_slot(one.level(laser)) for laser in (OFF, ON))
    slot = rates.pattern.slot_of_phase()
    size = np.bincount(slot[slot >= 0], minlength=len(on)).astype(float)
    held = []
    for each in range(len(on)):
        chosen = clean if clean.any() else np.arange(len(on)) == len(on) - 1
        weight = np.where(chosen & (np.arange(len(on)) != each), size, 0.0)
        held.append(weight @ np.log(on / off) / weight.sum() if weight.any() else np.full(ENERGY.size, np.nan))
    return normalised(on / np.exp(held)) - normalised(off)


@pytest.mark.parametrize("name", PATTERNS)
def test_pulls_of_every_pattern_have_the_width_1(name):
    """A few scans of each, without the noise that slots share: half the values at least are independent."""
    pulls = pulls_of_scans(name, "combined", 5, QUIET, jet=0.0)
    assert np.nanstd(pulls) == pytest.approx(1, abs=4 / np.sqrt(pulls.size))


@pytest.mark.parametrize("reference", ["paper", "combined"])
def test_noise_of_the_record_is_in_the_errors_and_mostly_cancels_between_on_and_off(reference):
    """Of 1 % a reading, three times the counting error of a dwell; each slot sees one bunch."""
    noisy = {"jet": 0.0, "record_noise": 0.01}
    pulls = pulls_of_scans("hybrid", reference, 8, QUIET, **noisy)
    assert np.nanstd(pulls) == pytest.approx(1, abs=4 / np.sqrt(pulls.size))
    one = ring(9, 9, 0, charges=HYBRID, gates=200_000, **noisy)
    found = measured(one, np.random.default_rng(1), QUIET).bunches
    assert found.measured > 1.2 * found.fixed  # chi-square is that of counting alone
    assert "have more noise than the bunches change" in found.notes[0]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "reference"), [*((name, "combined") for name in PATTERNS), *(("24/4", each) for each in REFERENCES[:3])]
)
def test_pulls_of_500_scans_with_a_top_up_have_the_width_1(name, reference):
    """With `slots`, the last slot has a value only in the scans that find another one clean, and those are a choice."""
    pulls = pulls_of_scans(name, reference, 500)
    assert np.nanstd(pulls) == pytest.approx(1, abs=0.05)
    always = np.isfinite(pulls).all(axis=0)
    assert always.any() and np.abs(pulls.mean(axis=0)[always]).max() < 5.5 / np.sqrt(500)
