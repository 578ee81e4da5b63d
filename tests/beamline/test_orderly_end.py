"""A session that ends by a signal, or while its disk hangs: run ended, shutter shut, and the next one works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import pytest
from bluesky.utils import RunEngineInterrupted

from beamline.records.journal import read, run_file, run_files
from beamline.records.journal.run import RunFile
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.lock import ControlLock, lock_paths
from beamline.session.orderly_end import EndRequest, OrderlyEnd
from beamline.session.session import Session, start
from tests.beamline.config_files import write_config
from tests.beamline.configurations import ENERGIES, configuration
from tests.devices.builds import until
from tests.helpers.ioc_process import RunningIoc
from tests.helpers.logs import handlers

SHUTTER = "sim:7idd:Laser:ShutterStatus_RBV"
SCAN = ["energy_scan", f"energies={','.join(map(str, ENERGIES))}", "dwell=40", "passes=3"]
"""A dwell of 0.2 s of the clock."""


@pytest.fixture
def config(simulated_beamline: RunningIoc, tmp_path: Path) -> Path:
    return write_config(tmp_path)


def trxas(*arguments: str) -> subprocess.Popen[str]:
    on_sigint = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # not so in the background
    command = [sys.executable, "-c", f"{on_sigint}; from beamline.app.cli import main; main()", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def shutter_is_open() -> bool:
    return bool(epics.caget(SHUTTER, use_monitor=False) == 1)


def scanning(root: Path) -> None:
    """Wait until a scan has some events and the laser shutter is open."""
    until(lambda: any(path.stat().st_size > 100_000 for path in run_files(root)), "the scan is under way", 60)
    until(shutter_is_open, "the laser is on", 60)


@pytest.mark.parametrize(
    ("number", "times"),
    [
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 10, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, 1, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.long),
    ],
)
def test_a_scan_that_is_terminated_ends_in_order_and_resumes_later(
    config: Path, tmp_path: Path, number: signal.Signals, times: int
) -> None:
    root = tmp_path / "data"
    process = trxas("scan", *SCAN, "--config", str(config))
    try:
        scanning(root)
        requested = time.monotonic()
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.15)
        until(lambda: not shutter_is_open(), "the laser shutter is shut", 5)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + number, errors
    assert time.monotonic() - requested < 30, "a loaded machine is slow, but nothing was waited for"
    (raw,) = [run for run in JournalRuns(root).runs() if run.raw_uid is None]
    assert raw.stop is not None and raw.stop["exit_status"] == "abort"
    assert raw.stop["reason"] == ("ended with Ctrl-C" if number == signal.SIGINT else f"ended by {number.name}")
    assert "Traceback" not in output + errors and "RE.resume" not in output + errors
    if number != signal.SIGHUP:  # its terminal has gone
        assert f"To go on: trxas resume {str(raw.scan_set)[:8]}" in output.replace("\n", " ")
    with start(configuration(root), fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session) and session.sealed == []
        done = session.RE(session.scans.resume(str(raw.scan_set)))
        assert done.exit_status == "success"


@pytest.fixture
def session(simulated_beamline: RunningIoc, tmp_path: Path) -> Iterator[Session]:
    with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        yield running


def in_background(session: Session, **changes: Any) -> threading.Thread:
    def scan() -> None:
        try:
            session.RE(session.energy_scan(**{"energies": ENERGIES, "dwell": 40.0, "passes": 2, **changes}))
        except RunEngineInterrupted:
            return

    thread = threading.Thread(target=scan, daemon=True)
    thread.start()
    return thread


def test_the_shutter_is_shut_while_the_disk_hangs(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journal and logs do not come back from their writes; the end does not wait for them."""
    answers, hanging, stuck = threading.Event(), threading.Event(), threading.Event()
    append = RunFile.append

    def hang(self: RunFile, record: bytes) -> None:
        shutter = session.beamline.laser.shutter  # it may still be open, and on its way to the next dwell's state
        if stuck.is_set() or (hanging.is_set() and shutter.position == shutter.target == 1):
            stuck.set()
            answers.wait(60)
        append(self, record)

    monkeypatch.setattr(RunFile, "append", hang)
    (log,) = handlers("puts")
    scan = in_background(session)
    scanning(tmp_path)
    monkeypatch.setattr(log._file, "handle", lambda record: answers.wait(60))
    hanging.set()
    until(stuck.is_set, "the journal hangs while the laser is on", 60)
    assert shutter_is_open()
    requested = time.monotonic()
    ending = threading.Thread(target=session.close, args=("ended by SIGTERM",), kwargs={"hurry": True})
    ending.start()
    until(lambda: not shutter_is_open(), "the laser shutter is shut", 5)
    assert time.monotonic() - requested < 3, "less than 1 s where the machine has nothing else to do"
    assert scan.is_alive(), "the journal hangs"
    answers.set()
    ending.join(30)
    scan.join(30)
    assert not ending.is_alive() and not scan.is_alive()
    (raw,) = [run for run in JournalRuns(tmp_path).runs() if run.raw_uid is None]
    assert raw.stop is not None and (raw.stop["exit_status"], raw.stop["reason"]) == ("abort", "ended by SIGTERM")
    with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as again:
        assert isinstance(again, Session)
        assert again.RE(again.energy_scan(energies=ENERGIES, dwell=1.0)).exit_status == "success"


@pytest.mark.parametrize("paused", [False, True])
def test_the_reason_of_an_end_stands_in_the_stop_document(session: Session, tmp_path: Path, paused: bool) -> None:
    scan = in_background(session)
    scanning(tmp_path)
    if paused:
        session.RE.request_pause(defer=False)
        scan.join(20)
        assert session.RE.state == "paused"
    session.close("ended by SIGTERM")
    scan.join(20)
    (raw,) = [run for run in JournalRuns(tmp_path).runs() if run.raw_uid is None]
    assert raw.stop is not None and (raw.stop["exit_status"], raw.stop["reason"]) == ("abort", "ended by SIGTERM")
    assert not shutter_is_open()
    lock = ControlLock(lock_paths(session.config))
    assert lock.held
    lock.release()


def test_a_session_that_fails_while_it_starts_leaves_control_free(
    simulated_beamline: RunningIoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())
    for name in ("beamline.session.session.Scans", "beamline.session.session.open_live_figure"):
        with monkeypatch.context() as failing:
            failing.setattr(name, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None)
        left = [thread.name for thread in set(threading.enumerate()) - before]
        assert not {"log", "journal-sync"}.intersection(left)
        with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as session:
            assert isinstance(session, Session)


def test_two_data_roots_are_one_controller_and_a_removed_lock_changes_nothing(session: Session, tmp_path: Path) -> None:
    messages: list[str] = []
    other = tmp_path / "other"
    lock_paths(session.config)[3].unlink()
    with start(configuration(other, control=control(session)), fill_catalogue=False, notify=messages.append) as second:
        assert (second.read_only and f"process {os.getpid()}" in messages[0]) or "unidentified session" in messages[0]
        assert not other.exists()
    (uid,) = session.RE(session.energy_scan(energies=ENERGIES, dwell=1.0)).run_start_uids
    assert list(read(run_file(tmp_path, uid)))[-1][1]["exit_status"] == "success"
    assert all(path.exists() for path in lock_paths(session.config))


def control(session: Session) -> dict[str, str]:
    return {"lock": str(session.config.control.lock)}


def test_a_signal_is_handled_once_until_the_process_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(EndRequest) as request, OrderlyEnd() as end:
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)  # in the middle of the end
                assert end.request is not None
        signal.raise_signal(signal.SIGTERM)  # after it
    finally:
        signal.signal(signal.SIGTERM, before)
        assert end.deadline is not None
        end.deadline.cancel()  # this process goes on
    assert request.value.code == 143 and request.value.reason == "ended by SIGTERM"
    with OrderlyEnd():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_ignores_the_end_of_its_terminal_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with OrderlyEnd():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
