"""Simulated laser, delay, shutters, faults and motors over real Channel Access."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from tests.helpers.ioc_process import StartIoc
from tests.sim_ioc.ca import READBACK, Channels, Record, move
from tests.sim_ioc.conftest import STEADY


def test_laser_shutter_follows_after_its_travel(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY | {"laser": {"shutter_travel_s": 1.0}}, speedup=10.0))
    status = "7idd:Laser:ShutterStatus_RBV"
    assert channels.get(status) == 0
    record = Record(channels, status)
    begun = time.monotonic()
    channels.put("7idd:Laser:Shutter", 1)
    assert channels.get(status) == 0
    assert record.wait_for(status, 1) - begun >= 0.099
    # open and shut again at once: it never opens in between
    channels.put("7idd:Laser:Shutter", 0)
    channels.put("7idd:Laser:Shutter", 1)
    channels.put("7idd:Laser:Shutter", 0)
    record.wait_for(status, 0)
    time.sleep(0.15)
    assert channels.get(status) == 0
    assert record.values(status) == [1, 0]
    record.close()
    channels.close()


def test_pump_fluence_follows_from_the_pulse_energy(default_ioc: Channels) -> None:
    # 8.8 mJ/cm2 in the middle of a Gaussian spot of 45 x 50 um (FWHM): E = F pi w h / (4 ln 2)
    expected = 8.8e-3 * math.pi * 45e-4 * 50e-4 / (4 * math.log(2)) * 1e6
    assert default_ioc.get("7idd:Laser:PulseEnergy_RBV") == pytest.approx(expected)


def test_delay_is_taken_to_the_resolution_of_the_generator(steady: Channels) -> None:
    assert steady.get("7idd:DG1:ADelayAI") == pytest.approx(169.68e-9, abs=1e-15)  # 100 ps before t0
    steady.put("7idd:DG1:ADelayAO", 159.6812e-9)
    assert steady.get("7idd:DG1:ADelayAI") == pytest.approx(159.680e-9, abs=1e-15)
    assert steady.get("7idd:DG1:ADelayAO") == pytest.approx(159.6812e-9, abs=1e-16)
    steady.put("7idd:digDelay1:delay", 1.23)
    assert steady.get("7idd:digDelay1:actualDelay") == pytest.approx(1.2)


def test_delay_runs_backwards_and_the_fine_phase_adds(start_ioc: StartIoc) -> None:
    """A fast decay: the transient is there after t0 and gone before it."""
    scenario = STEADY | {
        "kinetics": {"lifetimes_ps": [1000.0], "amplitudes": [1.0], "response_sigma_ps": 20.0},
        "sample": {"br_k": {"transient_fraction": -0.5}},
        "laser": {"background_per_gate": 0.0},
        "delay": {"drift_ps_per_h": 0.0},
    }
    channels = Channels(start_ioc(scenario))
    move(channels, 13.472)
    channels.put("7idd:Laser:Shutter", 1)
    channels.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 1)

    def contrast() -> float:
        counts = channels.acquire(3.0)["Counts"].astype(float)
        return float(1 - counts[::5].mean() / counts[2::5].mean())

    channels.put("7idd:DG1:ADelayAO", 169.68e-9)
    after = contrast()
    channels.put("7idd:DG1:ADelayAO", 169.98e-9)
    before = contrast()
    channels.put("7idd:digDelay1:delay", 300.0)
    back = contrast()
    assert after > 0.3
    assert abs(before) < 0.02
    assert back == pytest.approx(after, abs=0.02)
    channels.close()


def test_xray_shutter_opens_and_shuts_on_momentary_commands(steady: Channels) -> None:
    status = "7ida:rShtrA:Status_RBV"
    assert steady.get(status) == 1
    steady.put("7ida:rShtrA:Close", 1)
    assert steady.get("7ida:rShtrA:Close") == 0
    steady.wait(status, lambda value: value == 0)
    assert steady.acquire(1.0)["Counts"].sum() < 100
    steady.put("7idd:scaler1.CNT", 1)
    assert steady.get("7idd:scaler1.S2") == pytest.approx(1000, abs=1)
    steady.put("7ida:rShtrA:Open", 1)
    steady.wait(status, lambda value: value == 1)
    assert steady.acquire(1.0)["Counts"].sum() > 1e4


def test_beam_dump(steady: Channels) -> None:
    steady.put("Fault:BeamDump", 1)
    assert steady.get("S-DCCT:CurrentM") == 0.0
    assert steady.get("XFD:ShutterPermit") == 0
    assert steady.acquire(1.0)["Counts"].sum() < 100
    steady.put("Fault:BeamDump", 0)
    assert steady.get("S-DCCT:CurrentM") == pytest.approx(102.0, rel=1e-3)
    assert steady.get("XFD:ShutterPermit") == 1
    assert steady.acquire(1.0)["Counts"].sum() < 100  # the shutter has shut
    steady.put("7ida:rShtrA:Open", 1)
    steady.wait("7ida:rShtrA:Status_RBV", lambda value: value == 1)
    assert steady.acquire(1.0)["Counts"].sum() > 1e4


def test_saturated_gate(steady: Channels) -> None:
    steady.put("Fault:GateSaturated", 1)
    arrays = steady.acquire(1.0)
    assert np.flatnonzero(arrays["Counts"] == arrays["Gates"]).tolist() == [7]


def test_nan_from_i0_and_energy(steady: Channels) -> None:
    steady.put("Fault:I0NaN", 1)
    steady.put("7idd:scaler1.CNT", 1)
    assert math.isnan(steady.get("7idd:scaler1.S2"))
    steady.put("Fault:I0NaN", 0)
    steady.put("7idd:scaler1.CNT", 1)
    assert steady.get("7idd:scaler1.S2") > 1e5
    steady.put("Fault:EnergyNaN", 1)
    assert math.isnan(steady.get(READBACK))
    steady.put("Fault:EnergyNaN", 0)
    assert steady.get(READBACK) == pytest.approx(13.45)


def test_laser_lock_and_stuck_shutter(steady: Channels) -> None:
    assert abs(steady.get("7idd:Laser:LockError_RBV")) < 10
    steady.put("Fault:LaserUnlocked", 1)
    assert steady.get("7idd:Laser:Locked_RBV") == 0
    steady.put("Fault:LaserUnlocked", 0)
    assert steady.get("7idd:Laser:Locked_RBV") == 1
    steady.put("Fault:LaserShutterStuck", 1)
    steady.put("7idd:Laser:Shutter", 1)
    time.sleep(0.05)  # 10 s of beamline time
    assert steady.get("7idd:Laser:ShutterStatus_RBV") == 0
    steady.put("Fault:LaserShutterStuck", 0)
    steady.put("7idd:Laser:Shutter", 1)
    steady.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 1)


def test_wave_plate_is_a_motor_that_sets_the_fluence(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=20.0))
    record = Record(channels, "7idd:m1.DMOV", "7idd:m1.RBV")
    full = channels.get("7idd:Laser:PulseEnergy_RBV") / 8.8 * 14.0
    begun = time.monotonic()
    channels.put("7idd:m1", 15.0)  # sin^2(30 deg) is a quarter
    assert time.monotonic() - begun > 0.02  # 11 deg at 20 deg/s: complete when the motor rests
    assert channels.get("7idd:m1.RBV") == pytest.approx(15.0)
    assert channels.get("7idd:Laser:PulseEnergy_RBV") == pytest.approx(0.25 * full)
    record.wait_for("7idd:m1.DMOV", 1)
    assert record.values("7idd:m1.DMOV") == [0, 1]
    channels.put("7idd:m1", 45.01)
    assert channels.get("7idd:m1") == pytest.approx(15.0)
    record.close()
    channels.close()


def test_the_motor_works_with_the_ophyd_class_and_can_be_stopped(start_ioc: StartIoc) -> None:
    from ophyd import EpicsMotor

    ioc = start_ioc(STEADY, speedup=1.0)
    motor = EpicsMotor(ioc.name("7idd:m1"), name="wave_plate")
    motor.wait_for_connection(timeout=10)
    assert motor.limits == (0.0, 45.0)
    motor.set(motor.position + 0.5).wait(timeout=10)
    target = motor.position + 15
    status = motor.set(target)
    time.sleep(0.15)
    motor.stop()
    status.wait(timeout=10)
    assert motor.motor_done_move.get() == 1
    assert motor.position < target - 5
    assert motor.user_setpoint.get() == pytest.approx(motor.position)
