"""What the world holds over time: noise, ring current, and what a counter records of a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim_ioc.physics.gating import Gate
from sim_ioc.physics.noise import PinkNoise
from sim_ioc.physics.storage_ring import RingCurrent
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import RingTruth, parse_scenario
from sim_ioc.timebase.clock import SimulatedClock
from sim_ioc.timebase.timeline import Ramp, Timeline

STEADY: dict[str, Any] = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}}
NO_TOPUP: dict[str, Any] = STEADY | {"ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6}}


def world_of(values: dict[str, Any]) -> World:
    return World(parse_scenario(values), SimulatedClock())


def hit_rate(world: World, start_s: float, end_s: float) -> float:
    result = world.photon_counts(start_s, end_s)
    return float(result.counts.sum() / result.gates.sum())


def test_pink_noise_has_its_rms_and_equal_power_per_decade() -> None:
    noises = [PinkNoise(0.01, 0.01, 100.0, 60.0, [1, i]) for i in range(20)]
    times = np.arange(0, 60, 1 / 256)
    values = np.array([noise(times) for noise in noises])
    # 16 tones a decade, 20 seeds: the mean square is known to about 3.5 %
    assert np.mean(values.var(axis=1)) == pytest.approx(1e-4, rel=0.1)
    power = np.mean(np.abs(np.fft.rfft(values, axis=1)) ** 2, axis=0)
    frequency = np.fft.rfftfreq(times.size, 1 / 256)
    decade = [power[(frequency >= f) & (frequency < 10 * f)].sum() for f in (0.1, 1.0, 10.0)]
    assert decade[1] / decade[0] == pytest.approx(1.0, rel=0.25)
    assert decade[2] / decade[1] == pytest.approx(1.0, rel=0.25)
    assert power[frequency > 110].sum() < 1e-2 * decade[2]


def test_no_noise_is_exactly_zero() -> None:
    assert np.all(PinkNoise(0.0, 0.01, 100.0, 60.0, [1])(np.arange(5.0)) == 0.0)


def test_ring_current_decays_and_is_topped_up() -> None:
    ring = RingTruth(lifetime_h=5.0, topup_interval_s=(60.0, 120.0))
    current = RingCurrent(ring, [1], np.ones(ring.num_bunches))
    topups = current.topups(0.0, 10_000.0)
    gaps = np.diff([0.0, *topups])
    assert gaps.min() >= 60
    assert gaps.max() <= 120
    assert np.mean(gaps) == pytest.approx(90, abs=5 * 17.3 / math.sqrt(gaps.size))
    for before, after in zip([0.0, *topups], topups, strict=False):
        assert current.at(after - 1e-6) == pytest.approx(102.0 * math.exp(-(after - before) / 18000), rel=1e-6)
        assert current.at(after + 1e-9) == pytest.approx(102.0)
    assert current.at(5.0) == pytest.approx(102.0 * math.exp(-5 / 18000))
    assert current.topups(topups[0], topups[2]) == [topups[1]]


def test_timeline_keeps_its_past() -> None:
    line = Timeline("a")
    line.set(1.0, "b")
    line.set(3.0, "c")
    assert [line.at(t) for t in (-5.0, 0.99, 1.0, 2.0, 3.0, 9.0)] == ["a", "a", "b", "b", "c", "c"]
    assert line.jumps(1.0, 3.0) == []
    assert line.jumps(0.0, 4.0) == [1.0, 3.0]
    line.set(2.0, "d")
    assert line.at(9.0) == "d"
    assert line.jumps(0.0, 4.0) == [1.0, 2.0]


def test_ramp_is_a_straight_line_between_two_rests() -> None:
    ramp = Ramp(10.0, 12.0, 13.45, 13.47)
    assert [ramp.at(t) for t in (0.0, 10.0, 11.0, 12.0, 99.0)] == pytest.approx([13.45, 13.45, 13.46, 13.47, 13.47])


def test_gates_are_those_of_the_bunch_rate() -> None:
    world = world_of(NO_TOPUP)
    result = world.photon_counts(0.0, 2.0)
    assert np.all(result.gates == math.floor(2.0 * 351.933984e6 / 54 / 120))
    assert np.all(result.pair_gates[:, 5:] == result.gates[0])


def test_a_topup_closes_the_gates_for_a_while_and_breaks_pairs() -> None:
    world = world_of(STEADY | {"ring": {"topup_interval_s": [10.0, 10.0], "topup_veto_s": 0.5}})
    result = world.photon_counts(9.0, 12.0)
    assert result.gates[0] == math.floor(2.5 * 351.933984e6 / 54 / 120)
    assert result.pair_gates[0, 0] == result.gates[0] - 2
    late = world.photon_counts(10.25, 11.25)
    assert late.gates[0] == math.floor(0.75 * 351.933984e6 / 54 / 120)


def test_counts_have_the_rate_of_the_forward_model() -> None:
    world = world_of(NO_TOPUP | {"detector": {"afterpulse": 0.0}})
    result = world.photon_counts(0.0, 50.0)
    mu = world.model.mu(13.45, 100.0, 8.8, False, current_mA=world.current_mA(25.0))
    expected = 1 - np.exp(-mu)
    pull = (result.counts / result.gates - expected) / np.sqrt(expected * (1 - expected) / result.gates)
    assert np.abs(pull).max() < 4.5
    assert np.std(pull) == pytest.approx(1.0, abs=5 / math.sqrt(240))


def test_a_shutter_that_opens_half_way_gives_half_the_light() -> None:
    world = world_of(NO_TOPUP)
    world.xray_open.set(-1.0, False)
    world.xray_open.set(5.0, True)
    dark, whole = world_of(NO_TOPUP), world_of(NO_TOPUP)
    dark.xray_open.set(-1.0, False)
    assert hit_rate(dark, 0.0, 10.0) == pytest.approx(1e-7, abs=5e-7)
    assert hit_rate(world, 0.0, 10.0) / hit_rate(whole, 0.0, 10.0) == pytest.approx(0.5, rel=0.01)
    rate = 1e6 * 1.001
    assert world.i0_counts(0.0, 10.0) == pytest.approx(5 * rate + 10 * 1e3, rel=1e-6)
    assert dark.i0_counts(0.0, 10.0) == pytest.approx(1e4)


def test_i0_noise_is_relative_to_the_light() -> None:
    world = world_of(NO_TOPUP)
    assert world.i0_counts(0.0, 1.0, 0.01) - world.i0_counts(0.0, 1.0) == pytest.approx(0.01 * 1.001e6)
    draws = [world.draw_i0_noise() for _ in range(4000)]
    assert np.std(draws) == pytest.approx(1e-3, rel=5 / math.sqrt(8000))


def test_a_dumped_beam_leaves_the_dark() -> None:
    world = world_of(NO_TOPUP)
    world.beam_stored.set(2.0, False)
    assert world.current_mA(3.0) == 0.0
    assert world.i0_counts(2.0, 4.0) == pytest.approx(2e3)
    assert hit_rate(world, 2.0, 4.0) < 1e-5


def test_laser_acts_from_the_moment_it_opens() -> None:
    bright = NO_TOPUP | {"laser": {"background_per_gate": 0.1}}
    world = world_of(bright)
    world.laser_open.set(6.0, True)
    slot0, other = world.model.slot_of_phase == 0, world.model.slot_of_phase == 2
    result = world.photon_counts(4.0, 8.0)
    before = 1 - np.exp(-world.model.mu(13.45, 100.0, 8.8, False))
    extra = (result.counts / result.gates - before)[slot0].mean()
    # 0.1 more photons in half of the time, at a transmission of exp(-mu)
    assert extra == pytest.approx(0.5 * (1 - math.exp(-0.1)) * (1 - before[slot0].mean()), rel=0.02)
    assert abs((result.counts / result.gates - before)[other].mean()) < 1e-3


def test_delay_drifts_with_time() -> None:
    world = world_of({"delay": {"drift_ps_per_h": 10.0}})
    world.delay_ps.set(0.0, 50.0)
    assert world.true_delay_ps(1800.0) == pytest.approx(55.0)


def test_a_moving_energy_is_averaged() -> None:
    world = world_of(NO_TOPUP)
    world.energy_keV.set(1.0, Ramp(1.0, 3.0, 13.450, 13.474))
    energies = [piece.energy_keV for piece in world.slices(0.0, 4.0)]
    assert energies[0] == pytest.approx(13.450)
    assert energies[-1] == pytest.approx(13.474)
    assert len(energies) == 10
    assert np.all(np.diff(energies) > 0)


def test_jet_noise_within_a_dwell_is_averaged_not_sampled() -> None:
    fast = {"thickness_rms": 0.1, "pass_to_pass_rms": 0.0, "low_Hz": 10.0, "high_Hz": 100.0}
    world = world_of(NO_TOPUP | {"jet": fast, "sample": {"mu_white_line": 2.0}})
    world.energy_keV.set(-1.0, Ramp(-1.0, -1.0, 13.472, 13.472))
    mean = world.photon_counts(0.0, 30.0)
    rate = float((mean.counts / mean.gates).mean())
    times = np.arange(0, 30, 1 / 2000)
    thickness = world.jet_thickness(times)[::7]
    mu = world.model.mu(13.472, 100.0, 8.8, False)
    exact = float(np.mean(1 - np.exp(-thickness[:, np.newaxis] * mu)))
    # six classes for a continuous thickness leave terms of fourth order, here 1e-4
    assert rate == pytest.approx(exact, abs=2e-4)
    # the bend of 1 - exp(-mu) shows: mu^2 sigma^2 / 2 exp(-mu) is 3e-3 below that of the mean thickness
    assert float(np.mean(1 - np.exp(-mu))) - rate > 1.5e-3


def test_the_laser_phase_can_move() -> None:
    world = world_of(NO_TOPUP | {"laser": {"background_per_gate": 0.5}})
    world.laser_open.set(-1.0, True)
    world.laser_phase.set(-1.0, 3)
    result = world.photon_counts(0.0, 1.0)
    bright = np.flatnonzero(result.counts > 2 * np.median(result.counts))
    assert bright.tolist() == list(range(3, 120, 5))


def test_a_laser_out_of_lock_and_a_counter_out_of_step_lose_the_transient() -> None:
    values = NO_TOPUP | {"laser": {"background_per_gate": 0.0}, "sample": {"br_k": {"transient_fraction": -0.5}}}
    world = world_of(values)
    world.energy_keV.set(-1.0, Ramp(-1.0, -1.0, 13.472, 13.472))
    world.laser_open.set(-1.0, True)
    slot0 = world.model.slot_of_phase == 0

    def contrast(start_s: float) -> float:
        result = world.photon_counts(start_s, start_s + 5.0)
        rate = result.counts / result.gates
        return float(1 - rate[slot0].mean() / rate[~slot0].mean())

    locked = contrast(0.0)
    world.laser_locked.set(5.0, False)
    unlocked = contrast(5.0)
    world.laser_locked.set(10.0, True)
    world.counters_in_step.set(10.0, False)
    mixed = contrast(10.0)
    assert locked > 0.2
    assert abs(unlocked) < 0.03
    assert abs(mixed) < 0.01


def test_gate_saturation_hits_one_phase() -> None:
    world = world_of(NO_TOPUP)
    world.saturated.set(-1.0, True)
    result = world.photon_counts(0.0, 1.0)
    assert np.flatnonzero(result.counts == result.gates).tolist() == [7]


def test_the_gate_lets_through_its_share() -> None:
    world = world_of(NO_TOPUP)
    world.gate.set(10.0, Gate(delay_ticks=0, width_ticks=11, locked=True))  # shuts at 44 ns: half of the pulse
    assert hit_rate(world, 10.0, 20.0) / hit_rate(world, 0.0, 10.0) == pytest.approx(0.5, rel=0.03)


def test_same_seed_same_counts() -> None:
    first, again = (world_of({}).photon_counts(0.0, 1.0).counts for _ in range(2))
    other = world_of({"seed": 5}).photon_counts(0.0, 1.0).counts
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_speedup_must_make_sense() -> None:
    for speedup in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(ValueError, match="speedup"):
            SimulatedClock(speedup)


def test_pink_noise_on_a_grid_is_that_at_each_time() -> None:
    noise = PinkNoise(0.01, 0.01, 100.0, 60.0, [1])
    for number in (1, 2, 7, 100, 901):
        each = noise(5e4 + 3e-3 * np.arange(number))
        assert noise.on_grid(5e4, 3e-3, number) == pytest.approx(each, abs=1e-9)  # angles up to 3e7 rad
    assert np.all(PinkNoise(0.0, 0.01, 100.0, 60.0, [1]).on_grid(0.0, 1.0, 5) == 0.0)
