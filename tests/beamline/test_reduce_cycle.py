"""`trxas reduce all`: scan sets of a cycle, one after the other or on Dask, again after an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.records.journal import read, run_files
from beamline.records.runs.compare import compare
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.result_changes import ResultChange, result_changes
from beamline.records.workers import cluster
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of
from tests.helpers.dask_processes import dask_scheduler, dask_worker

Reduce = Callable[..., Result]
CHANGED = ("--set", "i0_noise=2e-3")


@pytest.fixture
def reduce_all(tmp_path: Path) -> Reduce:
    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, ["reduce", "all", *arguments, "--data", str(tmp_path)])

    return call


def test_each_scan_set_is_reduced_once_and_the_table_has_what_changed(reduce_all: Reduce, tmp_path: Path) -> None:
    sets = [scan_set_of(1, seed=number, sample=f"sample {number}") for number in range(2)]
    acquire(tmp_path, [each for documents in sets for each in documents])
    before = len(run_files(tmp_path))
    nothing = reduce_all("--set", "nix=1")
    assert "there is no setting 'nix'" in str(nothing.exception)
    verified = reduce_all()
    assert verified.exit_code == 0 and verified.output.count("agree to the bit") == 2
    assert "0.00 (0.00)" in verified.output and len(run_files(tmp_path)) == before
    first = reduce_all(*CHANGED)
    assert first.exit_code == 0 and first.output.count("new reduced run") == 2, first.output
    assert len(run_files(tmp_path)) == before + 2
    again = reduce_all(*CHANGED)
    assert again.exit_code == 0 and again.output.count("was stored already") == 2
    assert len(run_files(tmp_path)) == before + 2
    for documents in sets:
        name = documents[0][0][1]["scan_set"][:8]
        line, repeated = (row_of(each, name) for each in (first, again))
        assert line[-1] == "reduced" and line[:-1] == repeated[:-3]  # was stored already
        assert line[-2].startswith("x") and line[-2] != "x1"  # the larger noise of I0 changes the error bars


def row_of(result: Result, name: str) -> list[str]:
    """The line of a scan set in the table."""
    table = result.output[result.output.index("began") :]
    return next(line for line in table.splitlines() if name in line).split()


def test_a_scan_set_that_fails_is_named_and_the_others_are_reduced(reduce_all: Reduce, tmp_path: Path) -> None:
    good, empty = scan_set_of(1, seed=1), scan_set_of(1, seed=2)
    with Acquisition(tmp_path) as session:
        session.take(good[0])
        session.take([empty[0][0], empty[0][-1]], reduce=False)
    result = reduce_all(*CHANGED)
    assert result.exit_code == 1 and result.output.count("new reduced run") == 1
    name = empty[0][0][1]["scan_set"][:8]
    assert f"scan set {name} failed: run " in result.output and "ended before its first dwell" in result.output


def test_changes_are_in_error_bars_of_the_earlier_result() -> None:
    def documents(transient: list[float], error: float, static: float = 1.0) -> list[tuple[str, dict[str, object]]]:
        data = {"energy": [13.4, 13.5], "transient": [transient], "transient_stddev": [[error, error]],
                "static": [static, static], "static_stddev": [0.1, 0.1]}  # fmt: skip
        descriptor = {"uid": "d", "name": "spectrum"}
        return [("descriptor", descriptor), ("event", {"descriptor": "d", "seq_num": 1, "data": data})]

    static, transient = result_changes(documents([1.0, 1.0], 0.5), documents([1.0, 2.5], 1.0))
    assert static == ResultChange("static", 0.0, 0.0, 13.4, 1.0)
    assert transient == ResultChange("transient", 3.0, np.sqrt(4.5), 13.5, 2.0)  # 1.5 at error bars of 0.5
    assert result_changes([], documents([1.0, 1.0], 0.5)) == "no result before"


@pytest.mark.long
def test_on_workers_one_of_which_dies_the_bits_are_those_of_this_process(
    reduce_all: Reduce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two workers is killed as soon as a first result is there; what is missing then is done by the other."""
    monkeypatch.setattr(cluster, "SCHEDULER_TIMEOUT", 60.0)
    sets = [scan_set_of(2, seed=number) for number in range(4)]
    acquire(tmp_path, [each for documents in sets for each in documents])
    live = set(run_files(tmp_path))
    command = ["reduce", "all", *CHANGED, "--data", str(tmp_path)]
    with dask_scheduler() as scheduler, dask_worker(scheduler) as first, dask_worker(scheduler):
        program = [sys.executable, "-c", "from beamline.app.cli import main; main()"]
        there = subprocess.Popen([*program, *command, "--scheduler", scheduler], stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 200
        while len(run_files(tmp_path)) == len(live) and there.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGKILL)
        output, _ = there.communicate(timeout=200)
    assert there.returncode == 0 and output.count("new reduced run") == 8, output
    new = {read(path)[0][1]["analysis_of"]: read(path) for path in set(run_files(tmp_path)) - live}
    for path in set(run_files(tmp_path)) - live:
        path.unlink()
    assert reduce_all(*CHANGED).exit_code == 0
    store = JournalRuns(tmp_path)
    for path in set(run_files(tmp_path)) - live:
        documents = read(path)
        assert compare(documents, new[documents[0][1]["analysis_of"]]).exact
    assert len(store.runs()) == 8 + 8 + 8
