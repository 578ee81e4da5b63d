"""Sweeps of a session on a simulated beamline: faults of frames and records, a dump, an abort; then the next scan."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky.utils import RunEngineInterrupted

from beamline.session.scans.resume import remaining
from tests.beamline.session_runs import reduced_of
from tests.beamline.sweep_shift import (
    GRID,
    SCENARIO,
    SPEEDUP,
    Shift,
    at_rest,
    put,
    spectrum_of,
    sweep,
    sweeps_of,
    swept_shift,
    when_under_way,
)  # fmt: skip
from tests.helpers.ioc_process import write_scenario

__all__ = ["swept_shift"]  # the fixture `shift`


def test_lost_doubled_and_late_frames_are_named(shift: Shift) -> None:
    faults = {"Lost": 4, "Doubled": 3, "Late": 2}
    for kind, number in faults.items():
        put(shift[1], f"Fault:{kind}Frames", number)
    found = spectrum_of(shift, sweep(shift, pattern=(0,), delay=None, dwell=0.8))
    for kind in faults:
        put(shift[1], f"Fault:{kind}Frames", 0)
    assert "4 lost, 3 sent twice, 2 latched late and left out of" in found["notes"]
    clean = spectrum_of(shift, sweep(shift, pattern=(0,), delay=None, dwell=0.8))
    assert "Frames of pass" not in clean["notes"]
    pull = (found["static"] - clean["static"]) / np.hypot(found["static_stddev"], clean["static_stddev"])
    assert np.nanmax(np.abs(pull)) < 4.5


@pytest.mark.long
def test_a_sweep_that_lacks_many_of_its_frames_is_taken_again(shift: Shift) -> None:
    put(shift[1], "Fault:LostFrames", 120)  # of 150, and of those before and after
    uid = sweep(shift, pattern=(0,), delay=None, attempts=2)
    put(shift[1], "Fault:LostFrames", 0)
    assert ["too many frames are lost" in each["quality"] for each in sweeps_of(shift, uid)] == [True, True]
    assert reduced_of(shift[0], uid)[-1][1]["exit_status"] == "fail"
    assert sweeps_of(shift, sweep(shift, pattern=(0,), delay=None))[0]["quality"] == "good"


def test_a_sweep_is_repeated_after_a_dump(shift: Shift) -> None:
    """Of the beam; the X-ray shutter, which shuts with it, is opened by hand."""

    def dump() -> None:
        put(shift[1], "Fault:BeamDump", 1)
        time.sleep(0.3)
        put(shift[1], "Fault:BeamDump", 0)
        put(shift[1], "7ida:rShtrA:Open", 1)

    before = sweeps_of(shift, sweep(shift, pattern=(0,), delay=None))[0]["sweep_number"]
    thread = when_under_way(shift, dump)
    uid = sweep(shift, pattern=(0,), delay=None, attempts=9)
    thread.join()
    last = sweeps_of(shift, uid)[-1]
    assert last["quality"] == "good"
    assert last["sweep_number"] > before + 1  # that with the dump was another one
    assert np.isfinite(spectrum_of(shift, uid)["static"]).all()


def test_a_trajectory_that_the_record_has_lost_is_sent_again(shift: Shift) -> None:
    """Somebody else changes it during the first of two sweeps."""
    thread = when_under_way(shift, partial(put, shift[1], "7ida:Prof1:NumPoints", 2))
    uid = sweep(shift, pattern=(0, 0), delay=None)
    thread.join()
    assert [each["quality"] for each in sweeps_of(shift, uid)] == ["good", "good"]


@pytest.mark.long
def test_a_sweep_is_repeated_after_its_server_has_hung_and_was_restarted(
    shift: Shift, ioc_pool: Any, tmp_path: Path
) -> None:
    """The new one knows no trajectory."""
    ioc = shift[1]

    def restart() -> None:
        os.kill(ioc.process.pid, signal.SIGSTOP)
        time.sleep(3.0)
        os.kill(ioc.process.pid, signal.SIGKILL)
        ioc_pool.stop(ioc)
        ioc_pool.start(write_scenario(SCENARIO, tmp_path / "scenario.toml"), SPEEDUP, ioc.prefix)

    thread = when_under_way(shift, restart)
    uid = sweep(shift, pattern=(0,), delay=None)
    thread.join()
    assert sweeps_of(shift, uid)[-1]["quality"] == "good"
    assert np.isfinite(spectrum_of(shift, uid)["static"]).all()


def test_an_abort_leaves_everything_at_rest_and_the_next_scan_works(shift: Shift) -> None:
    session = shift[0]
    preset = session.beamline.fpga.preset_time.get()
    thread = when_under_way(shift, partial(session.RE.request_pause, defer=False))
    with pytest.raises(RunEngineInterrupted):
        sweep(shift, dwell=0.6)
    thread.join()
    assert at_rest(shift)
    session.RE.abort("a user")
    assert at_rest(shift)
    assert GRID[0] - 0.002 < session.beamline.mono.energy.get(use_monitor=False) < GRID[-1]
    assert session.beamline.fpga.preset_time.get() == preset
    (left,) = remaining(session.config.data.root, "last", session.scans.sample).passes
    assert left.sweep is not None and len(left.start["resumes"]) == 1 and left.start["num_events"] == 2
    assert sweeps_of(shift, sweep(shift, pattern=(0,), delay=None))[0]["quality"] == "good"


@pytest.mark.long
def test_a_pause_repeats_the_sweep(shift: Shift) -> None:
    thread = when_under_way(shift, partial(shift[0].RE.request_pause, defer=False))
    with pytest.raises(RunEngineInterrupted):
        sweep(shift, pattern=(0,), delay=None)
    thread.join()
    uid = shift[0].RE.resume().run_start_uids[-1]
    assert [each["quality"] for each in sweeps_of(shift, uid)] == ["good"]
    assert np.isfinite(spectrum_of(shift, uid)["static"]).all()
