"""Real faults of the acquisition: kill -9, SIGTERM, Ctrl-C, two sessions, a reducer that raises."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import epics
import pytest

from beamline.records.catalogue.client import close_catalogue, list_runs, open_catalogue, read_stream, run_documents
from beamline.records.journal import read
from beamline.session.read_only import ReadOnlySession
from beamline.session.session import start
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.configurations import ENERGIES, configuration

ROOT = Path(__file__).parents[2]


class Acquisition:
    """A scanning session in a separate process."""

    def __init__(self, root: Path, prefix: str, passes: int = 3) -> None:
        command = [sys.executable, "-m", "tests.beamline.acquisition", str(root), prefix, "200", str(passes)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []

    def wait_for_events(self, number: int) -> None:
        while sum(line.startswith("event") for line in self.lines) < number:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.lines.append(line.strip())

    def end(self) -> None:
        output, _ = self.process.communicate(timeout=60)
        self.lines += output.splitlines()

    def announced(self) -> set[tuple[str, int]]:
        """Descriptor and sequence number of each printed event."""
        events = [line.split() for line in self.lines if line.startswith("event ")]
        return {(phrase[1], int(phrase[2])) for phrase in events if len(phrase) == 4}


@pytest.fixture
def acquisition(start_ioc, tmp_path):
    """Factory of acquisitions on their own simulated beamline."""
    ioc = start_ioc("demo")
    running = []

    def begin(root: Path, passes: int = 3) -> Acquisition:
        running.append(Acquisition(root, ioc.prefix, passes))
        return running[-1]

    begin.prefix = ioc.prefix
    yield begin
    for each in running:
        each.process.kill()
        each.process.communicate()


def kept(root: Path) -> list[list[tuple[str, dict]]]:
    return [list(read(path)) for path in sorted((root / "journal").glob("*.trxas"))]


def numbers(moments: int) -> list:
    long = [pytest.param(n, marks=pytest.mark.long) for n in range(1, moments)]
    return [0, *long]


@pytest.mark.parametrize("moment", numbers(20))
def test_killed_at_a_random_moment_nothing_announced_is_lost(acquisition, tmp_path, moment):
    chance = random.Random(moment)
    root = tmp_path / "data"
    passes = 3 if moment else 1  # the default run takes the shortest one
    scan = acquisition(root, passes)
    scan.wait_for_events(chance.randrange(1, passes * 4 * len(ENERGIES) - 8))
    time.sleep(chance.uniform(0, 0.05))  # the moment itself is what is random here
    scan.process.send_signal(signal.SIGKILL)
    scan.end()
    shutter_open = epics.caget(f"{acquisition.prefix}7idd:Laser:ShutterStatus_RBV") == 1

    messages: list[str] = []
    config = configuration(root, acquisition.prefix)
    with start(config, fill_catalogue=False, notify=messages.append) as session:
        cut_off = [line for line in messages if "closed as interrupted" in line]
        assert len(cut_off) == len(session.sealed)
        assert any("laser shutter is open" in line for line in messages) == shutter_open

    assert write_catalogue(root, config.data.catalogue_address)
    runs = kept(root)
    in_journal = Counter((doc["descriptor"], doc["seq_num"]) for docs in runs for n, doc in docs if n == "event")
    assert scan.announced() <= in_journal.keys()
    assert max(in_journal.values()) == 1
    catalogue = open_catalogue(config.data.catalogue_address)
    try:
        for docs in runs:
            start_doc, stop = docs[0][1], docs[-1][1]
            assert docs[-1][0] == "stop"
            assert run_documents(catalogue, start_doc["uid"])["stop"]["exit_status"] == stop["exit_status"]
            for name, descriptor in docs:
                if name == "descriptor":
                    expected = [d["seq_num"] for n, d in docs if n == "event" and d["descriptor"] == descriptor["uid"]]
                    stored = read_stream(catalogue, start_doc["uid"], descriptor["name"])["seq_num"]
                    assert stored.tolist() == expected
        assert len(list_runs(catalogue)) == len(runs)
    finally:
        close_catalogue(catalogue)
    interrupted = [docs[-1][1] for docs in runs if docs[-1][1]["exit_status"] != "success"]
    assert all(stop["reason"].startswith("interrupted") for stop in interrupted)


@pytest.mark.long
def test_sigterm_loses_nothing_and_the_run_is_closed(acquisition, tmp_path):
    root = tmp_path / "data"
    scan = acquisition(root)
    scan.wait_for_events(6)
    scan.process.send_signal(signal.SIGTERM)
    scan.end()
    assert scan.process.returncode != 0
    with start(configuration(root, acquisition.prefix), fill_catalogue=False, notify=lambda _: None):
        pass
    runs = kept(root)
    in_journal = {(doc["descriptor"], doc["seq_num"]) for docs in runs for n, doc in docs if n == "event"}
    assert scan.announced() <= in_journal
    assert all(docs[-1][0] == "stop" for docs in runs)


def test_a_second_session_is_read_only_and_reports_who_holds_the_lock(acquisition, tmp_path):
    root = tmp_path / "data"
    scan = acquisition(root, passes=1)
    scan.wait_for_events(2)
    messages: list[str] = []
    with start(configuration(root, acquisition.prefix), fill_catalogue=False, notify=messages.append) as second:
        assert isinstance(second, ReadOnlySession) and "RE" not in second.names()
        assert f"process {scan.process.pid}" in messages[0] and messages[0].startswith("READ ONLY")
        assert second.beamline.mono.position > 13
        for refused in (
            lambda: second.beamline.mono.set(13.5),
            lambda: second.beamline.laser.shutter.set(1),
            lambda: second.beamline.fpga.trigger(),
        ):
            with pytest.raises(Exception, match="this session is read-only"):
                refused()
    scan.end()
    assert scan.process.returncode == 0
    assert [line for line in scan.lines if line.startswith("stop")] == ["stop success"]


@pytest.mark.parametrize("presses", [1, 2, 10])
def test_ctrl_c_pauses_with_the_laser_shut_and_resume_completes(start_ioc, tmp_path, presses):
    """Once is a pause at the next checkpoint, more is a pause now; either way every dwell is there once.

    The RunEngine takes presses less than 0.1 s apart for one, so they come from a thread that spaces them.
    """
    from bluesky.utils import RunEngineInterrupted

    ioc = start_ioc("demo")
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:
        seen, fingers = [], threading.Thread(target=lambda: press_often())
        paused = threading.Event()

        def press_often():
            for _ in range(presses):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                if paused.wait(0.12):
                    return

        def press(name, doc):
            if name == "event" and "quality" in doc["data"]:
                seen.append(doc["data"])
                if len(seen) == 9:
                    fingers.start()

        session.RE.subscribe(press)
        with pytest.raises(RunEngineInterrupted):
            session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0))
        paused.set()
        fingers.join()
        assert session.RE.state == "paused"
        assert session.beamline.laser.shutter.status.get() == 0
        session.RE.resume()
    raw, _ = sorted(kept(tmp_path), key=lambda docs: "analysis_of" in docs[0][1])
    events = {doc["seq_num"]: doc["data"] for name, doc in raw if name == "event" and "quality" in doc["data"]}
    labels = [(data["point_index"], data["segment"]) for _, data in sorted(events.items())]
    assert labels == [(point, segment) for point in range(len(ENERGIES)) for segment in range(4)]
    assert all(data["laser_on"] == data["laser_shutter_status"] for data in events.values())
    assert raw[-1][1]["exit_status"] == "success"


def test_a_session_that_is_closed_while_paused_ends_its_run(start_ioc, tmp_path):
    from bluesky.utils import RunEngineInterrupted

    ioc = start_ioc("demo")
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:

        def pause(name, doc):
            if name == "event" and doc["seq_num"] == 5:
                threading.Thread(target=session.RE.request_pause).start()

        session.RE.subscribe(pause)
        with pytest.raises(RunEngineInterrupted):
            session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0))
    raw, reduced = sorted(kept(tmp_path), key=lambda docs: "analysis_of" in docs[0][1])
    assert raw[-1][0] == "stop" and raw[-1][1]["exit_status"] == "abort"
    assert reduced[-1][0] == "stop"
    assert epics.caget(f"{ioc.prefix}7idd:Laser:ShutterStatus_RBV") == 0
