"""Numbers of findings from scans without noise, or with a noise that is known, by hand or by scipy's own fit."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from reduction.documents.findings import Judges
from reduction.documents.time_zero import TimeZeroJudge
from reduction.findings.crystal import RockingScan, find_crystal
from reduction.findings.finding import FindingCurve
from reduction.findings.gate import GateScan, Pulse, _settings
from reduction.findings.onset import _within
from reduction.findings.overlap import find_overlap
from reduction.findings.steady import find_flux, find_jet
from reduction.findings.threshold import ApdHeights, _judged
from reduction.findings.windows import WindowScan, find_windows
from tests.reduction import test_overlap, test_steady

NONE = np.empty(0)
NOISE = 1e-5
"""V; of the trace, which is above its level by that at one point and below it at the next, and the other way round
about the next pulse."""
STEPS = np.array([0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25])
"""A pulse of nine points of 1 ns, about its middle."""


def trace(height: float, shape: np.ndarray = STEPS, middle: int = 30) -> WindowScan:
    """One period of 400 ns with four pulses 100 ns apart."""
    time = np.arange(400)
    value = 2e-3 + NOISE * (-1.0) ** (time + (time - middle + 50) // 100 % 4)
    for pulse in range(4):
        value[middle + 100 * pulse + np.arange(shape.size) - shape.size // 2] += height * shape
    return WindowScan(np.arange(400.0), value[None], 100.0, 4, False, np.full(1, 1e6), 2e4)


@pytest.mark.parametrize("height", [8e-3, -8e-3])
def test_a_pulse_of_nine_points_by_hand(height: float) -> None:
    found = find_windows(trace(height))
    assert found.value == pytest.approx(30.0, abs=0.02)
    noise = 1.4826 * NOISE
    # one point is added on each side, where a pulse may begin, and a quarter of the length for its centre
    area, squares = 4 * 8e-3 * STEPS.sum(), 4 * (np.arange(-7, 8) ** 2).sum()
    assert found.stddev == pytest.approx(noise * np.sqrt(squares) / area, rel=0.02)
    expected = {"pulse_length_ns": 10.0, "height_mV": 1e3 * height, "level_mV": 2.0, "noise_mV": 1e3 * noise}
    expected["to_neighbour_ns"] = 90.0
    assert {name: found.numbers[name][0] for name in expected} == pytest.approx(expected, rel=2e-3)
    assert found.numbers["height_mV"][1] == found.numbers["level_mV"][1] == pytest.approx(1e3 * noise)
    degrees = {"window_1": 25.0, "baseline_1": 75.0, "window_2": 325.0, "baseline_2": 375.0}
    assert {name: found.settings[name] / 360 * 400 for name in degrees} == pytest.approx(degrees, abs=0.05)
    assert found.settings["window_size"] == found.settings["window_size_2"] == pytest.approx(10e-9, rel=1e-3)


@pytest.mark.parametrize(("times", "verdict"), [(7.5, "bad"), (8.5, "good")])
def test_a_pulse_is_one_from_eight_times_the_noise(times: float, verdict: str) -> None:
    """The mean of three points of the top has a third of the noise's step."""
    found = find_windows(trace(times * 1.4826 * NOISE, np.ones(9)))
    assert found.verdict == verdict
    assert verdict == "good" or "flat within 0.015 mV" in found.reason


def test_what_is_lower_than_a_twentieth_of_a_pulse_is_outside_of_it() -> None:
    """2 %, which is eight times the noise."""
    found = find_windows(trace(8e-3, np.concatenate([[0.02], STEPS, [0.02]])))
    assert found.numbers["pulse_length_ns"][0] == pytest.approx(10.0, rel=1e-3)


def test_a_pulse_at_the_end_of_the_period_is_whole() -> None:
    """Folded by the time between bunches, it begins before its middle even where the trace ends there."""
    found = find_windows(trace(8e-3, middle=95))
    assert found.value == pytest.approx(95.0, abs=0.02) and found.numbers["pulse_length_ns"][0] == pytest.approx(10.0)


def test_a_trace_comes_from_one_reading_of_its_phases() -> None:
    scan = trace(8e-3)
    row = {"phase": scan.time * 360 / 400, "boxcar_pwa": scan.trace[0], "boxcar_overload": 0, "i0": 1e6, "i0_time": 1}
    judges = object.__new__(Judges)
    judges._boxcar, judges._i0_least = "boxcar", 1.0  # type: ignore[attr-defined]
    found = judges.windows([row], {"spacing_ns": 100.0, "divider": 4.0})
    assert found.value == pytest.approx(30.0, abs=0.02)


def gate_scan(jitter: float) -> GateScan:
    return GateScan(NONE, NONE, NONE, 5, 4.0, jitter, 100.0, NONE, NONE, 0.0)


@pytest.mark.parametrize(("delay", "share"), [(20.0, 1.0), (15.0, 0.5), (34.0, 0.6), (60.0, 0.0), (9.0, 0.0)])
@pytest.mark.parametrize("turns", [0, 1, 4, 9])
def test_a_gate_sees_the_part_of_a_pulse_that_falls_into_it_of_every_bunch(
    delay: float, share: float, turns: int
) -> None:
    """A gate of 20 ns, a pulse from 30 to 40 ns."""
    seen = Pulse(30.0, 10.0, 0.2, 0.01).seen(delay + 100.0 * turns, gate_scan(0.0))
    assert float(seen) == pytest.approx(0.01 + 0.2 * share)


@pytest.mark.parametrize(("jitter", "settings"), [(4.0, (22, 5)), (1.0, (23, 4))])
def test_a_gate_has_a_quarter_of_a_tick_to_spare_on_both_sides(jitter: float, settings: tuple[int, int]) -> None:
    """A pulse from 96 to 104 ns: four ticks from 88 ns, and a jitter of a tick, end with it; from 92 ns they do not."""
    assert _settings(gate_scan(jitter), Pulse(96.0, 8.0, 0.2, 0.01), 100.0) == settings


def test_a_detector_that_broadens_its_pulses_has_a_steep_plateau() -> None:
    """Heights of 100 +- 40 mV: at half of 100 mV, 1 % of threshold is 0.25 % of the hits (normal distribution)."""
    heights = ApdHeights(100.0, 40.0, 1.0, 1.0, 0.01)
    level = np.geomspace(20.0, 400.0, 30)
    curve = FindingCurve(level, level, level, NONE, NONE, "", "")
    covariance = np.diag([1e-4, 0.0, 4e-4, 0.0, 9e-4])
    found = _judged(heights, covariance, level, curve)
    width = np.hypot(40.0, 1.0)
    expected = 50.0 / width * norm.pdf(-50.0 / width) / norm.sf(-50.0 / width)
    assert found.numbers["slope"][0] == pytest.approx(expected, rel=0.01)
    assert found.verdict == "look" and found.reason.startswith("The plateau is short")
    assert found.numbers["resolution_fwhm"][0] == pytest.approx(2 * np.sqrt(2 * np.log(2)) * width / 100, rel=1e-4)
    for name, value, error in (
        ("chosen_mV", 50.0, 0.5), ("photon_mV", 100.0, 1.0), ("noise_mV", 1.0, 0.02), ("photons_per_gate", 0.01, 3e-4),
    ):  # fmt: skip
        assert found.numbers[name] == pytest.approx((value, error)), name


def test_the_errors_of_a_rhythm_are_shown_as_they_are_compared() -> None:
    series = test_steady.series_of(np.random.default_rng(5), 0.1, np.zeros(240), 0.0)
    found = find_jet(series)
    best = int(np.argmin(found.curve.y))
    assert found.curve.x[best] == found.numbers["best_dwell_s"][0]
    assert found.curve.y[best] / found.curve.fit[best] == pytest.approx(found.numbers["over_counting"][0])
    # laser on and off for a second of beam: 24 bunches a slot, half of the time each, less what is lost with each dwell
    gates = 1.303e6 * found.curve.x / (found.curve.x + series.overhead)
    assert found.curve.fit == pytest.approx(100 * np.sqrt(2 * np.expm1(0.1) / 0.1**2 / (5 * gates / 2)), rel=0.05)


def test_beam_time_for_a_thousandth_is_that_of_binomial_counts() -> None:
    """The variance of mu from n gates is (e^mu - 1) / n."""
    found = find_flux(test_steady.series_of(np.random.default_rng(6), 0.2, np.zeros(60)))
    gates = 1.3034e6 * found.numbers["seconds_for_one_in_thousand"][0]
    assert np.sqrt(2 * np.expm1(found.value) / gates) / found.value == pytest.approx(1e-3, rel=1e-3)


def test_the_share_of_the_fluence_is_given_in_per_cent() -> None:
    found = find_overlap(test_overlap.scan_of(np.random.default_rng(1), np.array([20.0, -10.0])))
    share, error = found.numbers["share_before"]
    said = re.search(r"saw (\d+) \+- (\d+) % of its fluence", found.reason)
    assert said is not None and [int(each) for each in said.groups()] == [round(100 * share), round(100 * error)]


def test_the_curve_of_an_overlap_is_half_as_high_at_half_of_its_width() -> None:
    found = find_overlap(test_overlap.scan_of(np.random.default_rng(1), np.array([20.0, -10.0])))
    width = np.sqrt(found.numbers["width_along_um"][0] * found.numbers["width_across_um"][0])
    assert np.interp(width / 2, found.curve.fit_x, found.curve.fit) == pytest.approx(0.5, abs=1e-3)
    assert np.interp(width / 4, found.curve.fit_x, found.curve.fit) == pytest.approx(0.5**0.25, abs=1e-3)


def test_the_error_of_an_onset_is_the_width_of_its_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chi-square falls by the square of the distance in errors of 30 ps."""
    monkeypatch.setattr("reduction.findings.onset._gains", lambda trace, sign, at: 100 - ((at - 40.0) / 30.0) ** 2)
    found = _within(None, 1, -500.0, 500.0)  # type: ignore[arg-type]
    assert (found.mean, found.stddev) == pytest.approx((40.0, 30.0), rel=0.02)
    assert found.significance == pytest.approx(10.0, rel=1e-3)


def test_what_is_not_found_has_no_curve() -> None:
    scan = test_overlap.scan_of(np.random.default_rng(1), np.zeros(2))
    curve = find_overlap(replace(scan, i0_rate=np.full(scan.along.size, 1e3))).curve
    assert curve.x.size == curve.y.size == curve.fit_x.size == curve.fit.size == 0


def rocking(away: float) -> tuple[RockingScan, float]:
    """A rocking curve with an alternating deviation, and its height over its error by scipy's fit."""
    angle = np.linspace(-20.0, 20.0, 41)

    def curve(x: np.ndarray, centre: float, width: float, height: float, level: float) -> Any:
        return level + height * np.exp(-4 * np.log(2) * ((x - centre) / width) ** 2)

    rate = curve(angle, 1.3, 12.0, 8e5, 1e5) + away * (-1.0) ** np.arange(41)
    values, covariance = curve_fit(curve, angle, rate, (0.0, 10.0, 7e5, 2e5))
    return RockingScan(angle, rate, 4.0, 2e4), values[2] / np.sqrt(covariance[2, 2])


@pytest.mark.parametrize(("ratio", "verdict"), [(8.0, "bad"), (20.0, "good")])
def test_a_rocking_curve_is_one_from_about_ten_errors_of_its_height(ratio: float, verdict: str) -> None:
    scan, known = rocking(1e5)
    for _ in range(3):
        scan, known = rocking(float(np.abs(scan.rate - rocking(0.0)[0].rate).max()) * known / ratio)
    assert known == pytest.approx(ratio, abs=0.05)
    assert find_crystal(scan).verdict == verdict


def test_the_onset_is_looked_for_once_in_the_same_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search takes a second."""
    looked: list[Any] = []
    monkeypatch.setattr("reduction.documents.time_zero.locate", lambda scan: looked.append(scan))
    judge = TimeZeroJudge("counter", 1.0)
    first = SimpleNamespace(photons=np.ones((4, 5)), setting=np.arange(4.0), of_rise=np.zeros(4, bool))
    more = SimpleNamespace(photons=np.ones((4, 5)), setting=np.arange(1.0, 5.0), of_rise=np.zeros(4, bool))
    for scan in (first, first, more, more):
        judge._onset(scan)  # type: ignore[arg-type]
    assert [scan is first for scan in looked] == [True, False]
