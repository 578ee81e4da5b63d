"""The catalogue writer of a session: started, restarted, waited for and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from beamline.records.catalogue_writer import process
from beamline.records.catalogue_writer.lag import catalogue_lag, incomplete_runs
from beamline.records.journal import Journal
from beamline.session.lock import ControlLock, lock_paths
from beamline.session.scans.scans import Scans
from beamline.session.session import start
from tests.beamline.catalogue_writing import Announce, Open
from tests.beamline.configurations import configuration
from tests.beamline.example_runs import raw_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.figures import wait_for
from tests.helpers.ioc_process import StartIoc


@pytest.fixture
def idle_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[process.WriterProcess]:
    """The process of a session, with a catalogue writer that prints its arguments and never ends."""
    script = (
        "import signal, sys, time; signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM});"
        "print(*sys.argv[1:], flush=True); time.sleep(600)"
    )
    monkeypatch.setattr(process, "writer_command", lambda _: [sys.executable, "-c", script])
    writer = process.WriterProcess(configuration(tmp_path))
    wait_for((tmp_path / "log" / "catalogue_writer.log").read_text)
    child = writer._process
    yield writer
    writer._ending.set()
    child.kill()
    child.wait()


def test_a_session_passes_its_process_id_to_its_catalogue_writer(
    idle_writer: process.WriterProcess, tmp_path: Path
) -> None:
    assert (tmp_path / "log" / "catalogue_writer.log").read_text().split() == ["--with-parent", str(os.getpid())]


def test_ctrl_c_before_the_last_runs_are_waited_for_ends_the_catalogue_writer_too(
    idle_writer: process.WriterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "runs_behind", lambda *_: [Path("2020_0123456789.trxas")])
    with pytest.raises(KeyboardInterrupt):
        idle_writer.end(Mock(side_effect=KeyboardInterrupt))
    assert idle_writer._process.wait(30) == -signal.SIGTERM


def test_ctrl_c_while_the_last_runs_are_waited_for_stops_the_catalogue_writer_at_once(
    idle_writer: process.WriterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = Mock(**{"wait.side_effect": KeyboardInterrupt})
    monkeypatch.setattr(idle_writer, "_process", child)
    with pytest.raises(KeyboardInterrupt):
        idle_writer.end(lambda _: None)
    assert child.terminate.call_count == 2


def test_a_session_waits_for_its_catalogue_writer_as_long_as_announced(
    idle_writer: process.WriterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(timeout: float = 0.0) -> None:
        waited.append(timeout)
        if timeout:
            raise subprocess.TimeoutExpired("writer", timeout)

    waited: list[float] = []
    messages: list[str] = []
    child = Mock(wait=wait, **{"poll.return_value": None})
    monkeypatch.setattr(idle_writer, "_process", child)
    monkeypatch.setattr(process, "runs_behind", lambda *_: [Path("2020_0123456789.trxas")])
    idle_writer.end(messages.append)
    assert messages == [
        f"Storing the last runs in the catalogue, at most {sum(waited):g} s ...",
        "Not in the catalogue yet, the next session resumes it: 01234567.",
    ]
    assert child.kill.called


@pytest.mark.long
def test_a_writer_that_dies_is_restarted_and_the_session_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import sys, time; print('begun', flush=True); time.sleep(600)"
    monkeypatch.setattr(process, "writer_command", lambda _: [sys.executable, "-c", script])
    messages: list[str] = []
    writer = process.WriterProcess(configuration(tmp_path), messages.append)
    for number in (1, 2):
        first = writer._process
        first.kill()
        wait_for(lambda first=first: writer._process is not first)
        assert writer.at_work and len(messages) == number
        assert f"status {-signal.SIGKILL}" in messages[-1] and "restarted" in messages[-1]
    writer.end(messages.append)
    assert not writer.at_work and len(messages) == 2
    assert not any(thread.name == "catalogue-writer" for thread in threading.enumerate())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that waits longer for its writer: on a busy machine alone the import of Tiled takes 40 s."""
    monkeypatch.setattr(process, "DRAIN_TIMEOUT", 200.0)


@pytest.mark.long
@pytest.mark.usefixtures("patient")
def test_a_session_of_a_moment_has_its_runs_stored(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(3)
    announce(documents)
    messages: list[str] = []
    config = configuration(tmp_path)
    process.WriterProcess(config, messages.append).end(messages.append)  # asked to end long before it can listen
    assert len(messages) == 1 and messages[0].startswith("Storing the last runs")
    assert_holds(opened(catalogue), documents)


@pytest.mark.long
@pytest.mark.usefixtures("patient")
def test_what_the_catalogue_does_not_take_is_named_when_the_session_ends(
    announce: Announce, tmp_path: Path, catalogue: Path
) -> None:
    documents = raw_run(3)
    odd = documents[5][1]  # an event of primary
    odd["data"] = {**odd["data"], "point_index": 0.5}  # a descriptor that said integer
    announce(documents)
    messages: list[str] = []
    config = configuration(tmp_path)
    process.WriterProcess(config, messages.append).end(messages.append)
    uid = uid_of_run(documents)
    assert "Incomplete in the catalogue" in messages[-1] and uid[:8] in messages[-1] and "point_index" in messages[-1]
    assert "point_index" in catalogue_lag(tmp_path, catalogue)
    assert incomplete_runs(tmp_path, catalogue).keys() == {uid}


@pytest.mark.parametrize("part", ["writer", "scans", "shutter", "plan"])
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
    session._catalogue_writer = writer = Mock()
    shutter = session.beamline.laser.shutter
    shutter.set(1).wait(timeout=10)
    if part == "writer":
        writer.end = interrupted
    elif part == "shutter":
        monkeypatch.setattr(shutter, "set", interrupted)
    elif part == "plan":
        monkeypatch.setattr("beamline.session.session.end_plan", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.close()
    assert ended == ["journal"] and writer.end.called
    wait_for(lambda: shutter.status.get() == 0)
    lock = ControlLock(lock_paths(config))
    assert lock.held
    lock.release()
