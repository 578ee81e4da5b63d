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
from pathlib import Path
from unittest.mock import Mock

import pytest

from beamline.records.catalogue.client import read_stream
from beamline.records.catalogue_writer.__main__ import StopRequests, _serve
from beamline.records.catalogue_writer.lag import runs_behind
from beamline.records.catalogue_writer.loop import Filler
from beamline.records.catalogue_writer.status import OFFLINE, STOPPED, UP_TO_DATE, read_status
from tests.beamline.example_runs import raw_run, same, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.figures import wait_for
from tests.beamline.filling import Announce, Open, fill

REPOSITORY = Path(__file__).parents[2]


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
