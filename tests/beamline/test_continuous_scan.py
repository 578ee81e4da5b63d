"""Continuous energy scans of a session on a simulated beamline: spectra, faults, a dump, an abort, bad input."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import epics
import numpy as np
import pytest
from bluesky.utils import RunEngineInterrupted
from event_model import unpack_event_page

from beamline.outputs.export.counted import count_up
from beamline.session.scans.resume import CompleteError, remaining
from beamline.session.session import Session, start
from plans.protocols import MissingRoleError
from reduction.live.reducer import LiveReducer
from tests.beamline.configurations import configuration, without
from tests.beamline.session_runs import documents, events, reduced_of
from tests.helpers.ioc_process import write_scenario
from tests.helpers.pvs import release

SPEEDUP = 25.0
GRID = np.arange(13_452, 13_501) / 1e3
WINDOWS = {"pre_edge": (13.452, 13.458), "integral": (13.458, 13.500)}
SCENARIO = {
    "sample": {"mu_white_line": 0.5},
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6]},
}
Shift = tuple[Session, Any]


@pytest.fixture(scope="module")
def shift(ioc_pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    folder = tmp_path_factory.mktemp("sweeps")
    ioc = ioc_pool.start(write_scenario(SCENARIO, folder / "scenario.toml"), SPEEDUP)
    beam = [each for each in configuration(folder).suspenders if each.signal == "ring.current"]
    suspenders = [
        {"signal": "ring.current", "low": 20.0, "high": 1000.0, "margin": 5.0, "wait": 1.0, "reason": "beam lost"}
    ]
    assert beam == []
    config = configuration(folder, ioc.prefix, SPEEDUP, suspenders=suspenders)
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        yield session, ioc
    ioc_pool.stop(ioc)


def sweep(shift: Shift, **kwargs: Any) -> str:
    """Uid of a run of one pass."""
    given = {"energies": GRID, "dwell": 0.3, "frame": 0.1, "settings": WINDOWS, **kwargs}
    return str(shift[0].RE(shift[0].scans.plans["continuous_scan"](**given)).run_start_uids[-1])


def sweeps_of(shift: Shift, uid: str) -> list[dict[str, Any]]:
    return [each["data"] for each in events(documents(shift[0], uid), "primary")]


def spectrum_of(shift: Shift, uid: str) -> dict[str, Any]:
    docs = reduced_of(shift[0], uid)
    assert docs[-1][1]["exit_status"] == "success", docs[-1][1]
    (found,) = events(docs, "spectrum")
    return dict(found["data"])


def put(ioc: Any, name: str, value: Any) -> None:
    assert epics.caput(ioc.name(name), value, wait=True, timeout=10) == 1


def at_rest(shift: Shift) -> bool:
    ioc = shift[1]
    busy = ("7ida:KohzuMoving", "7ida:Prof1:Execute", "7idd:FPGA1:Frames:Acquire", "7idd:Laser:ShutterStatus_RBV")
    deadline = time.monotonic() + 5
    while any(epics.caget(ioc.name(name), use_monitor=False) for name in busy) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(epics.caget(ioc.name(name), use_monitor=False) for name in busy)


@pytest.mark.long
def test_a_pass_has_the_static_spectrum_and_the_transient_of_a_step_scan(shift: Shift) -> None:
    session = shift[0]
    uid = sweep(shift, pattern=(1, 0), reference="slots")
    steps = session.RE(session.energy_scan(energies=GRID, dwell=1.0, settings=WINDOWS, reference="slots"))
    found, expected = spectrum_of(shift, uid), spectrum_of(shift, steps.run_start_uids[0])
    assert [each["quality"] for each in sweeps_of(shift, uid)] == ["good", "good"]
    assert [each["laser_on"] for each in sweeps_of(shift, uid)] == [1, 0]
    for key in ("static", "transient"):
        of_slot = (slice(None),) if key == "static" else (0,)
        difference = (found[key] - expected[key])[of_slot]
        pull = difference / np.hypot(found[f"{key}_stddev"], expected[f"{key}_stddev"])[of_slot]
        assert np.abs(pull).max() < 4.5, key
        assert (pull**2).mean() == pytest.approx(1, abs=6 * np.sqrt(2 / pull.size)), key
    assert found["transient"][0].min() < -4 * found["transient_stddev"][0].min()
    assert len(events(reduced_of(session, uid), "points")) == GRID.size
    with pytest.raises(CompleteError):
        remaining(session.config.data.root, uid, session.scans.sample)


@pytest.mark.long
def test_stored_documents_give_the_live_numbers_in_either_order(shift: Shift) -> None:
    """As the journal has them, and stream by stream with single frames, as the catalogue has them."""
    uid = sweep(shift, pattern=(1, 0))
    live, stored = spectrum_of(shift, uid), documents(shift[0], uid)
    for docs in (stored, stream_by_stream(stored)):
        again = LiveReducer(lambda name, doc: None)
        for name, doc in docs:
            again(name, doc)
        assert np.array_equal(again.spectrum().transient, live["transient"], equal_nan=True)
        counted = count_up([(stored[0][1], docs)])
        assert (counted.gates > 0).all()
        share = counted.i0.sum() / sum(each["i0"] for each in sweeps_of(shift, uid))
        assert 0.6 < share < 1  # the run-up and the end are not on the grid


def stream_by_stream(docs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Sweeps before frames, each frame an event."""
    streams: dict[str, list[tuple[str, Any]]] = {}
    for name, doc in docs:
        if name == "descriptor":
            streams[doc["uid"]] = [(name, doc)]
        elif name == "event_page":
            streams[doc["descriptor"]] += [("event", each) for each in unpack_event_page(doc)]
        elif name == "event":
            streams[doc["descriptor"]].append((name, doc))
    sorted_streams = sorted(streams.values(), key=lambda each: each[0][1]["name"], reverse=True)
    return [docs[0], *(each for stream in sorted_streams for each in stream), docs[-1]]


def test_the_laser_may_always_be_on(shift: Shift) -> None:
    found = spectrum_of(shift, sweep(shift, pattern=(1,)))
    assert "the last slot of the same shots" in found["notes"]
    assert np.isfinite(found["transient"][0]).all()
    assert found["transient"][0][20] < 0  # the white line


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


def when_under_way(shift: Shift, action: Any) -> threading.Thread:
    """Act in the middle of the next sweep."""

    def wait_and_act() -> None:
        epics.ca.use_initial_context()
        deadline = time.monotonic() + 20
        taken = epics.PV(shift[1].name("7idd:FPGA1:Frames:NumTaken_RBV"))
        while (taken.get(use_monitor=False, timeout=10) or 0) not in range(40, 100) and time.monotonic() < deadline:
            time.sleep(0.02)
        action()
        release(taken)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dwell": 0.2, "frame": 0.1}, "frame of 0.1 s is too long for a dwell of 0.2 s"),
        ({"frame": 0.01}, "frame must be 0.02 to 0.2 s"),
        ({"energies": np.arange(13.452, 13.501, 0.008)}, "26.67 eV/s is faster than the 20 eV/s of the monochromator"),
        ({"energies": [11.0, 13.455, 13.5], "dwell": 200.0}, "mono cannot go to"),
        (
            {"energies": GRID, "dwell": 7.4},
            r"42\d\d frames, with those before and after the sweep, are more than the 4096",
        ),
        ({"target": 1e-3}, "target is no option of a continuous scan|unexpected|target"),
        ({"order": "random"}, "order"),
    ],
)
def test_bad_input_is_one_sentence(shift: Shift, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        sweep(shift, **{"delay": None, "pattern": (0,), **given})
    assert at_rest(shift)


def test_a_station_without_sweeps_says_so(shift: Shift, tmp_path: Any) -> None:
    session = shift[0]
    roles = without(session.config, "sweep").roles
    assert roles.sweep is None
    from beamline.session.scans.bind import BoundPlan
    from beamline.session.scans.dry_run import DryRunContext

    context = DryRunContext(tmp_path, session.config.reduction, entries=session.config.edges, roles=roles)
    with pytest.raises(MissingRoleError, match="the energy cannot be swept, energy_scan goes from point to point"):
        BoundPlan("continuous_scan", context).compile()
