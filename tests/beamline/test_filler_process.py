"""The filler as a process, its status, and other users of the catalogue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from beamline.records.catalogue.client import read_stream
from beamline.records.catalogue_writer import process
from beamline.records.catalogue_writer.__main__ import StopRequests, _serve
from beamline.records.catalogue_writer.lag import catalogue_lag, incomplete_runs, runs_behind
from beamline.records.catalogue_writer.loop import Filler
from beamline.records.catalogue_writer.status import OFFLINE, STOPPED, UP_TO_DATE, read_status
from beamline.records.journal import Journal
from beamline.session.lock import ControlLock, lock_paths
from beamline.session.scans.scans import Scans
from beamline.session.session import start
from tests.beamline.configurations import configuration
from tests.beamline.example_runs import Documents, raw_run, same, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.figures import wait_for
from tests.beamline.filling import fill
from tests.helpers.ioc_process import StartIoc

REPOSITORY = Path(__file__).parents[2]

Announce = Callable[[Documents], None]

Open = Callable[[str | Path], Any]


def test_a_session_that_ends_has_its_last_runs_stored_unless_interrupted_twice(
    announce: Announce, tmp_path: Path, catalogue: Path
) -> None:
    announce(raw_run(3))
    options = Namespace(once=False, until_idle=False, with_parent=os.getppid())
    for times, behind in ((2, 1), (1, 0)):
        stop_requests = StopRequests()
        filler = Filler(tmp_path, catalogue, linger=0.0)
        for _ in range(times):
            stop_requests(signal.SIGTERM, None)
        _serve(filler, options, stop_requests)
        filler.close()
        assert len(runs_behind(tmp_path, catalogue)) == behind


@pytest.mark.parametrize("parent", [None, os.getppid(), os.getpid()], ids=["none", "there", "gone"])
def test_a_filler_whose_session_died_before_it_was_ready_ends(parent: int | None) -> None:
    filler = Mock()
    _serve(filler, Namespace(once=False, until_idle=False, with_parent=parent), StopRequests())
    [[ended]] = [call.args for call in filler.follow.mock_calls]
    assert ended() is (parent == os.getpid())
    assert filler.until_idle.called is (parent is not None)


@pytest.fixture
def idle_filler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[process.FillerProcess]:
    """The process of a session, with a filler that prints its arguments and never ends."""
    script = (
        "import signal, sys, time; signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM});"
        "print(*sys.argv[1:], flush=True); time.sleep(600)"
    )
    monkeypatch.setattr(process, "filler_command", lambda _: [sys.executable, "-c", script])
    filler = process.FillerProcess(configuration(tmp_path))
    wait_for((tmp_path / "log" / "filler.log").read_text)
    child = filler._process
    yield filler
    filler._ending.set()
    child.kill()
    child.wait()


def test_a_session_passes_its_process_id_to_its_filler(idle_filler: process.FillerProcess, tmp_path: Path) -> None:
    assert (tmp_path / "log" / "filler.log").read_text().split() == ["--with-parent", str(os.getpid())]


def test_ctrl_c_before_the_last_runs_are_waited_for_ends_the_filler_too(
    idle_filler: process.FillerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "runs_behind", lambda *_: [Path("2020_0123456789.trxas")])
    with pytest.raises(KeyboardInterrupt):
        idle_filler.end(Mock(side_effect=KeyboardInterrupt))
    assert idle_filler._process.wait(30) == -signal.SIGTERM


def test_ctrl_c_while_the_last_runs_are_waited_for_stops_the_filler_at_once(
    idle_filler: process.FillerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = Mock(**{"wait.side_effect": KeyboardInterrupt})
    monkeypatch.setattr(idle_filler, "_process", child)
    with pytest.raises(KeyboardInterrupt):
        idle_filler.end(lambda _: None)
    assert child.terminate.call_count == 2


def test_a_session_waits_for_its_filler_as_long_as_it_says(
    idle_filler: process.FillerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(timeout: float = 0.0) -> None:
        waited.append(timeout)
        if timeout:
            raise subprocess.TimeoutExpired("filler", timeout)

    waited: list[float] = []
    told: list[str] = []
    child = Mock(wait=wait, **{"poll.return_value": None})
    monkeypatch.setattr(idle_filler, "_process", child)
    monkeypatch.setattr(process, "runs_behind", lambda *_: [Path("2020_0123456789.trxas")])
    idle_filler.end(told.append)
    assert told == [
        f"Storing the last runs in the catalogue, at most {sum(waited):g} s ...",
        "Not in the catalogue yet, the next session resumes it: 01234567.",
    ]
    assert child.kill.called


def test_a_filler_that_dies_is_started_again_and_the_session_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import sys, time; print('begun', flush=True); time.sleep(600)"
    monkeypatch.setattr(process, "filler_command", lambda _: [sys.executable, "-c", script])
    told: list[str] = []
    filler = process.FillerProcess(configuration(tmp_path), told.append)
    for number in (1, 2):
        first = filler._process
        first.kill()
        wait_for(lambda first=first: filler._process is not first)
        assert filler.at_work and len(told) == number
        assert f"status {-signal.SIGKILL}" in told[-1] and "restarted" in told[-1]
    filler.end(told.append)
    assert not filler.at_work and len(told) == 2
    assert not any(thread.name == "catalogue-writer" for thread in threading.enumerate())


@pytest.mark.long  # on a busy machine the writer has not stored all within the 30 s that it has
def test_a_session_of_a_moment_has_its_runs_stored(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(3)
    announce(documents)
    told: list[str] = []
    config = configuration(tmp_path)
    process.FillerProcess(config, told.append).end(told.append)  # asked to end long before it can listen
    assert len(told) == 1 and told[0].startswith("Storing the last runs")
    assert_holds(opened(catalogue), documents)


@pytest.mark.long  # on a busy machine the writer has not stored all within the 30 s that it has
def test_what_the_catalogue_does_not_take_is_named_when_the_session_ends(
    announce: Announce, tmp_path: Path, catalogue: Path
) -> None:
    documents = raw_run(3)
    odd = documents[5][1]  # an event of primary
    odd["data"] = {**odd["data"], "point_index": 0.5}  # a descriptor that said integer
    announce(documents)
    told: list[str] = []
    config = configuration(tmp_path)
    process.FillerProcess(config, told.append).end(told.append)
    uid = uid_of_run(documents)
    assert "Incomplete in the catalogue" in told[-1] and uid[:8] in told[-1] and "point_index" in told[-1]
    assert "point_index" in catalogue_lag(tmp_path, catalogue)
    assert incomplete_runs(tmp_path, catalogue).keys() == {uid}


@pytest.mark.parametrize("part", ["filler", "scans", "shutter", "plan"])
def test_a_session_whose_end_is_interrupted_releases_the_beamline(
    part: str, start_ioc: StartIoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted, ended, close_scans = Mock(side_effect=KeyboardInterrupt), list[str](), Scans.close

    def close_interrupted(scans: Scans) -> None:
        close_scans(scans)
        raise KeyboardInterrupt

    if part == "scans":
        monkeypatch.setattr(Scans, "close", close_interrupted)
    close_journal = Journal.close
    monkeypatch.setattr(Journal, "close", lambda journal: [ended.append("journal"), close_journal(journal)])
    config = configuration(tmp_path / "data", start_ioc().prefix)
    session: Any = start(config, fill_catalogue=False, notify=lambda _: None)
    session._filler = filler = Mock()
    shutter = session.beamline.laser.shutter
    shutter.set(1).wait(timeout=10)
    if part == "filler":
        filler.end = interrupted
    elif part == "shutter":
        monkeypatch.setattr(shutter, "set", interrupted)
    elif part == "plan":
        monkeypatch.setattr("beamline.session.session.end_plan", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.close()
    assert ended == ["journal"] and filler.end.called
    wait_for(lambda: shutter.status.get() == 0)
    lock = ControlLock(lock_paths(config))
    assert lock.held
    lock.release()


def test_one_filler_a_journal(tmp_path: Path, catalogue: Path) -> None:
    filler = Filler(tmp_path, catalogue)
    with pytest.raises(RuntimeError, match="Another filler serves the journal"):
        Filler(tmp_path, catalogue)
    filler.close()
    Filler(tmp_path, catalogue).close()


def test_the_status_reports_what_happens(
    announce: Announce, tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_status(tmp_path) is None
    documents = raw_run(3)
    announce(documents)
    # Nothing listens on port 9 of the loopback.
    filler = Filler(tmp_path, "http://127.0.0.1:9")
    filler.step()
    status = read_status(tmp_path)
    assert status is not None
    assert (status.state, status.pid) == (OFFLINE, os.getpid())
    assert str(status).startswith("catalogue offline, spooling")
    assert "127.0.0.1:9" in status.message
    filler.close()
    filler = Filler(tmp_path, catalogue, linger=0.0)
    assert filler.until_idle(lambda: False)
    filler.step()
    status = read_status(tmp_path)
    assert status is not None
    assert (status.state, status.runs_waiting, status.bytes_waiting) == (UP_TO_DATE, 0, 0)
    filler.close()
    status = read_status(tmp_path)
    assert status is not None and status.state == STOPPED


def test_without_a_catalogue_it_ends_after_its_patience(announce: Announce, tmp_path: Path) -> None:
    announce(raw_run(1))
    began = time.monotonic()
    assert not fill(tmp_path, "http://127.0.0.1:9", patience=0.5)
    assert time.monotonic() - began < 30


@pytest.mark.long
def test_readers_and_the_filler_share_an_embedded_catalogue(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(40)
    uid = uid_of_run(documents)
    client = opened(catalogue)
    ended = threading.Event()
    errors: list[Exception] = []
    lengths: list[int] = []

    def read_all_the_time() -> None:
        while not ended.is_set():
            try:
                columns = read_stream(client, uid, "primary")
            except KeyError:
                continue  # not there yet
            except Exception as error:  # noqa: BLE001 the test names it
                errors.append(error)
                return
            assert len({len(values) for values in columns.values()}) == 1
            lengths.append(len(columns["seq_num"]))

    thread = threading.Thread(target=read_all_the_time)
    thread.start()
    filler = Filler(tmp_path, catalogue, linger=0.0)
    for first in range(0, len(documents), 8):
        announce(documents[first : first + 8])
        filler.until_idle(lambda: False)
    ended.set()
    thread.join()
    filler.close()
    assert errors == []
    assert lengths == sorted(lengths)
    assert_holds(client, documents)


class FillerProcess:
    """``python -m beamline.records.catalogue_writer`` with what a session gives it."""

    def __init__(self, root: Path, catalogue: str | Path, *options: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "beamline.records.catalogue_writer", "--journal", str(root)]
        self.process = subprocess.Popen([*command, "--catalogue", str(catalogue), *options], cwd=REPOSITORY)

    def __enter__(self) -> FillerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_the_process_fills_and_ends_on_a_signal(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(3)
    announce(documents)
    with FillerProcess(tmp_path, catalogue, "--linger", "0") as filler:
        wait_for(lambda: (status := read_status(tmp_path)) is not None and status.state == UP_TO_DATE, 90.0)
        filler.process.send_signal(signal.SIGTERM)
        assert filler.process.wait(60) == 0
    status = read_status(tmp_path)
    assert status is not None and status.state == STOPPED
    assert json.loads((tmp_path / "journal" / "filler" / "status.json").read_text())["pid"] == filler.process.pid
    assert_holds(opened(catalogue), documents)


@pytest.mark.long
def test_once_tries_once(announce: Announce, tmp_path: Path, catalogue: Path, opened: Open) -> None:
    documents = raw_run(3)
    announce(documents)
    with FillerProcess(tmp_path, "http://127.0.0.1:9", "--once") as filler:
        assert filler.process.wait(60) == 1
    with FillerProcess(tmp_path, catalogue, "--once") as filler:
        assert filler.process.wait(90) == 0
    assert_holds(opened(catalogue), documents)
    assert same(documents, documents)
