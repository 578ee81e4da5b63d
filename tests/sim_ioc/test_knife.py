"""Knife, lens, filters and foil stage of the simulator: what they do to the beams, by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from sim_ioc.instruments.attenuator import SimAttenuator
from sim_ioc.instruments.foil_stage import SimFoilStage
from sim_ioc.instruments.knife import SimKnife
from sim_ioc.instruments.steering import SimSteering
from sim_ioc.physics.knife import KnifeDiode
from sim_ioc.physics.transmission import TransmittedBeam
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import parse_scenario
from tests.plans.cold_beamline import ManualClock

QUIET = {"noise": 0.0, "dark_per_s": 0.0, "along_um": 20.0, "across_um": -30.0}


def world(**changes: Any) -> World:
    clock: Any = ManualClock()
    return World(parse_scenario({"knife": QUIET, "jet": {"probe_spot_um": 6.0}, **changes}), clock)


def light(of: World) -> float:
    """Of the diode behind the knife, /s, X-rays in units of the ring current at the same time."""
    of.clock.time += 1.0  # type: ignore[attr-defined]
    now = of.clock.now()
    return KnifeDiode(of).counts(now - 0.01, now, 0.0) / 0.01


def test_a_blade_halves_the_xrays_in_their_middle_and_leaves_an_eighth_of_them_a_bit_further() -> None:
    """Half a full width at half maximum is 1.1774 standard deviations: 11.95 % are beyond."""
    one = world()
    knife, whole = SimKnife(one), light(one)
    for position, share in ((20.0, 0.5), (23.0, 0.1195), (17.0, 0.8805), (400.0, 0.0)):
        asyncio.run(knife.moved("along", position))
        assert light(one) == pytest.approx(share * whole, rel=2e-3, abs=1.0)
        assert one.beam_at_sample_mA(one.clock.now()) == pytest.approx(share * one.beam_mA(one.clock.now()), rel=1e-3)


def test_the_laser_is_seen_where_it_is_steered_and_wider_out_of_focus() -> None:
    """In its middle a blade halves it; at 14 mm from focus it is sqrt(2) as wide and has half of the fluence."""
    one = world(laser={"steering_along_um": 5.0, "focus_mm": 2.0, "fluence_mJ_cm2": 14.0})
    knife, steering = SimKnife(one), SimSteering(one)
    one.xray_open.set(one.clock.now(), False)
    one.laser_open.set(one.clock.now(), True)
    for motor, position in (("m4", 15.0), ("m8", 2.0)):
        asyncio.run(steering.moved(motor, position))
    assert light(one) == pytest.approx(4e5)
    asyncio.run(knife.moved("along", 30.0))  # 10 um beside the X-rays
    assert light(one) == pytest.approx(2e5)
    asyncio.run(knife.moved("along", 30.0 + 22.5))
    assert light(one) == pytest.approx(0.1195 * 4e5, rel=1e-3)
    asyncio.run(steering.moved("m4", 5.0))
    focused = one.fluence_at_sample(one.clock.now())
    asyncio.run(steering.moved("m8", 16.0))
    assert one.fluence_at_sample(one.clock.now() + 1) == pytest.approx(0.5 * focused, rel=1e-2)
    asyncio.run(knife.moved("along", 20.0 + 22.5 * np.sqrt(2)))
    assert light(one) == pytest.approx(0.1195 * 4e5, rel=1e-3)


def test_filters_and_foil_are_where_the_scenario_says_at_start_up() -> None:
    one = world(attenuator={"start": 1.0}, transmission={"noise": 0.0, "dark_per_s": 0.0}, foil_stage={"start_mm": 0.0})
    SimAttenuator(one)
    stage, beam, now = SimFoilStage(one), TransmittedBeam(one, one.scenario.transmission), one.clock.now()  # type: ignore[arg-type]
    assert one.beam_mA(now) == pytest.approx(one.current_mA(now) / np.e)
    before, behind = beam.counts(now, now + 1e-3, (0.0, 0.0))
    assert behind == before
    asyncio.run(stage.moved(10.0))
    before, behind = beam.counts(now + 1, now + 1.001, (0.0, 0.0))
    assert behind < before
