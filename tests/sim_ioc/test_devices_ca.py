"""The simulated devices over real Channel Access."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import epics
import numpy as np
import pytest

from tests.helpers.ioc_process import ROOT, StartIoc, write_scenario
from tests.sim_ioc.ca import Channels
from tests.sim_ioc.conftest import STEADY

ENERGY, READBACK, MOVING = "7ida:BraggEAO", "7ida:BraggERdbkAO", "7ida:KohzuMoving"
ACQUIRE, COUNTS = "7idd:FPGA1:Acquire", "7idd:FPGA1:Counts"


class Record:
    """Values of PVs in the order in which they came."""

    def __init__(self, channels: Channels, *suffixes: str) -> None:
        self.events: list[tuple[float, str, Any]] = []
        self._pvs = []
        for suffix in suffixes:
            pv = epics.PV(channels.ioc.name(suffix), auto_monitor=True, callback=self._callback(suffix))
            assert pv.wait_for_connection(10)
            self._pvs.append(pv)
        for suffix in suffixes:  # the first event of a monitor tells what is, not what happens
            self._wait(suffix, lambda _: True)
        self.events.clear()

    def _callback(self, suffix: str) -> Any:
        return lambda value=None, **_: self.events.append((time.monotonic(), suffix, value))

    def wait_for(self, suffix: str, value: Any) -> float:
        return self._wait(suffix, lambda seen: bool(seen == value))

    def _wait(self, suffix: str, wanted: Callable[[Any], bool]) -> float:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for when, name, seen in list(self.events):
                if name == suffix and wanted(seen):
                    return when
            time.sleep(0.002)
        raise AssertionError(f"{suffix} never became what is waited for: {self.events}")

    def values(self, suffix: str) -> list[Any]:
        return [value for _, name, value in self.events if name == suffix]

    def close(self) -> None:
        for pv in self._pvs:
            pv.disconnect()


def move(channels: Channels, energy_keV: float) -> None:
    channels.put(ENERGY, energy_keV)
    channels.wait(MOVING, lambda moving: moving == 0)


# --- monochromator ---------------------------------------------------------------------------------


def test_a_put_is_complete_before_the_axis_arrives(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    record = Record(channels, MOVING, READBACK)
    channels.put(ENERGY, 13.460)  # 10 eV at 20 eV/s and 0.1 s to settle: 0.6 s, 60 ms of wall time
    assert channels.get(MOVING) == 1
    assert channels.get(READBACK) < 13.459
    record.wait_for(MOVING, 1)
    channels.wait(MOVING, lambda moving: moving == 0)
    record.wait_for(READBACK, channels.get(READBACK))  # the monitor of the last one may come after it was asked for
    values = record.values(READBACK)
    assert len(values) >= 2
    assert np.all(np.diff(values) > 0)
    assert channels.get(READBACK) == pytest.approx(13.460, abs=6e-5)
    record.close()
    channels.close()


def test_repeatability_is_that_of_the_scenario(steady: Channels) -> None:
    off = []
    for i in range(40):
        move(steady, 13.450 + 0.001 * (i % 2))
        off.append(steady.get(READBACK) - steady.get(ENERGY))
    assert np.std(off) == pytest.approx(1e-5, rel=5 / math.sqrt(80))


def test_manual_mode_waits_for_the_put_button(steady: Channels) -> None:
    steady.put("7ida:KohzuModeBO", "Manual")
    steady.put(ENERGY, 13.5)
    assert steady.get(MOVING) == 0
    assert steady.get(READBACK) == pytest.approx(13.45)
    record = Record(steady, MOVING)
    steady.put("7ida:KohzuPutBO", 1)
    record.wait_for(MOVING, 1)
    record.wait_for(MOVING, 0)
    record.close()
    assert steady.get(READBACK) == pytest.approx(13.5, abs=6e-5)
    assert steady.get("7ida:KohzuPutBO") == 0


def test_angle_and_energy_follow_each_other(steady: Channels) -> None:
    # Bragg's law with the lattice constant of diamond, 3.56683 A
    angle = math.degrees(math.asin(12.398419843 * math.sqrt(3) / (2 * 3.56683 * 13.5)))
    move(steady, 13.5)
    assert steady.get("7ida:BraggThetaAO") == pytest.approx(angle, abs=1e-9)
    assert steady.get("7ida:BraggThetaRdbkAO") == pytest.approx(angle, abs=1e-4)
    steady.put("7ida:BraggThetaAO", angle + 0.01)
    steady.wait(MOVING, lambda moving: moving == 0)
    assert steady.get(READBACK) < 13.49
    assert steady.get(ENERGY) == pytest.approx(
        13.5 * math.sin(math.radians(angle)) / math.sin(math.radians(angle + 0.01))
    )


def test_a_new_target_in_flight_is_taken_from_where_the_axis_is(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put(ENERGY, 13.55)  # 5 s away
    channels.wait(READBACK, lambda energy: energy > 13.452)
    channels.put(ENERGY, 13.45)
    channels.wait(MOVING, lambda moving: moving == 0)
    assert channels.get(READBACK) == pytest.approx(13.45, abs=6e-5)
    channels.close()


def test_backlash_shifts_the_spectrum_when_coming_from_above(start_ioc: StartIoc) -> None:
    exact = STEADY | {"monochromator": {"repeatability_eV": 0.0}, "detector": {"afterpulse": 0.0}}
    channels = Channels(start_ioc(exact))

    def hits(energy_keV: float) -> float:
        move(channels, energy_keV)
        return float(channels.acquire(30.0)["Counts"].sum())

    from_below = hits(13.470)
    move(channels, 13.480)
    from_above = hits(13.470)
    assert channels.get(READBACK) == pytest.approx(13.470, abs=1e-9)
    move(channels, 13.460)
    again = hits(13.470)
    there = hits(13.4703)
    assert again == pytest.approx(from_below, rel=6e-4)  # 3e7 hits: 2e-4 each
    assert from_above == pytest.approx(there, rel=1e-3)
    assert from_above / from_below > 1.04
    channels.close()


# --- photon counter --------------------------------------------------------------------------------


def test_completion_comes_after_every_array(steady: Channels) -> None:
    names = [f"7idd:FPGA1:{n}" for n in ("Counts", "Gates", "PairGates", "PairCounts", "PrevHits", "Coinc")]
    steady.put("7idd:FPGA1:PresetTime", 2.0)
    pvs = [steady.pv(name) for name in [*names, "7idd:FPGA1:ElapsedTime_RBV", ACQUIRE]]
    old = [np.asarray(pv.get(use_monitor=False)) for pv in pvs[:6]]
    for _ in range(5):
        steady.put(ACQUIRE, 1)
        new = [np.asarray(pv.get(use_monitor=False)) for pv in pvs]
        assert new[7] == 0
        assert new[6] == 2.0
        assert np.all(new[1] == math.floor(2 * 351.933984e6 / 54 / 120))
        assert np.array_equal(new[4].reshape(5, 120)[0, 1:], new[0][:-1])  # hits before are the neighbour's
        assert not np.array_equal(new[0], old[0])
        assert not np.array_equal(new[5], old[5])
        assert all(array.dtype == np.int32 for array in new[:6])
        old = new[:6]


def test_a_dwell_lasts_its_preset_time_over_the_speedup(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put("7idd:FPGA1:PresetTime", 3.0)
    begun = time.monotonic()
    channels.put(ACQUIRE, 1)
    took = time.monotonic() - begun
    assert 0.3 <= took < 3.0
    assert channels.get("7idd:FPGA1:ElapsedTime_RBV") == 3.0
    channels.close()


def test_a_stop_completes_the_waiting_put_with_what_was_counted(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put("7idd:FPGA1:PresetTime", 3000.0)
    record = Record(channels, ACQUIRE)
    done: list[float] = []
    channels.pv(ACQUIRE).put(1, wait=False, callback=lambda **_: done.append(time.monotonic()))
    record.wait_for(ACQUIRE, 1)
    time.sleep(0.1)
    assert not done
    channels.put(ACQUIRE, 0)
    deadline = time.monotonic() + 10
    while not done and time.monotonic() < deadline:
        time.sleep(0.005)
    assert done
    elapsed = channels.get("7idd:FPGA1:ElapsedTime_RBV")
    assert 1.0 <= elapsed < 100.0
    gates = np.asarray(channels.get("7idd:FPGA1:Gates"))
    assert np.all(gates == math.floor(elapsed * 351.933984e6 / 54 / 120 + 1e-6))
    record.close()
    channels.close()


def test_a_second_start_waits_for_the_same_end(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put("7idd:FPGA1:PresetTime", 3.0)
    begun = time.monotonic()
    channels.pv(ACQUIRE).put(1, wait=False)
    channels.put(ACQUIRE, 1)
    assert time.monotonic() - begun >= 0.3
    assert channels.get(ACQUIRE) == 0
    channels.close()


def test_a_wrong_gate_loses_counts(steady: Channels) -> None:
    right = steady.acquire(5.0)["Counts"].sum()
    steady.put("7idd:FPGA1:GateDly-1_DLY", 100)
    wrong = steady.acquire(5.0)["Counts"].sum()
    assert right > 1e5
    assert wrong < 1e-3 * right


def test_the_laser_phase_moves_the_pumped_phases(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY | {"laser": {"background_per_gate": 0.5, "phase": 1}}))
    channels.put("7idd:Laser:Shutter", 1)
    channels.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 1)
    for phase in (1, 4):
        channels.put("7idd:Timing:LaserPhase", phase)
        assert channels.get("7idd:FPGA1:LaserPhase_RBV") == phase
        counts = channels.acquire(1.0)["Counts"]
        assert np.flatnonzero(counts > 2 * np.median(counts)).tolist() == list(range(phase, 120, 5))
    channels.close()


def test_other_patterns_are_scenarios(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc("hybrid324"))
    assert channels.get("7idd:FPGA1:NumPhases_RBV") == 324
    arrays = channels.acquire(1.0)
    assert arrays["Counts"].shape == (324,)
    assert arrays["Coinc"].shape == (5 * 324,)
    assert arrays["Gates"][0] == math.floor(351.933984e6 / 4 / 324)
    channels.close()


# --- ion chamber -----------------------------------------------------------------------------------


def test_scaler_counts_its_preset(steady: Channels) -> None:
    steady.put("7idd:scaler1.TP", 4.0)
    assert steady.get("7idd:scaler1.PR1") == 4e7
    steady.put("7idd:scaler1.CNT", 1)
    assert steady.get("7idd:scaler1.CNT") == 0
    assert steady.get("7idd:scaler1.T") == 4.0
    assert steady.get("7idd:scaler1.S1") == 4e7
    assert steady.get("7idd:scaler1.S2") == pytest.approx(4 * (1e6 * 1.001 + 1e3), abs=1)
    assert steady.get("7idd:scaler1.NM2") == "I0"


def test_scaler_preset_in_ticks(steady: Channels) -> None:
    steady.put("7idd:scaler1.PR1", 1e7)
    assert steady.get("7idd:scaler1.TP") == 1.0


def test_scaler_can_be_stopped(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put("7idd:scaler1.TP", 400.0)
    record = Record(channels, "7idd:scaler1.CNT")
    channels.pv("7idd:scaler1.CNT").put(1, wait=False)
    record.wait_for("7idd:scaler1.CNT", 1)
    time.sleep(0.05)
    channels.put("7idd:scaler1.CNT", 0)
    seconds = channels.get("7idd:scaler1.T")
    assert 0.4 < seconds < 100.0
    assert channels.get("7idd:scaler1.S2") == pytest.approx(seconds * 1.002e6, rel=1e-3)
    record.close()
    channels.close()


def test_scaler_shows_its_counts_while_it_counts(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put("7idd:scaler1.TP", 4.0)
    channels.put("7idd:scaler1.RATE", 10.0)
    record = Record(channels, "7idd:scaler1.S2")
    channels.put("7idd:scaler1.CNT", 1)
    values = record.values("7idd:scaler1.S2")
    assert len(values) >= 4
    assert np.all(np.diff(values) >= 0)
    record.close()
    channels.close()


def test_i0_noise_is_that_of_the_scenario(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY | {"i0": {"noise": 0.01}}))
    channels.put("7idd:scaler1.TP", 0.5)
    counts = []
    for _ in range(60):
        channels.put("7idd:scaler1.CNT", 1)
        counts.append(channels.get("7idd:scaler1.S2"))
    assert np.std(counts) / np.mean(counts) == pytest.approx(0.01, rel=5 / math.sqrt(120))
    channels.close()


# --- laser, delay, ring ----------------------------------------------------------------------------


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


# --- faults ----------------------------------------------------------------------------------------


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


# --- the whole -------------------------------------------------------------------------------------


@pytest.mark.parametrize("laser", [0, 1])
def test_counts_over_channel_access_are_those_expected(start_ioc: StartIoc, tmp_path: Path, laser: int) -> None:
    """Energy, delay, shutter and gates together: 120 pulls against the file that the demonstration asks for."""
    scenario = STEADY | {
        "monochromator": {"repeatability_eV": 0.0},
        "delay": {"drift_ps_per_h": 0.0},
        "detector": {"afterpulse": 0.0},
        "ring": STEADY["ring"] | {"bunch_spread_rms": 0.2},
        "laser": {"phase": 3, "background_per_gate": 0.01},
        "sample": {"mu_white_line": 0.8, "br_k": {"transient_fraction": -0.3}},
    }
    channels = Channels(start_ioc(scenario))
    move(channels, 13.4721)
    channels.put("7idd:DG1:ADelayAO", 159.68e-9)
    channels.put("7idd:Laser:Shutter", laser)
    channels.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == laser)
    arrays = channels.acquire(20.0)
    channels.close()

    file = write_scenario(scenario, tmp_path / "same.toml")
    (tmp_path / "r.json").write_text('{"energies_keV": [13.4721], "delay_ps": 10100.0, "fluence_mJ_cm2": 8.8}')
    ask = ["--scenario", str(file), "--request", str(tmp_path / "r.json"), "--out", str(tmp_path / "o.npz")]
    subprocess.run([sys.executable, "-m", "sim_ioc.expect", *ask], cwd=ROOT, check=True)
    with np.load(tmp_path / "o.npz") as answer:
        mu = answer["mu_on" if laser else "mu_off"][0]
    p, n = 1 - np.exp(-mu), arrays["Gates"]
    pulls = (arrays["Counts"] - n * p) / np.sqrt(n * p * (1 - p))
    assert abs(pulls.mean()) < 4.5 / math.sqrt(120)
    assert np.std(pulls) == pytest.approx(1.0, abs=4.5 / math.sqrt(240))
