"""Simulated photon counter and ion chamber over real Channel Access."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.ioc_process import ROOT, StartIoc, write_scenario
from tests.sim_ioc.ca import ACQUIRE, Channels, Record, move
from tests.sim_ioc.conftest import STEADY


def test_completion_comes_after_every_array(steady: Channels) -> None:
    names = [f"7idd:FPGA1:{n}" for n in ("Counts", "Gates", "PairGates", "PairCounts", "PrevHits", "Coinc")]
    steady.put("7idd:FPGA1:PresetTime", 2.0)
    pvs = [steady.pv(name) for name in [*names, "7idd:FPGA1:ElapsedTime_RBV", ACQUIRE, "7idd:BPM1:ByPhase"]]
    seen = np.zeros(120)
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
        assert not np.array_equal(new[8], seen) and new[8].sum() / 120 == pytest.approx(102 / 24, rel=0.05)
        seen = new[8]
        assert all(array.dtype == np.int32 for array in new[:6])
        old = new[:6]


def test_a_dwell_lasts_its_preset_time_over_the_speedup(start_ioc: StartIoc) -> None:
    """300 s at a speed-up of 1000: without it the put would run into its timeout."""
    channels = Channels(start_ioc(STEADY, speedup=1000.0))
    channels.put("7idd:FPGA1:PresetTime", 300.0)
    begun = time.monotonic()
    channels.put(ACQUIRE, 1)
    assert time.monotonic() - begun >= 0.3
    assert channels.get("7idd:FPGA1:ElapsedTime_RBV") == 300.0
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


@pytest.mark.parametrize("laser", [0, 1])
def test_counts_over_channel_access_are_those_expected(start_ioc: StartIoc, tmp_path: Path, laser: int) -> None:
    """Energy, delay, shutter and gates together: 120 pulls against the file of the demonstration."""
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
