"""Windows, pulse heights and noise of the boxcar signal against geometry by hand and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim_ioc.instruments.boxcar import first_windows
from sim_ioc.physics.boxcar_signal import LaserPeriod, block_variance, pulse_area, pulse_heights
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import parse_scenario
from tests.sim_ioc.boxcar_windows import BUNCH_NS, PERIOD_NS, SPREAD, on_pulse

# --- geometry --------------------------------------------------------------------------------------


def test_area_of_a_pulse() -> None:
    t = np.linspace(-3, 12, 151)
    fine = (np.arange(8000) + 0.5) * 1e-3
    summed = [np.sum(np.sin(math.pi * fine[fine < x] / 8) ** 2) * 1e-3 for x in t]
    assert pulse_area(t, 8.0) == pytest.approx(summed, abs=2e-3)
    assert pulse_area(8.0, 8.0) == 4.0


def test_windows_at_start_up_are_on_the_first_and_the_last_pulse() -> None:
    first, last = first_windows(ForwardModel(parse_scenario({})))
    assert first.start_deg == pytest.approx(40 / PERIOD_NS * 360)
    assert last.start_deg == pytest.approx((40 + 4 * BUNCH_NS) / PERIOD_NS * 360)
    assert first.size_s == pytest.approx(8e-9)
    assert first.baseline_deg == pytest.approx(first.start_deg + 36)
    assert last.baseline_deg == pytest.approx(last.start_deg + 36)


def test_windows_at_start_up_fit_between_close_bunches() -> None:
    """Pulses of 8 ns every 11.37 ns: 3.37 ns are dark; with 648 bunches nothing is."""
    close = ForwardModel(parse_scenario({"ring": {"num_bunches": 324}, "laser": {"divider": 4}}))
    period = LaserPeriod(close)
    for window, slot in zip(first_windows(close), (0, 3), strict=True):
        assert window.size_s == pytest.approx(4e3 / 351.933984 * 1e-9 - 8e-9)
        seen, _ = period.weights(window, locked=True)
        assert np.flatnonzero(np.abs(seen[0]) > 1e-12).tolist() == [slot]
        assert seen[0, slot] > 0.8  # the middle of the pulse
    crowded = first_windows(ForwardModel(parse_scenario({"ring": {"num_bunches": 648}, "laser": {"divider": 4}})))
    assert not any(window.has_baseline for window in crowded)


@pytest.mark.parametrize("phase", [0, 3])
def test_means_in_windows_are_those_of_the_trace(phase: int) -> None:
    """Point by point, for windows anywhere, also across the end of the period and longer than a pulse."""
    period = LaserPeriod(ForwardModel(parse_scenario({"laser": {"phase": phase}})))
    assert period.begins_ns.shape == (24, 5)
    assert period.begins_ns == pytest.approx(40 + np.tile(np.arange(5) * BUNCH_NS, (24, 1)))
    assert period.phase[0].tolist() == [phase + s for s in range(5)]
    step = PERIOD_NS / 400_000
    time_ns = (np.arange(400_000) + 0.5) * step
    rng = np.random.default_rng(phase)
    for start_deg, size_ns in [*zip(rng.uniform(0, 360, 8), rng.uniform(1, 300, 8), strict=True), (355.0, 90.0)]:
        opens = start_deg / 360 * PERIOD_NS
        inside = np.mod(time_ns - opens, PERIOD_NS) < size_ns
        for slot in range(5):
            since = np.mod(time_ns - 40 - slot * BUNCH_NS, PERIOD_NS)
            pulse = np.where(since < 8, np.sin(math.pi * since / 8) ** 2, 0.0)
            expected = pulse[inside].sum() * step / size_ns
            assert period.mean_in_window(start_deg, size_ns * 1e-9)[7, slot] == pytest.approx(expected, abs=2e-5)


def test_other_patterns_have_their_own_periods() -> None:
    period = LaserPeriod(ForwardModel(parse_scenario({"ring": {"num_bunches": 324}, "laser": {"divider": 4}})))
    assert period.begins_ns.shape == (81, 4)
    assert period.period_ns == pytest.approx(16e3 / 351.933984)


# --- heights and noise -----------------------------------------------------------------------------


def test_heights_are_those_of_a_compound_poisson_number() -> None:
    mu = np.array([0.1, 1.0, 3.0])
    heights = pulse_heights(mu, 0.04, SPREAD, 1.0)
    assert heights.mean == pytest.approx(0.04 * mu)
    assert heights.variance == pytest.approx(0.04**2 * mu * (1 + SPREAD**2))


@pytest.mark.parametrize("saturation_V", [0.0999, 0.2, 0.5])
def test_clipped_heights_against_drawn_ones(saturation_V: float) -> None:
    rng, number = np.random.default_rng(4), 200_000
    for mu in (0.5, 3.0, 12.0):
        drawn = rng.poisson(mu, number)
        heights = 0.04 * (drawn + SPREAD * np.sqrt(drawn) * rng.standard_normal(number))
        above = drawn > math.floor(saturation_V / 0.04)
        heights[above] = saturation_V
        found = pulse_heights(np.array([mu]), 0.04, SPREAD, saturation_V)
        assert found.mean[0] == pytest.approx(heights.mean(), abs=5 * heights.std() / math.sqrt(number))
        scatter = np.std((heights - heights.mean()) ** 2) / math.sqrt(number)
        assert found.variance[0] == pytest.approx(heights.var(), abs=5 * scatter)
        p = float(found.clipped[0])
        assert above.mean() == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / number) + 1e-9)


def test_saturation_sets_in_without_a_step() -> None:
    mu = np.array([5.0])
    linear, clipped = pulse_heights(mu, 0.04, SPREAD, 10.0), pulse_heights(mu, 0.04, SPREAD, 0.8)
    assert 0 < clipped.clipped[0] < 1e-6
    assert clipped.mean == pytest.approx(linear.mean, rel=1e-6)
    assert clipped.variance == pytest.approx(linear.variance, rel=1e-4)


def test_means_of_blocks_of_a_pattern() -> None:
    pattern = np.random.default_rng(5).normal(size=24)
    for length in (1, 2, 5, 9, 16, 24, 25, 36, 100, 480):
        blocks = np.tile(pattern, 10 * length)[: 24 * length * 5].reshape(-1, length).mean(axis=1)
        assert block_variance(pattern, length) == pytest.approx(blocks.var(), abs=1e-12), length
    assert block_variance(pattern, 1) == pytest.approx(pattern.var())


def test_white_noise_of_windows() -> None:
    period = LaserPeriod(ForwardModel(parse_scenario({})))
    one = period.noise_variance(on_pulse(has_baseline=False), 1e-7)
    assert one == pytest.approx(1e-14 / (2 * 8e-9))  # density squared over twice the length
    assert period.noise_variance(on_pulse(), 1e-7) == pytest.approx(2 * one)
    half = on_pulse(baseline_deg=on_pulse().start_deg + 4 / PERIOD_NS * 360)
    assert period.noise_variance(half, 1e-7) == pytest.approx(one)
    assert period.noise_variance(on_pulse(baseline_deg=on_pulse().start_deg), 1e-7) == pytest.approx(0.0, abs=1e-20)
