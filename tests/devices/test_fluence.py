"""Pump fluence: readback from the pulse energy, setpoint by the wave plate, refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import epics
import numpy as np
import pytest
from bluesky import RunEngine
from ophyd.utils import LimitError

from beamline.station.build import Beamline
from tests.devices.builds import record

WAIT = 20.0
ENERGY, ANGLE = "sim:7idd:Laser:PulseEnergy_RBV", "sim:7idd:m1"
HIGHEST = 14.0
"""mJ/cm2 with the plate at 45 deg, in the scenario."""


@pytest.fixture
def stuck(sim: Beamline) -> Iterator[None]:
    """The wave plate reports a move without moving, for one test."""
    epics.caput("sim:Fault:WavePlateStuck", 1, wait=True)
    yield
    epics.caput("sim:Fault:WavePlateStuck", 0, wait=True)
    epics.caput("sim:7idd:m1.STOP", 1, wait=True)


@pytest.fixture(autouse=True)
def as_before(sim: Beamline) -> Iterator[None]:
    """Afterwards the fluence is what it was."""
    angle = record(ANGLE)
    yield
    epics.caput(ANGLE, angle, wait=True, timeout=WAIT)


def test_fluence_integrates_to_the_pulse_energy(sim: Beamline) -> None:
    """Fluence in the middle times the profile of the spot, summed over the plane, is the energy of a pulse."""
    for width in (45.0, 60.0):
        sim.laser_fluence.spot_width.put(width)
        peak = sim.laser_fluence.fluence.get()  # mJ/cm2
        height = sim.laser_fluence.spot_height.get()
        x = np.linspace(-300, 300, 601)  # um, steps of 1 um
        profile = np.exp(-4 * np.log(2) * ((x[:, None] / width) ** 2 + (x[None, :] / height) ** 2))
        assert profile[300, 300] == 1
        energy = peak * profile.sum() * 1e-8 * 1e3  # 1 um2 is 1e-8 cm2, 1 mJ is 1e3 uJ
        assert energy == pytest.approx(record("sim:7idd:Laser:PulseEnergy_RBV"), rel=1e-6)


def test_fluence_is_that_of_the_scenario(sim: Beamline) -> None:
    assert sim.laser_fluence.fluence.read()["laser_fluence"]["value"] == pytest.approx(8.8, rel=1e-6)


@pytest.mark.parametrize("fluence", [0.5, 3.5, 7.0, 12.4])
def test_the_wave_plate_turns_by_the_law_of_malus(sim: Beamline, fluence: float) -> None:
    """Light behind a polariser goes with the square of the cosine between the two; here they are crossed at 0."""
    sim.laser_fluence.set(fluence).wait(WAIT)
    between = math.radians(90 - 2 * record(ANGLE + ".RBV"))
    assert HIGHEST * math.cos(between) ** 2 == pytest.approx(fluence, rel=2e-3)
    assert sim.laser_fluence.position == pytest.approx(fluence, rel=2e-3)
    area_cm2 = math.pi * 45e-4 * 50e-4 / (4 * math.log(2))
    assert record(ENERGY) * 1e-3 / area_cm2 == pytest.approx(fluence, rel=2e-3)


def test_it_moves_and_scans_in_plain_bluesky(sim: Beamline, engine: RunEngine) -> None:
    seen: list[tuple[float, float]] = []

    def keep(name: str, doc: dict) -> None:
        if name == "event":
            seen.append((doc["data"]["laser_fluence"], doc["data"]["laser_pulse_energy"]))

    engine.subscribe(keep)
    engine(bps.mv(sim.laser_fluence, 2.0))
    engine(bp.scan([sim.laser], sim.laser_fluence, 1.0, 9.0, 3))
    assert [fluence for fluence, _ in seen] == pytest.approx([1.0, 5.0, 9.0], rel=2e-3)
    assert np.ptp([energy / fluence for fluence, energy in seen]) < 1e-9


@pytest.mark.parametrize("fluence", [-0.1, 14.1, 1e6, float("nan"), float("inf")])
def test_a_fluence_out_of_reach_is_refused_before_anything_is_sent(sim: Beamline, fluence: float) -> None:
    before = record(ANGLE)
    for attempt in (sim.laser_fluence.check_value, sim.laser_fluence.set):
        with pytest.raises(LimitError, match=r"^laser_fluence cannot reach .* sim:7idd:m1 makes 0 to 14 mJ/cm2"):
            attempt(fluence)
    assert record(ANGLE) == before
    assert sim.laser_fluence.limits == pytest.approx((0.0, HIGHEST), rel=1e-3)


def test_the_ends_are_within_reach(sim: Beamline) -> None:
    for fluence in sim.laser_fluence.limits:
        sim.laser_fluence.set(fluence).wait(WAIT)
        assert sim.laser_fluence.position == pytest.approx(fluence, abs=2e-3 * HIGHEST)


def test_a_wrong_calibration_is_reported_not_hidden(sim: Beamline) -> None:
    """The plate arrives, and the pulse energy disagrees."""
    sim.laser_fluence.full_energy.put(0.30)
    sim.laser_fluence.stall.put(0.3)
    try:
        with pytest.raises(TimeoutError, match=r"^laser_fluence did not go to 5 mJ/cm2 .*PulseEnergy_RBV is "):
            sim.laser_fluence.set(5.0).wait(WAIT)
    finally:
        sim.laser_fluence.stall.put(4.0)


def test_a_plate_that_never_arrives_is_given_up_by_name(sim: Beamline, stuck: None) -> None:
    assert sim.laser_fluence.stall.get() < 5
    sim.laser_fluence.stall.put(0.3)
    try:
        with pytest.raises(TimeoutError, match=r"^laser_fluence did not go to 5 mJ/cm2 .*sim:7idd:m1.DMOV is 0"):
            sim.laser_fluence.set(5.0).wait(WAIT)
    finally:
        sim.laser_fluence.stall.put(4.0)
        sim.laser_fluence.stop(success=True)


def test_a_small_step_ends_when_the_motor_is_done(sim: Beamline, stuck: None) -> None:
    """Where the plate was is near enough to where it goes: the monitored values agree from the beginning.

    A plate that does not move shows whether that is believed.
    """
    sim.laser_fluence.stall.put(0.3)
    try:
        with pytest.raises(TimeoutError, match=r"^laser_fluence did not go to .*sim:7idd:m1.DMOV is 0"):
            sim.laser_fluence.set(sim.laser_fluence.position * 1.0002).wait(WAIT)
    finally:
        sim.laser_fluence.stall.put(4.0)
        sim.laser_fluence.stop(success=True)
