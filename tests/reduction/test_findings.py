"""Threshold and gate from counts drawn by the law of photons and heights: pulls, intervals, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erfc, exp, factorial, sqrt
from typing import Any

import numpy as np
import pytest

from reduction.findings.bunch import seen_bunch
from reduction.findings.finding import FindingResult
from reduction.findings.gate import GateScan, find_gate
from reduction.findings.threshold import find_threshold

LEVELS = np.geomspace(3.0, 600.0, 32)
GATES = 3_260_000
"""Of half a second."""
SPACING_NS = 1296 / 351.933984e6 / 24 * 1e9
TICK_NS = 4.0
BEAM, NO_BEAM, LEAST = 1e6, 1e3, 2e4


@dataclass
class Apd:
    """A detector, and the light that falls on it."""

    photon: float = 100.0
    fwhm: float = 0.22
    noise: float = 4.0
    mu: float = 0.15
    scatter: float = 0.01


def drawn_apd(rng: np.random.Generator) -> Apd:
    photon, noise = float(np.exp(rng.uniform(np.log(50), np.log(250)))), rng.uniform(2.0, 4.0)
    return Apd(photon, rng.uniform(0.2, 0.3), noise, float(np.exp(rng.uniform(np.log(0.01), np.log(0.5)))))


def counted(rng: np.random.Generator, apd: Apd, beam: float = BEAM, dead: bool = False) -> FindingResult:
    """FindingResult from hits at each threshold: Poisson photons of Gaussian heights, and the noise's crossings."""
    avalanche, numbers = sqrt((apd.fwhm * apd.photon / 2.3548) ** 2 - apd.noise**2), range(1, 30)
    hits = []
    for level in LEVELS:
        mu = apd.mu * (1 + apd.scatter * rng.standard_normal()) if beam == BEAM else 1e-9
        below = [erfc((n * apd.photon - level) / sqrt(2 * (apd.noise**2 + n * avalanche**2))) / 2 for n in numbers]
        silent = exp(-mu) * (1 + sum(mu**n / factorial(n) * each for n, each in zip(numbers, below, strict=True)))
        quiet = exp(-15.6 * exp(-0.5 * (level / apd.noise) ** 2))
        hits.append(0 if dead else rng.binomial(GATES, min(max(1 - silent * quiet, 0.0), 1.0)))
    gates = np.full(LEVELS.size, GATES)
    return find_threshold(LEVELS, np.array(hits), gates, np.full(LEVELS.size, beam), LEAST)


def gate_scan(rng: np.random.Generator, arrival: float, length: float, mu: float, **changes: Any) -> GateScan:
    """Counts of 24 bunches by 5 slots at each delay of the gate; pulses of all bunches, averaged over the jitter."""
    spread, width = changes.pop("spread", 0.05), int(rng.integers(3, 6))
    delays = np.tile(int(rng.integers(0, 60)) + np.arange(42), 3)
    charge = 1 + spread * rng.standard_normal(24)
    gates = int(6.5e6 * 0.2 / 120)
    hits = []
    for delay in delays:
        opens = TICK_NS * (delay + (np.arange(64) + 0.5) / 64)
        seen = np.zeros((64, 24))
        for k in range(-12, 12):
            begins = arrival + k * SPACING_NS
            overlap = np.minimum(opens + width * TICK_NS, begins + length) - np.maximum(opens, begins)
            seen += np.clip(overlap, 0, None)[:, None] / length * np.roll(charge, -k)
        hit = 1 - np.exp(-mu * (1 + 0.01 * rng.standard_normal()) * seen).mean(axis=0)
        hits.append(rng.binomial(gates, np.tile(hit, 5)))
    scan = GateScan(
        delay=delays.astype(float), hits=np.array(hits, float), gates=np.full((delays.size, 120), float(gates)),
        width=width, tick=TICK_NS, jitter=TICK_NS, spacing=SPACING_NS,
        currents=charge * (1 + 2e-3 * rng.standard_normal(24)), i0_rate=np.full(delays.size, BEAM), i0_least=LEAST,
    )  # fmt: skip
    return replace(scan, **changes)


def check_pulls(pulls: list[float]) -> None:
    """Mean 0 and width 1 within 4 standard errors, and the intervals hold the truth as often as they say."""
    found, number = np.array(pulls), len(pulls)
    assert abs(found.mean()) < 4 / sqrt(number)
    assert abs(found.std() - 1) < 4 / sqrt(2 * number) + 0.05  # heavier tails: the scatter is estimated, too
    for width, share in ((1.0, 0.683), (2.0, 0.954)):
        assert abs((np.abs(found) < width).mean() - share) < 4 * sqrt(share * (1 - share) / number) + 0.02


REPEATS = [8, pytest.param(400, marks=pytest.mark.long)]


@pytest.mark.parametrize("repeats", REPEATS)
def test_the_threshold_has_right_errors(repeats: int) -> None:
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        apd = drawn_apd(rng)
        found = counted(rng, apd)
        assert found.verdict == "good", found.reason
        spread = apd.fwhm * apd.photon / 2.3548
        assert 4 * apd.noise < found.settings["threshold"] < apd.photon - 3 * spread
        pulls.append((found.value - 0.5 * apd.photon) / found.stddev)
    check_pulls(pulls)


@pytest.mark.parametrize("repeats", [3, pytest.param(300, marks=pytest.mark.long)])
def test_the_gate_has_right_errors_and_is_never_on_another_bunch(repeats: int) -> None:
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        arrival, length = rng.uniform(30, 900), rng.uniform(5, 12)
        found = find_gate(gate_scan(rng, arrival, length, float(np.exp(rng.uniform(np.log(0.01), np.log(0.4))))))
        assert found.verdict == "good", found.reason
        opens, width = (TICK_NS * found.settings[name] for name in ("gate_delay", "gate_width"))
        assert opens + TICK_NS <= arrival + 0.3 and arrival + length - 0.3 <= opens + width
        pulls.append((found.value - arrival - 0.5 * length) / found.stddev)
    check_pulls(pulls)


@pytest.mark.parametrize(
    ("apd", "beam", "dead", "reason"),
    [
        (Apd(), NO_BEAM, False, "No beam"),
        (Apd(), BEAM, True, "Dead detector"),
        (Apd(mu=1e-6), BEAM, False, "No sample"),
    ],
)
def test_a_threshold_without_counts_names_the_cause(apd: Apd, beam: float, dead: bool, reason: str) -> None:
    found = counted(np.random.default_rng(1), apd, beam, dead)
    assert found.verdict == "bad" and found.reason.startswith(reason)
    assert not found.settings and np.isnan(found.value)


def test_a_short_plateau_is_in_doubt() -> None:
    found = counted(np.random.default_rng(2), Apd(photon=24.0, fwhm=0.6, noise=5.0))
    assert found.verdict != "good"


def test_equal_bunches_leave_the_gate_unset() -> None:
    """With every bunch alike each plateau looks the same: none is taken for the right one."""
    found = find_gate(gate_scan(np.random.default_rng(3), 40.0, 8.0, 0.1, spread=0.0))
    assert found.verdict == "look" and not found.settings
    assert "which bunch" in found.reason


@pytest.mark.parametrize("rate", [NO_BEAM, BEAM])
def test_a_gate_without_counts_names_the_cause(rate: float) -> None:
    scan = gate_scan(np.random.default_rng(4), 40.0, 8.0, 1e-9, i0_rate=np.full(126, rate))
    found = find_gate(scan)
    assert found.verdict == "bad" and found.reason.startswith("No beam" if rate == NO_BEAM else "Dead detector")


def test_the_bunch_is_known_by_the_currents_of_all() -> None:
    currents = np.array([1.0, 1.2, 0.9, 1.05, 0.97, 1.1])
    for offset in range(-2, 4):
        found = seen_bunch(0.1 * np.roll(currents, -offset), np.full(6, 1e-8), currents)
        assert found.certain and found.offset == offset
    assert "do not follow" in seen_bunch(0.1 * currents[::-1] ** 3, np.full(6, 1e-10), currents).reason
    assert not seen_bunch(currents, np.full(6, 1e-8), np.full(6, np.nan)).certain
