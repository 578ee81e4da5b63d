"""Time zero and energy from drawn counts: pulls, either sign of the delay, whole bunches, and causes by name."""

from __future__ import annotations

from dataclasses import replace
from math import erfc, exp, sqrt
from typing import Any

import numpy as np
import pytest

from reduction.findings.energy import FoilScan, _mean, find_energy
from reduction.findings.finding import FindingResult
from reduction.findings.rise import fit_rise
from reduction.findings.time_zero import TimeZeroScan, find_time_zero
from tests.reduction.test_findings import check_pulls

SPACING, SLOTS = 153_440.0, 5
"""ps, and slots of the laser."""
T0, LEAST = 169_780.0, 2e4
DECAYS = ((0.60, 120.0), (0.21, 900.0), (0.19, 155_000.0))
RISE = np.concatenate([np.arange(-120.0, 241.0, 20.0), [280.0, 340.0, 420.0, 600.0, 900.0]])


def response(time: float, sigma: float = 45.0) -> float:
    """Decays through a Gaussian response, in closed form."""
    found = 0.0
    for share, lifetime in DECAYS:
        if time < 8 * sigma:
            z = (sigma / lifetime - time / sigma) / sqrt(2)
            found += share * 0.5 * exp(0.5 * (sigma / lifetime) ** 2 - time / lifetime) * erfc(z)
        else:
            found += share * exp(-time / lifetime)
    return found


def transient(time: float) -> float:
    """Of a laser with the period of all slots, those of earlier pumps included."""
    period = SPACING * SLOTS
    since = (time + 1000.0) % period - 1000.0
    return sum(response(since + turn * period) for turn in range(3))


def counts(rng: np.random.Generator, mu: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Photons per pulse of slots, and their variance, in some seconds of 24 bunches."""
    gates = int(1.303e6 * seconds)
    hits = rng.binomial(gates, 1 - np.exp(-mu))
    return -np.log1p(-hits / gates), hits / (gates * (gates - hits))


def scan_of(rng: np.random.Generator, off: float, sign: int, size: float = -0.03) -> TimeZeroScan:
    """Looks at whole bunch spacings, around the onset, and at its rise; `off` is the delay of coincidence as set."""
    looks = [SPACING * (np.arange(16) + each / 4) / 16 for each in range(2)]
    looks += [off + np.linspace(-wide, wide, 16) for wide in (12_000.0, 2_000.0, 400.0)]
    rows: list[tuple[float, bool, bool, Any, Any]] = []
    for delays, of_rise in [*((each, False) for each in looks), *((off + sign * RISE, True) for _ in range(8))]:
        for number, delay in enumerate(delays):
            for on in (True, False)[: 1 + (number % 3 == 0)]:
                time = sign * (delay - off) + SPACING * np.arange(SLOTS)
                pumped = np.array([transient(each) for each in time]) if on else np.zeros(SLOTS)
                jet = 1 + 0.01 * rng.standard_normal()
                rows.append((delay, on, of_rise, *counts(rng, 0.15 * jet * (1 + size * pumped), 10.0)))
    setting, on, of_rise, photons, variance = (np.array(each) for each in zip(*rows, strict=True))
    rate = np.full(len(rows), 1e6)
    return TimeZeroScan(setting, on, of_rise, photons, variance, SPACING, T0, rate, LEAST)


@pytest.mark.parametrize("repeats", [8, pytest.param(400, marks=pytest.mark.long)])
def test_the_rise_has_right_errors(repeats: int) -> None:
    rng, delay = np.random.default_rng(repeats), np.tile(RISE, 10)
    true = np.array([-0.03 * response(each) for each in RISE])
    zeros, sigmas = [], []
    for _ in range(repeats):
        found = fit_rise(delay, np.tile(true, 10) + 1e-3 * rng.standard_normal(delay.size), np.full(delay.size, 1e-6))
        zeros.append(found.zero / found.zero_stddev)
        sigmas.append((found.sigma - 45.0) / found.sigma_stddev)
    check_pulls(zeros)
    check_pulls(sigmas)


def test_a_known_lifetime_makes_the_error_smaller_and_another_one_is_named() -> None:
    rng, delay = np.random.default_rng(7), np.tile(RISE, 10)
    true = np.array([-0.03 * response(each) for each in RISE])
    smaller, zeros = [], []
    for _ in range(12):
        value = np.tile(true, 10) + 2e-3 * rng.standard_normal(delay.size)
        free, known = (fit_rise(delay, value, np.full(delay.size, 4e-6), each) for each in (None, (125.0, 20.0)))
        smaller.append(known.zero_stddev / free.zero_stddev)
        zeros.append(known.zero / known.zero_stddev)
    check_pulls(zeros)
    assert np.median(smaller) < 0.8
    scan = scan_of(rng, -400.0, 1)
    assert find_time_zero(replace(scan, lifetime=(120.0, 20.0))).verdict == "good"
    found = find_time_zero(replace(scan, lifetime=(600.0, 30.0)))
    assert found.verdict == "look" and "not with 600 +- 30 ps" in found.reason, found.reason


@pytest.mark.parametrize(
    ("off", "sign"),
    [(-238_000.0, 1), *(pytest.param(*each, marks=pytest.mark.long) for each in ((90_000.0, 1), (30_000.0, -1)))],
)
def test_time_zero_is_found_over_whole_bunches_and_for_either_sign(off: float, sign: int) -> None:
    found = find_time_zero(scan_of(np.random.default_rng(5), off, sign))
    assert found.verdict == ("good" if sign > 0 else "look"), found.reason
    assert ("run backwards" in found.reason) == (sign < 0)
    assert found.numbers["sign"][0] == sign
    wrong = (found.value - (T0 - off) + 0.5 * SPACING * SLOTS) % (SPACING * SLOTS) - 0.5 * SPACING * SLOTS
    assert abs(wrong) < 4.5 * found.stddev < 25.0


@pytest.mark.parametrize("repeats", [4, pytest.param(60, marks=pytest.mark.long)])
def test_the_onset_alone_is_a_rough_time_zero(repeats: int) -> None:
    """With an error that covers the response and the lifetimes, which are not fitted; only if it is asked for."""
    pulls = []
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        off = rng.uniform(-250_000.0, 90_000.0)
        scan = onset_of(scan_of(rng, off, 1))
        found = find_time_zero(replace(scan, target=141.0))
        assert found.verdict == "good" and "rise was not measured" in found.reason
        x, y, weight = found.curve.x, found.curve.y, found.curve.stddev**-2
        after, before = ((weight * y)[side].sum() / weight[side].sum() for side in ((x > 0) & (x < 10_000), x < 0))
        assert x.size and abs(after - before) > 5 * (weight[x < 0].sum()) ** -0.5  # its step is in the figure
        pulls.append(((found.value - (T0 - off) + 2.5 * SPACING) % (5 * SPACING) - 2.5 * SPACING) / found.stddev)
        assert "rise was not measured" not in find_time_zero(scan).reason
    assert max(map(abs, pulls)) < 4.0 and sqrt(np.mean(np.square(pulls))) < 1.3


def onset_of(scan: TimeZeroScan) -> TimeZeroScan:
    """The looks for the onset alone, without the closest."""
    kept = np.nonzero(~scan.of_rise)[0][:-21]
    columns = ("setting", "laser_on", "of_rise", "photons", "variance", "i0_rate")
    return replace(scan, **{name: getattr(scan, name)[kept] for name in columns})


def test_time_zero_without_transient_or_light_names_the_cause() -> None:
    dead = scan_of(np.random.default_rng(6), -50_000.0, 1, size=0.0)
    found = find_time_zero(dead)
    assert found.verdict == "bad" and found.reason.startswith("Dead laser") and not found.settings
    no_beam = replace(dead, i0_rate=np.full(dead.setting.size, 1e3))
    assert find_time_zero(no_beam).reason.startswith("No beam")


def foil(
    rng: np.random.Generator, offset: float, backlash: float = 0.3, e0: float = 13.4737, **changes: Any
) -> FoilScan:
    """An edge as an arctangent of 2.5 eV, scanned three times in each direction; true minus shown is `offset` eV."""
    shown = np.arange(13.4637, 13.48371, 0.0005)
    energy = np.concatenate([shown, shown[::-1]] * 3)
    upwards = np.tile(np.r_[np.ones(shown.size, bool), np.zeros(shown.size, bool)], 3)
    true = 1e3 * (energy - e0) + offset + np.where(upwards, 0.0, backlash) + 0.01 * rng.standard_normal(energy.size)
    values = 0.5 + np.arctan(true / 1.25) / np.pi + 3e-4 * rng.standard_normal(energy.size)
    scan = FoilScan(energy, values, upwards, 13.4737, "Br_K", np.full(energy.size, 1e6), LEAST)
    return replace(scan, **changes)


@pytest.mark.parametrize("repeats", [2, pytest.param(200, marks=pytest.mark.long)])
def test_the_energy_has_right_errors(repeats: int) -> None:
    rng, pulls, play = np.random.default_rng(repeats), [], []
    for _ in range(repeats):
        offset = rng.uniform(-3, 3)
        found = find_energy(foil(rng, offset))
        assert found.verdict == ("good" if found.stddev < 0.05 else "look"), found.reason
        assert found.settings["calibration"] == pytest.approx(1e-3 * found.value)
        pulls.append((found.value - offset) / found.stddev)
        play.append((found.numbers["backlash_eV"][0] - 0.3) / found.numbers["backlash_eV"][1])
    check_pulls(pulls)
    check_pulls(play)


def test_the_error_of_an_absorbance_is_larger_on_the_edge_where_the_energy_is_not_repeated() -> None:
    """By 0.01 eV: 2.5e-3 on the edge, where the slope is 0.25 an eV, and 3e-4 far from it."""
    scan = foil(np.random.default_rng(4), 0.0)
    energy, _, stddev = _mean(scan, scan.upwards)
    assert stddev[np.abs(energy - 13.4737).argmin()] > 3 * np.median(stddev)


def reasons() -> list[tuple[FindingResult, str]]:
    rng = np.random.default_rng(7)
    flat = foil(rng, 0.0)
    return [
        (find_energy(foil(rng, 0.0, e0=13.60)), "No edge"),
        (find_energy(foil(rng, 9.0)), "No edge of Br_K"),
        (find_energy(replace(flat, absorbance=np.full(flat.energy.size, np.nan))), "Dead chamber"),
        (find_energy(replace(flat, i0_rate=np.full(flat.energy.size, 1e3))), "No beam"),
    ]


def test_an_energy_without_edge_names_the_cause() -> None:
    for found, words in reasons():
        assert found.verdict == "bad" and found.reason.startswith(words), found.reason
        assert not found.settings
