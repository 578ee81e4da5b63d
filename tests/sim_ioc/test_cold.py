"""A cold scenario: settings that are wrong at start-up, the same for the same seed, and all the rest as before."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sim_ioc.instruments.steering import SimSteering
from sim_ioc.physics.counting import CountingChain
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import Scenario, ScenarioError, load_scenario, parse_scenario
from sim_ioc.timebase.clock import SimulatedClock

DRAWN = ("threshold_mV", "photon_mV", "gate_delay_ticks", "pulse_arrival_ns")


def drawn(seed: int) -> Scenario:
    return parse_scenario({"seed": seed, "cold": {}})


def test_draws_follow_the_seed() -> None:
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again
    for name in DRAWN:
        assert getattr(first.detector, name) != getattr(other.detector, name)
    assert first.delay.t0_ns != other.delay.t0_ns and first.monochromator.offset_eV != other.monochromator.offset_eV
    assert len({drawn(seed).laser.phase for seed in range(1, 12)}) > 3
    assert 5.0 < first.laser.fluence_mJ_cm2 < 8.8 and {drawn(seed).delay.sign for seed in range(9)} == {1, -1}
    assert parse_scenario({"cold": {"backwards": [1, 1]}}).delay.sign == -1
    assert first.sample == Scenario().sample and load_scenario("cold").cold is not None


def test_a_file_narrows_the_ranges() -> None:
    one = parse_scenario({"cold": {"threshold_mV": [30.0, 30.0], "gate_delay_ticks": [5, 5]}})
    assert one.detector.threshold_mV == pytest.approx(30.0) and one.detector.gate_delay_ticks == 5
    with pytest.raises(ScenarioError, match="colour"):
        parse_scenario({"cold": {"colour": [1.0, 2.0]}})


def test_gate_and_detector_at_start_up() -> None:
    wrong = parse_scenario({"detector": {"gate_delay_ticks": 47, "gate_width_ticks": 3}})
    chain = CountingChain(ForwardModel(wrong))
    assert (chain.gate_at_start.delay_ticks, chain.gate_at_start.width_ticks) == (47, 3)
    assert chain.first_gate == CountingChain(ForwardModel(Scenario())).gate_at_start
    dead = CountingChain(ForwardModel(parse_scenario({"detector": {"is_dead": True}})))
    assert not dead.photons_per_gate(np.full((1, 120), 0.1), dead.first_gate, 1.0, 1.0).any()


def test_laser_light_and_transient_follow_a_delay_of_whole_bunches() -> None:
    """One bunch later the next slot sees the laser; a blocked laser leaves no trace."""
    model = ForwardModel(parse_scenario({"laser": {"light_follows_delay": True}}))
    later = model.background_mu(True, -model.bunch_period_ps + 100.0)
    assert set(np.flatnonzero(later > later.min())) == set(np.flatnonzero(model.slot_of_phase == 1))
    blocked = ForwardModel(parse_scenario({"laser": {"is_blocked": True}}))
    assert np.array_equal(blocked.mu(13.472, 100.0, 8.8, True), blocked.mu(13.472, 100.0, 8.8, False))


@pytest.mark.parametrize(("along", "across", "share"), [(7.0, -4.0, 1.0), (7.0 + 22.5, -4.0, 0.5), (7.0, 46.0, 0.0625)])
def test_a_laser_beside_the_xrays_pumps_less(along: float, across: float, share: float) -> None:
    """Half of the fluence at half of the width; the X-ray spot makes it a little wider."""
    laser = {"steering_along_um": 7.0, "steering_across_um": -4.0, "spot_fwhm_um": 45.0, "spot_across_fwhm_um": 50.0}
    world = World(parse_scenario({"laser": laser, "jet": {"probe_spot_um": 0.1}}), SimulatedClock(1.0))
    steering = SimSteering(world)
    assert world.fluence_at_sample(world.clock.now()) < 8.8  # at 0, 0 the laser is beside the X-rays
    asyncio.run(steering.moved("m4", along))
    asyncio.run(steering.moved("m5", across))
    assert world.fluence_at_sample(world.clock.now() + 1.0) == pytest.approx(8.8 * share, rel=1e-3)
