"""The catalogue writer as a process, its status, and other users of the catalogue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from argparse import Namespace
from pathlib import Path
from threading import Timer
from unittest.mock import Mock

import pytest

from beamline.records.catalogue.client import read_stream
from beamline.records.catalogue_writer import loop
from beamline.records.catalogue_writer.__main__ import StopRequests, _serve, _writer
from beamline.records.catalogue_writer.lag import runs_behind
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import OFFLINE, STOPPED, UP_TO_DATE, read_status
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import raw_run, same, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.figures import wait_for
from tests.helpers.writer import writer_command

REPOSITORY = Path(__file__).parents[2]


def test_a_session_that_ends_has_its_last_runs_stored_unless_interrupted_twice(
    announce: Announce, tmp_path: Path, catalogue: Path
) -> None:
    announce(raw_run(3))
    options = Namespace(once=False, until_idle=False, with_parent=os.getppid())
    for times, behind in ((2, 1), (1, 0)):
        stop_requests = StopRequests()
        writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
        for _ in range(times):
            stop_requests(signal.SIGTERM, None)
        _serve(writer, options, stop_requests)
        writer.close()
        assert len(runs_behind(tmp_path, catalogue)) == behind


def test_the_status_follows_a_backlog(
    announce: Announce, tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        announce(raw_run(3, seed=seed))
    waiting: list[int] = []
    monkeypatch.setattr(loop, "write_status", lambda _, status: waiting.append(status.runs_waiting))
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    assert writer.until_idle(lambda: False)
    writer.close()
    assert {3, 2, 1, 0} <= set(waiting)


@pytest.mark.parametrize("parent", [None, os.getppid(), os.getpid()], ids=["none", "there", "gone"])
def test_a_writer_whose_session_died_before_it_was_ready_ends(parent: int | None) -> None:
    writer = Mock()
    _serve(writer, Namespace(once=False, until_idle=False, with_parent=parent), StopRequests())
    [[ended]] = [call.args for call in writer.follow.mock_calls]
    assert ended() is (parent == os.getpid())
    assert writer.until_idle.called is (parent is not None)


def test_one_catalogue_writer_a_journal(tmp_path: Path, catalogue: Path) -> None:
    writer = CatalogueWriter(tmp_path, catalogue)
    with pytest.raises(RuntimeError, match="Another catalogue writer serves the journal"):
        CatalogueWriter(tmp_path, catalogue)
    writer.close()
    CatalogueWriter(tmp_path, catalogue).close()


def test_that_of_a_session_waits_for_that_of_a_killed_one(tmp_path: Path, catalogue: Path) -> None:
    options = Namespace(journal=tmp_path, catalogue=catalogue, linger=0.0, helper_lock=None, with_parent=os.getppid())
    first = CatalogueWriter(tmp_path, catalogue)
    ends = Timer(1.2, first.close)  # more than the patience with the lock
    ends.start()
    writer = _writer(options, StopRequests())
    ends.join()
    assert writer is not None
    writer.close()


def test_that_of_a_session_ends_when_a_service_has_stored_everything(
    announce: Announce, tmp_path: Path, catalogue: Path
) -> None:
    options = Namespace(journal=tmp_path, catalogue=catalogue, linger=0.0, helper_lock=None, with_parent=os.getppid())
    service, session_ends = CatalogueWriter(tmp_path, catalogue, linger=0.0), StopRequests()
    session_ends()
    announce(raw_run(1))
    stores = Timer(1.2, service.until_idle, [lambda: False])
    stores.start()
    assert _writer(options, session_ends) is None
    assert runs_behind(tmp_path, catalogue) == []
    stores.join()
    service.close()


def test_the_status_reports_what_happens(
    announce: Announce, tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_status(tmp_path) is None
    documents = raw_run(3)
    announce(documents)
    # Nothing listens on port 9 of the loopback.
    writer = CatalogueWriter(tmp_path, "http://127.0.0.1:9")
    writer.step()
    status = read_status(tmp_path)
    assert status is not None
    assert (status.state, status.pid) == (OFFLINE, os.getpid())
    assert str(status).startswith("catalogue offline, spooling")
    assert "127.0.0.1:9" in status.message
    writer.close()
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    assert writer.until_idle(lambda: False)
    writer.step()
    status = read_status(tmp_path)
    assert status is not None
    assert (status.state, status.runs_waiting, status.bytes_waiting) == (UP_TO_DATE, 0, 0)
    writer.close()
    status = read_status(tmp_path)
    assert status is not None and status.state == STOPPED


def test_without_a_catalogue_it_ends_after_its_patience(announce: Announce, tmp_path: Path) -> None:
    announce(raw_run(1))
    began = time.monotonic()
    assert not write_catalogue(tmp_path, "http://127.0.0.1:9", patience=0.5)
    assert time.monotonic() - began < 30


@pytest.mark.long
def test_readers_and_the_catalogue_writer_share_an_embedded_catalogue(
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
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    for first in range(0, len(documents), 8):
        announce(documents[first : first + 8])
        writer.until_idle(lambda: False)
    ended.set()
    thread.join()
    writer.close()
    assert errors == []
    assert lengths == sorted(lengths)
    assert_holds(client, documents)


class WriterProcess:
    """``python -m beamline.records.catalogue_writer`` with what a session gives it."""

    def __init__(self, root: Path, catalogue: str | Path, *options: str) -> None:
        self.process = subprocess.Popen(writer_command(root, catalogue, *options), cwd=REPOSITORY)

    def __enter__(self) -> WriterProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.long
def test_the_process_fills_and_ends_on_a_signal(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(3)
    announce(documents)
    with WriterProcess(tmp_path, catalogue, "--linger", "0") as writer:
        wait_for(lambda: (status := read_status(tmp_path)) is not None and status.state == UP_TO_DATE, 90.0)
        writer.process.send_signal(signal.SIGTERM)
        assert writer.process.wait(60) == 0
    status = read_status(tmp_path)
    assert status is not None and status.state == STOPPED
    assert json.loads((tmp_path / "journal" / "filler" / "status.json").read_text())["pid"] == writer.process.pid
    assert_holds(opened(catalogue), documents)


@pytest.mark.long
def test_once_tries_once(announce: Announce, tmp_path: Path, catalogue: Path, opened: Open) -> None:
    documents = raw_run(3)
    announce(documents)
    with WriterProcess(tmp_path, "http://127.0.0.1:9", "--once") as writer:
        assert writer.process.wait(60) == 1
    with WriterProcess(tmp_path, catalogue, "--once") as writer:
        assert writer.process.wait(90) == 0
    assert_holds(opened(catalogue), documents)
    assert same(documents, documents)
