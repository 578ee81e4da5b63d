"""APD, gate, boxcars and waveform analyser over real Channel Access."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from tests.helpers.ioc_process import IocPool, write_scenario
from tests.sim_ioc.ca import TIMEOUT_S, Channels
from tests.sim_ioc.conftest import STEADY

LASER_HZ = 351.933984e6 / 270
APD, GATE, UHF = "7idd:APD1:", "7idd:FPGA1:GateDly-1_", "7idd:UHF:"
BRIGHT = STEADY | {
    "sample": {"mu_white_line": 2.0},
    "detector": {"afterpulse": 0.0, "hv_ramp_V_s": 1000.0},
    "laser": {"background_per_gate": 0.5},
    "boxcar": {"drift_V": 0.0},
}


@pytest.fixture(scope="module")
def bright_beamline(ioc_pool: IocPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channels]:
    scenario = write_scenario(BRIGHT, tmp_path_factory.mktemp("bright") / "bright.toml")
    ioc = ioc_pool.start(scenario, 100.0)
    channels = Channels(ioc)
    yield channels
    channels.close()
    ioc_pool.stop(ioc)


@contextmanager
def changed(channels: Channels, **values: Any) -> Iterator[None]:
    """Put values (``prefix__name``: see `name_of`) for a while."""
    before = {name: channels.get(name) for name in map(name_of, values)}
    try:
        for key, value in values.items():
            channels.put(name_of(key), value)
        yield
    finally:
        for name, value in before.items():
            channels.put(name, value)


def name_of(key: str) -> str:
    """``box1__Periods`` is 7idd:UHF:BOX1:Periods."""
    device, _, name = key.partition("__")
    return {"apd": APD, "gate": GATE, "uhf": UHF, "box1": f"{UHF}BOX1:", "box2": f"{UHF}BOX2:"}[device] + name


def boxcar(channels: Channels, seconds: float, number: int = 1) -> dict[str, Any]:
    """Acquire and read one boxcar."""
    channels.put(f"{UHF}PresetTime", seconds)
    channels.put(f"{UHF}Acquire", 1)
    names = ("Value", "StdDev", "NumSamples", "Overload_RBV")
    return {name: channels.get(f"{UHF}BOX{number}:{name}") for name in names}


# --- APD and gate ----------------------------------------------------------------------------------


def test_a_threshold_sweep_has_a_plateau(bright_beamline: Channels) -> None:
    found = {}
    for level in (5.0, 30.0, 50.0, 70.0, 100.0, 400.0):
        with changed(bright_beamline, apd__Threshold=level):
            assert bright_beamline.get(f"{APD}Threshold_RBV") == pytest.approx(level)
            arrays = bright_beamline.acquire(1.0)
            found[level] = arrays["Counts"].sum() / arrays["Gates"].sum()
    assert found[30.0] == pytest.approx(found[50.0], rel=0.02)
    assert found[70.0] == pytest.approx(found[50.0], rel=0.02)
    assert found[5.0] > 1.2 * found[50.0]
    assert 0.4 * found[50.0] < found[100.0] < 0.75 * found[50.0]
    assert found[400.0] < 0.02 * found[50.0]


def test_the_threshold_is_taken_to_the_step_of_its_converter(bright_beamline: Channels) -> None:
    with changed(bright_beamline, apd__Threshold=61.2345):
        assert bright_beamline.get(f"{APD}Threshold_RBV") == pytest.approx(61.2, abs=1e-9)
        assert bright_beamline.get(f"{APD}Threshold") == pytest.approx(61.2345)


def test_the_bias_ramps_and_its_readback_follows(bright_beamline: Channels) -> None:
    seen: list[float] = []
    readback = bright_beamline.pv(f"{APD}HV_RBV", monitored=True)
    number = readback.add_callback(lambda value=None, **_: seen.append(value))
    begun = time.monotonic()
    with changed(bright_beamline, apd__HV=360.0):
        bright_beamline.wait(f"{APD}HV_RBV", lambda volts: volts == 360.0)
        assert time.monotonic() - begun >= 20 / 1000 / 100  # 20 V at 1000 V/s, 100 times faster than life
    bright_beamline.wait(f"{APD}HV_RBV", lambda volts: volts == 380.0)
    readback.remove_callback(number)
    assert all(360.0 <= volts <= 380.0 for volts in seen)
    assert bright_beamline.get(f"{APD}Temperature_RBV") == pytest.approx(25.0, abs=0.021)


def test_a_gate_on_the_next_bunch_counts_the_next_phase(bright_beamline: Channels) -> None:
    """With the laser's own light in slot 0, the bright phases come one earlier."""
    bright_beamline.put("7idd:Laser:Shutter", 1)
    bright_beamline.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 1)
    try:
        right = bright_beamline.acquire(1.0)["Counts"]
        with changed(bright_beamline, gate__DLY=47, gate__WIDTH=4, gate__CLOCK=1):
            next_bunch = bright_beamline.acquire(1.0)["Counts"]
        with changed(bright_beamline, gate__DLY=9, gate__WIDTH=44):
            wide = bright_beamline.acquire(1.0)["Counts"]
    finally:
        bright_beamline.put("7idd:Laser:Shutter", 0)
    bright_beamline.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 0)

    def slots_that_are_bright(counts: np.ndarray[Any, Any]) -> list[int]:
        by_slot = counts.reshape(24, 5).mean(axis=0)
        return [int(slot) for slot in np.flatnonzero(by_slot > 1.08 * np.median(by_slot))]

    assert slots_that_are_bright(right) == [0]
    assert slots_that_are_bright(next_bunch) == [4]
    assert slots_that_are_bright(wide) == [0, 4]
    assert wide.mean() > 1.2 * right.mean()


def test_a_slip_of_the_laser_is_seen_by_the_counter(bright_beamline: Channels) -> None:
    bright_beamline.put("7idd:Laser:Shutter", 1)
    bright_beamline.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 1)
    try:
        found = []
        for slipped in (0, 1, 0):
            bright_beamline.put("Fault:LaserPhaseSlip", slipped)
            counts = bright_beamline.acquire(1.0)["Counts"].reshape(24, 5).mean(axis=0)
            found.append((bright_beamline.get("7idd:FPGA1:LaserPhase_RBV"), int(np.argmax(counts))))
            boxcars = [boxcar(bright_beamline, 1.0, number)["Value"] for number in (1, 2)]
            assert boxcars[0] < 1.1 * boxcars[1]  # the boxcars follow the laser
        assert bright_beamline.get("7idd:Timing:LaserPhase") == 0
    finally:
        bright_beamline.put("Fault:LaserPhaseSlip", 0)
        bright_beamline.put("7idd:Laser:Shutter", 0)
    bright_beamline.wait("7idd:Laser:ShutterStatus_RBV", lambda status: status == 0)
    assert found == [(0, 0), (1, 1), (0, 0)]


def test_a_gate_without_rf_jitters_by_a_tick(bright_beamline: Channels) -> None:
    with changed(bright_beamline, gate__DLY=10, gate__WIDTH=2, gate__CLOCK=1):
        tight = bright_beamline.acquire(2.0)["Counts"].sum()
    with changed(bright_beamline, gate__DLY=10, gate__WIDTH=2, gate__CLOCK=0):
        jitters = bright_beamline.acquire(2.0)["Counts"].sum()
    whole = bright_beamline.acquire(2.0)["Counts"].sum()
    assert tight == pytest.approx(whole, rel=2e-3)
    assert 0.7 < jitters / whole < 0.85  # 3/4 of the photons, somewhat more of the hits


# --- boxcars ---------------------------------------------------------------------------------------


def test_all_results_are_there_when_an_acquisition_is_complete(bright_beamline: Channels) -> None:
    names = [f"{UHF}{name}" for name in ("BOX1:Value", "BOX1:StdDev", "BOX2:Value", "BOX2:StdDev", "PWA:Waveform")]
    old = [np.asarray(bright_beamline.get(name)) for name in names]
    for seconds in (0.5, 1.0, 0.7):
        reading = boxcar(bright_beamline, seconds)
        assert bright_beamline.get(f"{UHF}Acquire") == 0
        assert bright_beamline.get(f"{UHF}ElapsedTime_RBV") == seconds
        periods = bright_beamline.get(f"{UHF}BOX1:Periods")
        assert reading["NumSamples"] == math.floor(seconds * LASER_HZ / periods)
        assert bright_beamline.get(f"{UHF}PWA:NumPeriods") == math.floor(seconds * LASER_HZ)
        new = [np.asarray(bright_beamline.get(name)) for name in names]
        assert all(not np.array_equal(before, after) for before, after in zip(old, new, strict=True))
        old = new


def test_an_acquisition_takes_the_windows_that_it_started_with(bright_beamline: Channels) -> None:
    before = boxcar(bright_beamline, 1.0)["Value"]
    bright_beamline.put(f"{UHF}PresetTime", 50.0)  # half a second of wall time
    done: list[bool] = []
    bright_beamline.pv(f"{UHF}Acquire").put(1, wait=False, callback=lambda **_: done.append(True))
    bright_beamline.wait(f"{UHF}Acquire", lambda busy: busy == 1)
    with changed(bright_beamline, box1__WindowStart=100.0):
        deadline = time.monotonic() + TIMEOUT_S
        while not done and time.monotonic() < deadline:
            time.sleep(0.005)
        late = bright_beamline.get(f"{UHF}BOX1:Value")
        off_the_pulse = boxcar(bright_beamline, 1.0)["Value"]
    assert before < -5e-3
    assert late == pytest.approx(before, rel=0.01)
    assert abs(off_the_pulse) < 1e-4


def test_a_stop_leaves_the_reading_of_the_time_so_far(bright_beamline: Channels) -> None:
    bright_beamline.put(f"{UHF}PresetTime", 1000.0)
    done: list[bool] = []
    bright_beamline.pv(f"{UHF}Acquire").put(1, wait=False, callback=lambda **_: done.append(True))
    bright_beamline.wait(f"{UHF}Acquire", lambda busy: busy == 1)
    bright_beamline.put(f"{UHF}Acquire", 0)
    deadline = time.monotonic() + TIMEOUT_S
    while not done and time.monotonic() < deadline:
        time.sleep(0.005)
    assert done
    seconds = bright_beamline.get(f"{UHF}ElapsedTime_RBV")
    assert 0 < seconds < 1000
    assert bright_beamline.get(f"{UHF}PWA:NumPeriods") == pytest.approx(seconds * LASER_HZ, abs=1)


def test_windows_baseline_and_periods_act(bright_beamline: Channels) -> None:
    on = boxcar(bright_beamline, 2.0)
    wide = {"box1__WindowStart": 0.0, "box1__WindowSize": 150e-9, "box1__BaselineEnable": 0}
    with changed(bright_beamline, **wide):
        assert boxcar(bright_beamline, 2.0)["Value"] - 5e-3 == pytest.approx(on["Value"] * 8 / 150, rel=0.02)
    with changed(bright_beamline, box1__BaselineEnable=0):
        assert boxcar(bright_beamline, 2.0)["Value"] == pytest.approx(on["Value"] + 5e-3, abs=2e-4)
    with changed(bright_beamline, box1__BaselineStart=bright_beamline.get(f"{UHF}BOX1:WindowStart") + 72):
        assert abs(boxcar(bright_beamline, 2.0)["Value"]) < 2e-4  # the next pulse is subtracted
    with changed(bright_beamline, box1__Periods=512 * 4):
        averaged = boxcar(bright_beamline, 2.0)
    assert averaged["NumSamples"] == pytest.approx(on["NumSamples"] / 4, abs=1)
    assert averaged["StdDev"] == pytest.approx(on["StdDev"] / 2, rel=0.12)  # 1273 samples: 2 % each, 4.5 sigma


def test_the_trace_and_its_axis(bright_beamline: Channels) -> None:
    boxcar(bright_beamline, 1.0)
    trace = np.asarray(bright_beamline.get(f"{UHF}PWA:Waveform"))
    axis = np.asarray(bright_beamline.get(f"{UHF}PWA:Phase"))
    assert trace.shape == axis.shape == (1024,)
    assert axis == pytest.approx(np.arange(1024) * 360 / 1024)
    assert bright_beamline.get(f"{UHF}Frequency_RBV") == pytest.approx(LASER_HZ)
    middle = 0.5 * (trace.min() + trace.max())
    falls = axis[1:][(trace[1:] < middle) & (trace[:-1] >= middle)]
    # half height 2 ns after the begin of a pulse at 40 ns, every 72 degrees
    assert falls == pytest.approx((42e-9 * LASER_HZ * 360) + 72 * np.arange(5), abs=0.4)


@pytest.mark.parametrize(
    ("suffix", "value"),
    [
        ("7idd:APD1:HV", 408.0),
        ("7idd:APD1:HV", -1.0),
        ("7idd:APD1:Threshold", 1000.1),
        ("7idd:APD1:Threshold", float("nan")),
        ("7idd:FPGA1:GateDly-1_DLY", 1001),
        ("7idd:FPGA1:GateDly-1_CLOCK", 2),
        ("7idd:UHF:PresetTime", 1700.0),
        ("7idd:UHF:BOX1:WindowStart", 360.1),
        ("7idd:UHF:BOX2:WindowSize", 1e-6),
        ("7idd:UHF:BOX2:WindowSize", 0.0),
        ("7idd:UHF:BOX1:Periods", 0),
        ("7idd:UHF:BOX1:BaselineEnable", 7),
    ],
)
def test_puts_past_a_limit_are_refused(bright_beamline: Channels, suffix: str, value: float) -> None:
    before = bright_beamline.get(suffix)
    bright_beamline.raw_put(suffix, value)
    bright_beamline.put(suffix, value)
    assert bright_beamline.get(suffix) == before
