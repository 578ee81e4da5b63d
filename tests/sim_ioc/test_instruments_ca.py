"""Ring, jet, stage, I0 amplifier, delay and laser of the simulated beamline: what they do to what is counted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sim_ioc.instruments.delay import SimDelayGenerator
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import load_scenario, parse_scenario
from sim_ioc.timebase.clock import SimulatedClock
from tests.helpers.ioc_process import IocPool, write_scenario
from tests.sim_ioc.ca import Channels
from tests.sim_ioc.conftest import STEADY

FLOW, RUNNING = "7idd:Jet:Flow", "7idd:Jet:Running_RBV"


@pytest.fixture(scope="module")
def shared(ioc_pool: IocPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channels]:
    """A steady beamline for the tests of this file; each puts back what it changes."""
    scenario = write_scenario(STEADY, tmp_path_factory.mktemp("steady") / "steady.toml")
    ioc = ioc_pool.start(scenario)
    channels = Channels(ioc)
    yield channels
    channels.close()
    ioc_pool.stop(ioc)


def photons(channels: Channels, seconds: float = 2.0) -> float:
    return float(channels.acquire(seconds)["Counts"].sum())


def i0_rate(channels: Channels) -> float:
    channels.put("7idd:scaler1.TP", 1.0)
    channels.put("7idd:scaler1.CNT", 1)
    return float(channels.get("7idd:scaler1.S2"))


# --- ring ------------------------------------------------------------------------------------------


def test_a_dump_takes_the_beam_and_the_permit(shared: Channels) -> None:
    shared.put("Fault:BeamDump", 1)
    assert shared.get("S:DesiredMode", as_string=True) == "No Beam"
    assert shared.pv("S-DCCT:CurrentM").get_with_metadata(form="time", use_monitor=False)["severity"] == 2
    shared.wait("7ida:rShtrA:Status_RBV", lambda status: status == 0)  # without a permit it shuts by itself
    shared.put("7ida:rShtrA:Open", 1)  # and nothing opens
    shared.put("Fault:BeamDump", 0)
    assert shared.get("7ida:rShtrA:Status_RBV") == 0
    assert shared.pv("S-DCCT:CurrentM").get_with_metadata(form="time", use_monitor=False)["severity"] == 0
    shared.put("7ida:rShtrA:Open", 1)
    shared.wait("7ida:rShtrA:Status_RBV", lambda status: status == 1)


# --- laser -----------------------------------------------------------------------------------------


def test_the_repetition_rate_is_derived_from_the_rf_while_locked(shared: Channels) -> None:
    rf, divider = shared.get("7idd:Timing:RFFrequency_RBV"), shared.get("7idd:Timing:LaserDivider")
    bunches, harmonic = shared.get("7idd:Timing:NumBunches_RBV"), shared.get("7idd:Timing:Harmonic_RBV")
    locked = rf * bunches / harmonic / divider
    assert shared.get("7idd:Laser:RepRate_RBV") == pytest.approx(locked, abs=1e-3)
    errors = [shared.wait("7idd:Laser:LockError_RBV", lambda value: value != 0)]
    shared.put("Fault:LaserUnlocked", 1)
    assert shared.get("7idd:Laser:RepRate_RBV") == pytest.approx(locked + 37.0, abs=1e-3)
    errors.append(shared.get("7idd:Laser:LockError_RBV"))
    shared.put("Fault:LaserUnlocked", 0)
    assert shared.get("7idd:Laser:RepRate_RBV") == pytest.approx(locked, abs=1e-3)
    assert abs(errors[0]) < 5 * 0.5
    assert abs(errors[1]) > 5 * 0.5


# --- delay -----------------------------------------------------------------------------------------


def test_the_delay_steps_by_40_ps_where_the_phase_shifter_ends() -> None:
    """No readback shows it; the counters do, see below."""
    import asyncio

    world = World(load_scenario(), SimulatedClock())
    generator = SimDelayGenerator(world)

    def true_delay(fine_ps: float) -> float:
        asyncio.run(generator._put_fine(fine_ps))
        return world.delay_ps.at(world.clock.now()) - fine_ps

    inside = [true_delay(fine) for fine in (0.0, 1999.0, -1999.0)]
    assert inside == pytest.approx([inside[0]] * 3, abs=1e-6)
    assert true_delay(2000.0) - inside[0] == pytest.approx(40.0, abs=1e-6)
    assert true_delay(-2000.0) - inside[0] == pytest.approx(40.0, abs=1e-6)
    assert generator.fine_rbv.value == -2000.0


def test_the_step_is_seen_in_the_counts(ioc_pool: IocPool, tmp_path: Any) -> None:
    """The same sum of generator and phase shifter, made in two ways, on the rise of the transient."""
    scenario = STEADY | {
        "kinetics": {"lifetimes_ps": [1e6], "amplitudes": [1.0], "response_sigma_ps": 45.0, "fresh_spot": True},
        "sample": {"br_k": {"transient_fraction": -0.5}},
        "laser": {"background_per_gate": 0.0},
        "delay": {"drift_ps_per_h": 0.0},
    }
    ioc = ioc_pool.start(write_scenario(scenario, tmp_path / "step.toml"))
    channels = Channels(ioc)
    channels.put("7ida:BraggEAO", 13.472)
    channels.put("7idd:Laser:Shutter", 1)
    channels.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 1)

    def drop(generator_ns: float, fine_ps: float) -> float:
        channels.put("7idd:DG1:ADelayAO", generator_ns * 1e-9)
        channels.put("7idd:digDelay1:delay", fine_ps)
        counts = channels.acquire(4.0)["Counts"].astype(float)
        return float(1 - counts[::5].mean() / counts[2::5].mean())

    at_zero, slipped, after_40 = drop(169.78, 0.0), drop(171.78, 2000.0), drop(169.74, 0.0)
    channels.close()
    ioc_pool.stop(ioc)
    # 9e5 hits in each slot: the drop of about 0.3 is known to 2e-3.
    assert slipped == pytest.approx(after_40, abs=0.01)
    assert slipped - at_zero > 0.05


# --- I0 --------------------------------------------------------------------------------------------


def test_gain_steps_scale_light_and_dark_until_the_counter_is_full(shared: Channels) -> None:
    try:
        rates = {}
        for gain in (1e8, 2e8, 5e7, 5e9):
            shared.put("7idd:I0:Gain", gain)
            rates[gain] = i0_rate(shared)
    finally:
        shared.put("7idd:I0:Gain", 1e8)
    assert rates[1e8] == pytest.approx(1e6 * 1.001 + 1e3, rel=1e-4)
    assert rates[2e8] == pytest.approx(2 * rates[1e8], rel=1e-4)
    assert rates[5e7] == pytest.approx(0.5 * rates[1e8], rel=1e-4)
    assert rates[5e9] == pytest.approx(2e7, rel=1e-4)


@pytest.mark.parametrize("gain", [3e8, 1.5, 0.5, 2e13])
def test_there_is_no_gain_between_the_steps(shared: Channels, gain: float) -> None:
    shared.raw_put("7idd:I0:Gain", gain)
    shared.put("7idd:I0:Gain", gain)
    assert shared.get("7idd:I0:Gain") == 1e8


# --- jet and stage ---------------------------------------------------------------------------------


def test_no_flow_no_photons(shared: Channels) -> None:
    with_jet = photons(shared)
    try:
        shared.put(FLOW, 50.0)
        shared.wait(RUNNING, lambda running: running == 0)
        assert photons(shared) < 1e-4 * with_jet
        assert i0_rate(shared) > 9e5
    finally:
        shared.put(FLOW, 200.0)
    shared.wait("7idd:Jet:Flow_RBV", lambda flow: flow == 200.0)
    assert photons(shared) == pytest.approx(with_jet, rel=6 * math.sqrt(2 / with_jet))


def test_the_flow_ramps_at_the_rate_of_the_pump(ioc_pool: IocPool) -> None:
    ioc = ioc_pool.start(speedup=20.0)
    channels = Channels(ioc)
    channels.put(FLOW, 400.0)  # 4 s of beamline time
    first = channels.get("7idd:Jet:Flow_RBV")
    assert first < 400.0
    later = channels.wait("7idd:Jet:Flow_RBV", lambda flow: flow > first)
    assert 200.0 <= first < later <= 400.0
    channels.wait("7idd:Jet:Flow_RBV", lambda flow: flow == 400.0)
    channels.put("Fault:JetStopped", 1)
    channels.put(FLOW, 300.0)  # the pump does not hear it
    channels.wait(RUNNING, lambda running: running == 0)
    assert channels.get(FLOW) == 300.0
    channels.put("Fault:JetStopped", 0)
    channels.wait("7idd:Jet:Flow_RBV", lambda flow: flow == 300.0)
    assert channels.get(RUNNING) == 1
    channels.close()
    ioc_pool.stop(ioc)


def test_a_slower_jet_shows_more_of_the_earlier_pumps() -> None:
    """Residue in the last slot: the pumps before are still in the probed spot."""
    world = World(parse_scenario(STEADY), SimulatedClock())
    now = world.clock.now()
    fast = world.model_at(now).slot_amplitudes(100.0, 8.8)
    world.jet_speed_m_s.set(now, 2.0)
    slow = world.model_at(now).slot_amplitudes(100.0, 8.8)
    assert np.all(slow[1:] > fast[1:])


@pytest.mark.parametrize(("motor", "edge_mm"), [("7idd:m2", 2.5), ("7idd:m3", 10.0)])
def test_the_stage_finds_the_edge_of_the_sheet(shared: Channels, motor: str, edge_mm: float) -> None:
    in_the_middle = photons(shared)
    try:
        seen = {}
        for place in (edge_mm - 0.1, edge_mm, edge_mm + 0.1):
            shared.put(motor, place)
            seen[place] = photons(shared) / in_the_middle
    finally:
        shared.put(motor, 0.0)
    assert seen[edge_mm - 0.1] == pytest.approx(1.0, abs=0.01)
    assert 0.5 < seen[edge_mm] < 0.56  # half the light; fewer photons are less hidden by pile-up
    assert seen[edge_mm + 0.1] < 1e-3


# --- faults ----------------------------------------------------------------------------------------


def test_missing_shots_are_missing_gates(shared: Channels) -> None:
    whole = shared.acquire(2.0)["Gates"]
    shared.put("Fault:MissingShots", 1)
    fewer = shared.acquire(2.0)["Gates"]
    shared.put("Fault:MissingShots", 0)
    assert np.all(np.abs(fewer - 0.9 * whole) <= 1)


def test_a_stuck_axis_reports_that_it_moves_and_continues_when_freed(shared: Channels) -> None:
    shared.put("Fault:MonoStuck", 1)
    shared.put("7ida:BraggEAO", 13.46)
    assert shared.get("7ida:KohzuMoving") == 1
    assert shared.get("7ida:BraggERdbkAO") == pytest.approx(13.45, abs=1e-4)
    shared.put("Fault:MonoStuck", 0)
    assert shared.get("7ida:KohzuMoving") == 0
    for energy in (13.46, 13.45):
        shared.put("7ida:BraggEAO", energy)
        shared.wait("7ida:KohzuMoving", lambda moving: moving == 0)
        assert shared.get("7ida:BraggERdbkAO") == pytest.approx(energy, abs=6e-5)


def test_alarms_take_the_name_of_a_record_only(shared: Channels) -> None:
    shared.put("Fault:AlarmOn", "7idd:Nothing")
    assert shared.get("Fault:AlarmOn") == ""
    shared.put("Fault:AlarmOn", "7idd:Jet:Flow_RBV")
    severity = shared.pv("7idd:Jet:Flow_RBV").get_with_metadata(form="time", use_monitor=False)["severity"]
    shared.put("Fault:AlarmOn", "")
    assert severity == 2
