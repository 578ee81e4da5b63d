"""Trajectory and frames of the simulated beamline over real Channel Access."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.sim_ioc.ca import MOVING, READBACK, Channels, move

PROFILE, FRAMES = "7ida:Prof1:", "7idd:FPGA1:Frames:"
FRAME_S = 0.1
POINTS = [13.449, 13.455, 13.460]
TIMES = [1.0, 2.0]  # 6 and 2.5 eV/s


def build(channels: Channels, positions: list[float] = POINTS, times: list[float] = TIMES) -> str:
    """Build a trajectory; why that fails."""
    channels.put(f"{PROFILE}NumPoints", len(positions))
    channels.put(f"{PROFILE}M1Positions", np.array(positions))
    channels.put(f"{PROFILE}Times", np.array(times))
    channels.put(f"{PROFILE}Build", 1)
    assert channels.get(f"{PROFILE}BuildStatus", as_string=True) in ("Success", "Failure")
    return str(channels.get(f"{PROFILE}BuildMessage", as_string=True))


def sweep(channels: Channels, number: int = 150) -> dict[str, np.ndarray]:
    """Frames of a trajectory, and a few after it."""
    move(channels, POINTS[0] - 0.001)
    move(channels, POINTS[0])
    assert build(channels) == ""
    channels.put(f"{FRAMES}Time", FRAME_S)
    channels.put(f"{FRAMES}NumFrames", number)
    channels.get(f"{PROFILE}Execute"), channels.get(f"{FRAMES}Acquire")  # connected, so that one put follows the other
    channels.raw_put(f"{FRAMES}Acquire", 1)
    channels.put(f"{PROFILE}Execute", 1)
    assert channels.get(f"{PROFILE}ExecuteStatus", as_string=True) == "Success"
    channels.wait(f"{FRAMES}Acquire", lambda busy: busy == 0)
    return buffer(channels)


def buffer(channels: Channels) -> dict[str, np.ndarray]:
    """The frames that are in the buffer."""
    taken = int(channels.get(f"{FRAMES}NumTaken_RBV"))
    names = ("Number", "Stamp", "Begin", "End", "I0", "Counts", "Gates", "PairGates", "PairCounts", "PrevHits", "Coinc")
    found = {name: np.asarray(channels.get(FRAMES + name)) for name in names}
    return {name: each.reshape(found["Number"].size, -1)[:taken].squeeze() for name, each in found.items()}


def test_frames_follow_the_trajectory(default_ioc: Channels) -> None:
    frames = sweep(default_ioc)
    assert list(frames["Number"]) == list(range(150))
    assert frames["Stamp"] == pytest.approx(FRAME_S * np.arange(1, 151))
    assert frames["Begin"][1:] == pytest.approx(frames["End"][:-1], abs=1e-12)
    steps = 1e3 * (frames["End"] - frames["Begin"])
    begun = int(np.flatnonzero(steps > 0)[0])
    assert steps[begun + 1 : begun + 9] == pytest.approx(0.6, abs=1e-6)
    assert steps[begun + 12 : begun + 28] == pytest.approx(0.25, abs=1e-6)
    assert frames["End"][-1] == pytest.approx(POINTS[-1], abs=5e-5)
    assert default_ioc.get(MOVING) == 0
    assert default_ioc.get(READBACK) == pytest.approx(POINTS[-1], abs=5e-5)
    gates = 351.933984e6 / 1296 / 5 * FRAME_S  # turns of the pattern
    assert np.median(frames["Gates"]) == pytest.approx(gates, abs=1)
    assert frames["Gates"].sum(axis=0) == pytest.approx(150 * gates, rel=0.01)
    assert frames["I0"] == pytest.approx(1e5, rel=0.1)
    assert frames["Counts"].sum(axis=1)[-1] > 1000
    assert np.array_equal(frames["PairGates"], frames["Gates"])  # of gates without gaps
    assert np.array_equal(frames["PairCounts"], frames["Counts"])
    assert np.array_equal(frames["PrevHits"][:, 1:], frames["Counts"][:, :-1])
    independent = frames["PrevHits"] * frames["Counts"] / frames["Gates"]
    assert frames["Coinc"].sum() == pytest.approx(independent.sum(), rel=5 / np.sqrt(independent.sum()), abs=30)


def test_the_sum_of_frames_is_a_count(default_ioc: Channels) -> None:
    """Hits per gate of frames at rest are those of the counter, after-effects included."""
    move(default_ioc, 13.472)
    counts = default_ioc.acquire(4.0)
    default_ioc.put(f"{FRAMES}NumFrames", 40)
    default_ioc.put(f"{FRAMES}Acquire", 1)
    frames = buffer(default_ioc)
    hits, expected = int(frames["Counts"].sum()), int(counts["Counts"].sum())
    gates, counted = int(frames["Gates"].sum()), int(counts["Gates"].sum())
    assert hits / gates == pytest.approx(expected / counted, rel=0.1)  # the jet changes


def test_a_trajectory_beyond_the_limits_is_not_built(default_ioc: Channels) -> None:
    assert "above the highest, 20 eV/s" in build(default_ioc, [13.45, 13.48], [1.0])
    assert "outside the limits" in build(default_ioc, [13.45, 99.0], [1e5])
    default_ioc.put(f"{PROFILE}Execute", 1)
    assert default_ioc.get(f"{PROFILE}ExecuteStatus", as_string=True) == "Failure"
    assert len(sweep(default_ioc)["Number"]) == 150  # and the next one goes


def test_an_abort_stops_axis_and_frames(default_ioc: Channels) -> None:
    move(default_ioc, 13.449)
    assert build(default_ioc, [13.449, 13.549], [200.0]) == ""
    default_ioc.put(f"{FRAMES}NumFrames", 4000)
    default_ioc.raw_put(f"{FRAMES}Acquire", 1)
    default_ioc.raw_put(f"{PROFILE}Execute", 1)
    default_ioc.wait(f"{FRAMES}NumTaken_RBV", lambda taken: 5 < taken < 1000)
    default_ioc.put(f"{PROFILE}Abort", 1)
    default_ioc.raw_put(f"{FRAMES}Acquire", 0)
    here = default_ioc.wait(MOVING, lambda moving: moving == 0) or default_ioc.get(READBACK)
    default_ioc.wait(f"{FRAMES}Acquire", lambda busy: busy == 0)
    assert 13.449 < here < 13.548
    assert default_ioc.get(READBACK) == here
    assert default_ioc.get(f"{PROFILE}ExecuteStatus", as_string=True) == "Abort"
    assert len(sweep(default_ioc)["Number"]) == 150


def test_a_trajectory_of_an_axis_that_sticks_never_ends(default_ioc: Channels) -> None:
    """Until it is stopped; released, it follows the next one."""
    move(default_ioc, 13.449)
    assert build(default_ioc) == ""
    before = default_ioc.get(READBACK)
    default_ioc.put("Fault:MonoStuck", 1)
    default_ioc.raw_put(f"{PROFILE}Execute", 1)
    default_ioc.wait(MOVING, lambda moving: moving == 1)
    time.sleep(sum(TIMES) / default_ioc.ioc.speedup + 0.1)
    assert default_ioc.get(f"{PROFILE}Execute") == 1
    assert default_ioc.get(READBACK) == before
    default_ioc.put(f"{PROFILE}Abort", 1)
    default_ioc.wait(f"{PROFILE}Execute", lambda busy: busy == 0)
    assert default_ioc.get(f"{PROFILE}ExecuteStatus", as_string=True) == "Abort"
    default_ioc.put("Fault:MonoStuck", 0)
    assert default_ioc.get(MOVING) == 0
    assert len(sweep(default_ioc)["Number"]) == 150


def test_faults_of_frames(default_ioc: Channels) -> None:
    for kind, number in (("Lost", 3), ("Doubled", 2), ("Late", 1)):
        default_ioc.put(f"Fault:{kind}Frames", number)
    frames = sweep(default_ioc)
    numbers = list(frames["Number"])
    assert len(set(numbers)) == 147
    assert len(numbers) == 149
    off = np.abs(frames["Stamp"] - FRAME_S * (frames["Number"] + 1)) > 0.01
    assert off.sum() == 1
    for kind in ("Lost", "Doubled", "Late"):
        default_ioc.put(f"Fault:{kind}Frames", 0)
    assert list(sweep(default_ioc)["Number"]) == list(range(150))
