"""Commands in a real terminal that are asked to end: reason, axes, laser shutter, lock, and how it goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import epics
import pytest

from beamline.records.journal import run_files
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.session import Session, start
from tests.beamline.config_files import write_config
from tests.beamline.configurations import ENERGIES, configuration
from tests.devices.builds import until
from tests.helpers.ioc_process import RunningIoc
from tests.helpers.terminal import CTRL_C, Terminal

GRID = ",".join(map(str, ENERGIES))
SCAN = ["scan", "energy_scan", f"energies={GRID}", "dwell=40", "passes=3"]
SHUTTER = "sim:7idd:Laser:ShutterStatus_RBV"
AT_REST = {"sim:7ida:KohzuMoving": 0, "sim:7idd:m1.DMOV": 1, SHUTTER: 0, "sim:7idd:FPGA1:Acquire": 0}


@pytest.fixture
def config(simulated_beamline: RunningIoc, tmp_path: Path) -> Path:
    asked = {'proposal = ""': 'proposal = "GUP-1"', "users = []": 'users = ["A. Curie"]'}  # by a shell
    return write_config(tmp_path, **asked)


def is_open() -> bool:
    return bool(epics.caget(SHUTTER, use_monitor=False) == 1)


def scanning(root: Path, terminal: Terminal, runs: int = 1) -> None:
    """Wait until the run with this number is under way and the laser is on."""

    def under_way() -> bool:
        assert terminal.process.poll() is None, terminal.shown
        raw = [path for path in run_files(root) if path.stat().st_size > 100_000]
        return len(raw) >= runs

    until(under_way, "the scan is under way", 60)
    until(is_open, "the laser is on", 60)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for each in made:
        each.kill()


def check_end(root: Path, folder: Path, reason: str) -> str:
    """What has to be so after every end; the scan set to resume."""
    until(lambda: all(epics.caget(name, use_monitor=False) == value for name, value in AT_REST.items()), "at rest", 5)
    raw = [run for run in JournalRuns(root).runs() if run.raw_uid is None][-1]
    assert raw.stop is not None and raw.stop["exit_status"] == "abort"
    assert raw.stop["reason"] == reason
    until(lambda: not left(folder), "no process is left", 10)
    return str(raw.scan_set)


def left(folder: Path) -> list[str]:
    """Processes that have to do with a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(folder) in text:
                found.append(text)
    return found


def goes_on(root: Path, scan_set: str) -> None:
    """The next session has control, and resumes."""
    with start(configuration(root), fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session) and session.sealed == []
        assert session.RE(session.scans.resume(scan_set)).exit_status == "success"


def press(terminal: Terminal) -> str:
    for _ in range(10):
        if terminal.process.poll() is None:
            terminal.type(CTRL_C)
        time.sleep(0.15)
    return "ended with Ctrl-C"


def press_once(terminal: Terminal) -> str:
    terminal.type(CTRL_C)
    return "ended with Ctrl-C"


def hang_up(terminal: Terminal) -> str:
    terminal.hang_up()
    return "ended by SIGHUP"


def terminate(terminal: Terminal) -> str:
    terminal.process.send_signal(signal.SIGTERM)
    return "ended by SIGTERM"


WAYS = [press, press_once, hang_up, terminate]
LONG = pytest.mark.long


@pytest.mark.parametrize("way", [pytest.param(each, marks=LONG) for each in WAYS])
def test_a_scan_ends_in_order_and_says_how_it_goes_on(
    config: Path, tmp_path: Path, terminals: list[Terminal], way: Callable[[Terminal], str]
) -> None:
    root = tmp_path / "data"
    terminals.append(scan := Terminal(*SCAN, "--config", str(config)))
    scanning(root, scan)
    asked = time.monotonic()
    reason = way(scan)
    status = scan.end()
    took = time.monotonic() - asked
    print(f"{way.__name__}: {took:.1f} s to the end")
    assert status == 128 + (2 if "Ctrl-C" in reason else signal.Signals[reason.split()[-1]])
    assert took < 20, "5 s where the machine has nothing else to do"
    scan_set = check_end(root, tmp_path, reason)
    assert "Traceback" not in scan.shown and "RE.resume" not in scan.shown
    if way is not hang_up:
        lines = [line for line in scan.shown.splitlines() if "trxas resume" in line]
        assert lines == [f"The scan was {reason}. To go on: trxas resume {scan_set[:8]}"], scan.shown
    goes_on(root, scan_set)
