"""Windows of boxcars from drawn traces with pulses of another shape than any that the search assumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.findings.windows import WindowScan, _smooth, find_windows
from tests.reduction.test_findings import check_pulls

SPACING, SLOTS = 153.44, 5
PERIOD = SPACING * SLOTS
LEAST = 2e4


def pulse(since: np.ndarray, length: float) -> np.ndarray:
    """A triangle that rises three times as fast as it falls; of height 1."""
    rise = 0.25 * length
    return np.clip(np.minimum(since / rise, (length - since) / (length - rise)), 0.0, None)


def scan_of(
    rng: np.random.Generator, begin: float, length: float, height: float = -6e-3, noise: float = 2e-5
) -> WindowScan:
    """Three traces of 1024 points; the offset drifts, and the bunches differ by some percent."""
    time = np.arange(1024) * PERIOD / 1024
    clean = np.zeros(1024)
    for slot in range(SLOTS):
        clean += (
            height * (1 + 0.05 * rng.standard_normal()) * pulse(np.mod(time - begin - slot * SPACING, PERIOD), length)
        )
    trace = 5e-3 + clean + noise * rng.standard_normal((3, 1024))
    return WindowScan(time, trace, SPACING, SLOTS, False, np.full(3, 1e6), LEAST)


@pytest.mark.parametrize("repeats", [12, pytest.param(400, marks=pytest.mark.long)])
def test_windows_hold_the_pulses_of_either_polarity(repeats: int) -> None:
    rng, pulls = np.random.default_rng(repeats), []
    for number in range(repeats):
        begin, length = rng.uniform(5, 140), rng.uniform(8, 30)
        found = find_windows(scan_of(rng, begin, length, (-6e-3, 8e-3)[number % 2]))
        assert found.verdict == "good", found.reason
        assert ("positive" in found.reason) == (number % 2 == 1)
        assert found.numbers["height_mV"][0] == pytest.approx((-6, 8)[number % 2], rel=0.25)
        size = 1e9 * found.settings["window_size"]
        assert size == pytest.approx(length, abs=0.15 * length + 1.5) and found.settings["baseline_enable"] == 1
        for window, slot in (("window_1", 0), ("window_2", 4)):
            opens = found.settings[window] / 360 * PERIOD
            away = (opens - begin - slot * SPACING + 0.5 * PERIOD) % PERIOD - 0.5 * PERIOD
            assert -1.5 < away < 0.1 * length + 1.5
            baseline = found.settings[window.replace("window", "baseline")] / 360 * PERIOD
            assert (baseline - begin) % SPACING > length and (baseline - begin) % SPACING + size < SPACING
        # the centre of gravity of a triangle from a to c with its top at b is (a + b + c) / 3
        pulls.append((found.value - (begin + (0.25 * length + length) / 3) % SPACING) / max(found.stddev, 0.05))
    assert np.abs(pulls).max() < 6  # the ends at a twentieth of the height move the centre by less than that


def test_the_error_is_that_of_the_noise() -> None:
    """Of the same pulse again and again; the bias of the ends is the same for all."""
    rng = np.random.default_rng(1)
    found = [find_windows(scan_of(rng, 40.0, 12.0, -6e-3, 1e-4)) for _ in range(40)]
    values = np.array([each.value for each in found])
    check_pulls(list((values - values.mean()) / np.array([each.stddev for each in found])))


def test_a_trace_without_pulses_names_the_cause() -> None:
    rng = np.random.default_rng(2)
    flat, right = scan_of(rng, 40.0, 8.0, height=0.0), scan_of(rng, 40.0, 8.0)
    for scan, verdict, words in (
        (flat, "bad", "No pulse"),
        (replace(right, i0_rate=np.full(3, 1e3)), "bad", "No beam"),
        (replace(right, clipped=True), "look", "Overload"),
        (scan_of(rng, 40.0, 100.0), "look", "The first pulse"),
    ):
        found = find_windows(scan)
        assert found.verdict == verdict and found.reason.startswith(words), found.reason


def test_a_trace_is_smoothed_over_the_end_of_the_period() -> None:
    assert _smooth(np.array([0.0, 0.0, 0.0, 3.0])).tolist() == [1.0, 0.0, 1.0, 1.0]
