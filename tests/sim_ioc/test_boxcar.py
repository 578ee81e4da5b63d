"""Readings of boxcars and waveform analyser against the forward model and periods drawn one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim_ioc.instruments.boxcar import Reading, SimUhf
from sim_ioc.physics.boxcar_signal import LaserPeriod, Window
from sim_ioc.physics.pulse_heights import PulseHeights
from sim_ioc.physics.world import World
from sim_ioc.scenario.detectors import DetectorTruth
from sim_ioc.scenario.scenario import parse_scenario
from sim_ioc.timebase.clock import SimulatedClock
from sim_ioc.timebase.timeline import Ramp
from tests.sim_ioc.boxcar_windows import BUNCH_NS, PERIOD_NS, SPREAD, on_pulse

QUIET: dict[str, Any] = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
    "sample": {"mu_white_line": 2.0},
    "detector": {"temperature_swing_K": 0.0},
    "boxcar": {"drift_V": 0.0},
}


def uhf_of(values: dict[str, Any], white_line: bool = True) -> tuple[World, SimUhf]:
    merged = {key: QUIET.get(key, {}) | values.get(key, {}) for key in {*QUIET, *values}}
    world = World(parse_scenario(merged), SimulatedClock())
    if white_line:
        world.energy_keV.set(-1.0, Ramp(-1.0, -1.0, 13.472, 13.472))
    return world, SimUhf(world)


def read(uhf: SimUhf, window: Window, start_s: float = 0.0, seconds: float = 1.0) -> Reading:
    world = uhf._world
    period, locked = LaserPeriod(world.model_at(start_s)), world.laser_locked.at(start_s)
    stretches = uhf.stretches(start_s, start_s + seconds)
    return uhf.reading(window, period, locked, stretches, seconds, uhf.offset_V(start_s + seconds / 2))


def test_value_is_the_mean_of_the_forward_model() -> None:
    """Half of the peak (the mean of sin^2) times 40 mV times the mean photons of the slot, negative."""
    world, uhf = uhf_of({"boxcar": {"noise_nV_rtHz": 0.0}})
    world.laser_open.set(-1.0, True)
    mu = world.model.mu(13.472, world.true_delay_ps(2.0), 8.8, True)
    for slot in (0, 1, 4):
        found = read(uhf, on_pulse(slot), 0.0, 4.0)
        expected = -0.5 * 0.04 * mu[slot::5].mean()
        sigma = 0.5 * 0.04 * math.sqrt(mu.mean() * (1 + SPREAD**2) / (4 * 1.303459e6))
        assert found.value == pytest.approx(expected, abs=4.5 * sigma)
        assert found.samples == math.floor(4 * 351.933984e6 / 270)
    pumped, reference = (read(uhf, on_pulse(slot), 0.0, 4.0).value for slot in (0, 4))
    change = mu[0::5].mean() / mu[4::5].mean() - 1
    assert change < -0.01
    assert pumped / reference - 1 == pytest.approx(change, abs=4.5 * math.sqrt(2) * 3.1e-4)


@pytest.mark.parametrize("periods", [1, 5, 24, 100])
def test_readings_are_those_of_single_periods(periods: int) -> None:
    """Photons, avalanches and noise drawn period by period, bunches in their order."""
    world, uhf = uhf_of({"ring": {"bunch_spread_rms": 0.45}, "boxcar": {"noise_nV_rtHz": 500.0}})
    window = on_pulse(2, start_deg=(40 + 2 * BUNCH_NS + 2) / PERIOD_NS * 360, periods=periods)
    mu = world.model.mu(13.472, 100.0, 8.8, False)
    samples, rng = 3000, np.random.default_rng(periods)
    number = np.arange(samples * periods)
    photons = rng.poisson(mu[(5 * number + 2) % 120])
    peaks = 0.04 * (photons + SPREAD * np.sqrt(photons) * rng.standard_normal(number.size))
    grid = (np.arange(8000) + 0.5) * 1e-3 + 2.0  # from 2 ns after the begin of the pulse
    share = np.where(grid < 8, np.sin(math.pi * grid / 8) ** 2, 0.0).mean()
    noise = 5e-7 / math.sqrt(2 * 8e-9) * math.sqrt(2) * rng.standard_normal(number.size)
    drawn = (noise - share * peaks).reshape(samples, periods).mean(axis=1)
    seconds = (samples * periods + 0.5) * 270 / 351.933984e6
    found = [read(uhf, window, 0.0, seconds) for _ in range(30)]
    assert {one.samples for one in found} == {samples}
    error = drawn.std() / math.sqrt(samples)
    assert np.mean([one.value for one in found]) == pytest.approx(drawn.mean(), abs=4.5 * error * math.sqrt(1 + 1 / 30))
    assert np.mean([one.stddev for one in found]) == pytest.approx(drawn.std(), rel=4.5 / math.sqrt(2 * samples))


def test_values_scatter_by_their_error() -> None:
    _, uhf = uhf_of({"ring": {"bunch_spread_rms": 0.0}})
    found = [read(uhf, on_pulse(periods=512), 0.0, 0.1) for _ in range(400)]
    errors = [one.stddev / math.sqrt(one.samples) for one in found]
    assert np.std([one.value for one in found], ddof=1) == pytest.approx(np.mean(errors), rel=4.5 / math.sqrt(800))


def test_the_baseline_takes_offset_and_drift_out() -> None:
    world, uhf = uhf_of({"boxcar": {"offset_V": 0.05, "drift_V": 0.01, "noise_nV_rtHz": 0.0}})
    world.xray_open.set(-1.0, False)
    times = np.arange(0, 600, 20.0)
    with_baseline = [read(uhf, on_pulse(), t).value for t in times]
    without = np.array([read(uhf, on_pulse(has_baseline=False), t).value for t in times])
    assert np.all(np.array(with_baseline) == 0.0)
    assert without == pytest.approx([uhf.offset_V(t + 0.5) for t in times])
    assert without.mean() == pytest.approx(0.05, abs=0.03)
    assert 0.002 < without.std() < 0.05  # 10 mV over 60 s, more over ten minutes


def test_a_laser_out_of_lock_smears_the_pulses_over_the_period() -> None:
    world, uhf = uhf_of({})
    world.laser_locked.set(5.0, False)
    mu = world.model.mu(13.472, 100.0, 8.8, False)
    bare = on_pulse(has_baseline=False)
    for start_deg in (0.0, on_pulse().start_deg, 200.0):
        found = read(uhf, replace(bare, start_deg=start_deg), 5.0, 4.0)
        assert found.value - 0.005 == pytest.approx(-0.04 * mu.mean() * 5 * 4 / PERIOD_NS, rel=0.01)
    trace = uhf.trace(LaserPeriod(world.model), False, uhf.stretches(5.0, 9.0), 5_000_000, 0.005)
    assert trace.std() < 1e-4


def test_i0_and_boxcar_see_the_same_ring_and_jet() -> None:
    """Through the same forward model: half of the beam gives half of the signal, a dumped one none."""
    world, uhf = uhf_of({})
    whole = read(uhf, on_pulse(), 0.0).value
    world.xray_open.set(10.0, False)
    world.xray_open.set(10.5, True)
    assert read(uhf, on_pulse(), 10.0).value == pytest.approx(0.5 * whole, rel=0.01)
    world.beam_stored.set(20.0, False)
    assert read(uhf, on_pulse(), 20.0).value == pytest.approx(0.0, abs=1e-5)
    world.hv_V.set(20.0, Ramp(20.0, 20.0, 380.0, 400.0))
    world.beam_stored.set(20.0, True)
    gain = PulseHeights(DetectorTruth()).gain(400.0, 25.0)
    assert read(uhf, on_pulse(), 20.0).value == pytest.approx(gain * whole, rel=0.01)


def test_clipped_pulses_raise_the_flag_and_bend_the_value() -> None:
    low, high = ({"sample": {"mu_white_line": mu}} for mu in (2.0, 20.0))
    reading = read(uhf_of(low)[1], on_pulse())
    assert not reading.overload
    _, uhf = uhf_of(high)
    bright = read(uhf, on_pulse())
    assert bright.overload
    assert bright.value > -0.5 * 0.04 * 20 * 0.995  # clipped at 25 photons
    assert not read(uhf, on_pulse(start_deg=100.0, baseline_deg=300.0)).overload  # no pulse in its windows


def test_too_few_samples_are_no_number() -> None:
    _, uhf = uhf_of({})
    none = read(uhf, on_pulse(periods=2**20), 0.0, 0.5)
    assert none.samples == 0
    assert math.isnan(none.value)
    assert math.isnan(none.stddev)
    one = read(uhf, on_pulse(periods=2**20), 0.0, 1.0)
    assert one.samples == 1
    assert math.isfinite(one.value)
    assert math.isnan(one.stddev)


def test_the_trace_shows_a_pulse_for_each_slot() -> None:
    world, uhf = uhf_of({"ring": {"bunch_spread_rms": 0.2}, "sample": {"br_k": {"transient_fraction": -0.3}}})
    world.laser_open.set(-1.0, True)
    trace = uhf.trace(LaserPeriod(world.model), True, uhf.stretches(0.0, 1.0), 1_303_459, 0.005)
    below = trace < 0.005 - 0.02
    assert np.count_nonzero(below[1:] & ~below[:-1]) == 5
    points = np.arange(1024) * PERIOD_NS / 1024
    mu = world.model.mu(13.472, world.true_delay_ps(0.5), 8.8, True)
    for slot in range(5):
        since = points - 40 - slot * BUNCH_NS
        here = (since > 0) & (since < 8)
        pulse = np.sin(math.pi * since[here] / 8) ** 2
        assert trace[here] == pytest.approx(0.005 - 0.04 * mu[slot::5].mean() * pulse, abs=1e-5)
    assert mu[0::5].mean() < 0.85 * mu[4::5].mean()  # the pumped pulse is lower


def test_where_a_slot_sees_some_bunches_only_the_trace_shows_their_charges() -> None:
    """324 bunches, every 4th pumped: no bunch comes in two slots."""
    world, uhf = uhf_of({"ring": {"num_bunches": 324, "bunch_spread_rms": 0.2}, "laser": {"divider": 4}})
    trace = uhf.trace(LaserPeriod(world.model), True, uhf.stretches(0.0, 1.0), 10**9, 0.0)
    by_slot = world.model.mu(13.472, 100.0, 8.8, False).reshape(81, 4).mean(axis=0)
    spacing = 4e3 / 351.933984
    middles = [round(((44 + slot * spacing) / (4 * spacing) % 1) * 1024) % 1024 for slot in range(4)]
    assert -trace[middles] == pytest.approx(0.04 * by_slot, rel=1e-3)
    assert np.ptp(by_slot) > 0.01 * by_slot.mean()
