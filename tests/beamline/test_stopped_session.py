"""A session that was stopped (SIGSTOP: a closed laptop, a debugger) and continued goes on with its scan."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from beamline.records.journal import read, run_file
from beamline.records.runs.journal_runs import JournalRuns
from tests.beamline.test_ends_in_a_terminal import GRID, config, left, scanning, terminals
from tests.devices.builds import until
from tests.helpers.terminal import Terminal

__all__ = ["config", "terminals"]

DWELLS = 4 * len(GRID.split(","))


@pytest.mark.long
@pytest.mark.parametrize("seconds", [4.0, 30.0])
def test_a_stopped_session_goes_on(config: Path, tmp_path: Path, terminals: list[Terminal], seconds: float) -> None:
    root = tmp_path / "data"
    command = ["scan", "energy_scan", f"energies={GRID}", "dwell=40", "passes=1", "--config", str(config)]
    terminals.append(scan := Terminal(*command))
    scanning(root, scan)
    os.kill(scan.process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(scan.process.pid, signal.SIGCONT)
    assert scan.end(120) == 0, scan.shown
    assert "This session was stopped for" in scan.shown
    (raw,) = [run for run in JournalRuns(root).runs() if run.raw_uid is None]
    assert raw.stop is not None and raw.stop["exit_status"] == "success"
    events = [
        doc["data"] for name, doc in read(run_file(root, raw.uid)) if name == "event" and "laser_on" in doc["data"]
    ]
    good = [(data["point_index"], data["segment"]) for data in events if data["quality"] == "good"]
    assert len(good) == DWELLS == len(set(good))
    until(lambda: not left(tmp_path), "no process is left", 30)
    terminals.append(again := Terminal(*command))
    assert again.end(120) == 0, again.shown
