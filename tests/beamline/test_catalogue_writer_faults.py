"""Servers that die, freeze, lose replies or refuse requests, and moved files: afterwards the catalogue is complete."""

from __future__ import annotations

import fcntl
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiled.client.dataframe import DataFrameClient

from beamline.records.catalogue.client import list_runs
from beamline.records.catalogue_writer import loop
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import OFFLINE, read_status
from beamline.records.journal import Journal, read, run_files
from tests.beamline.catalogue_writing import Announce, Open, some_runs
from tests.beamline.example_runs import Documents, interleaved, raw_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.tiled_process import Faults, FaultyProxy, TiledProcess


class WriterThread:
    """A catalogue writer at work in a thread, while the test does harm."""

    def __init__(self, root: Path, catalogue: str | Path) -> None:
        self._ended = threading.Event()
        self.writer = CatalogueWriter(root, catalogue, linger=0.05, timeout=1.5)
        self._thread = threading.Thread(target=self.writer.follow, args=(self._ended.is_set,))
        self._thread.start()

    def finish(self) -> bool:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        try:
            return self.writer.until_idle(lambda: False, patience=60.0)
        finally:
            self.writer.close()


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Callable[[str | Path], WriterThread]]:
    started: list[WriterThread] = []

    def start(catalogue: str | Path) -> WriterThread:
        started.append(WriterThread(tmp_path, catalogue))
        return started[-1]

    yield start
    for thread in started:
        thread._ended.set()
        thread._thread.join(60)


def wait_for_state(root: Path, state: str, timeout: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = read_status(root)
        if status is not None and status.state == state and time.time() - status.time < 2:
            return True
        time.sleep(0.02)
    return False


def announce_slowly(announce: Announce, documents: Documents, pause: float) -> None:
    for item in documents:
        announce([item])
        time.sleep(pause)


@pytest.mark.long
@pytest.mark.parametrize("harm", ["freeze", "kill"])
def test_a_server_that_goes_and_comes_back(
    announce: Announce,
    writing: Callable[[str | Path], WriterThread],
    tmp_path: Path,
    tiled_server: TiledProcess,
    opened: Open,
    harm: str,
) -> None:
    runs = some_runs(2, 8)
    everything = list(interleaved(*runs))
    third = len(everything) // 3
    tiled_server.start()
    thread = writing(tiled_server.uri)
    announce_slowly(announce, everything[:third], 0.01)
    tiled_server.kill() if harm == "kill" else tiled_server.signal(signal.SIGSTOP)
    announce_slowly(announce, everything[third : 2 * third], 0.01)
    assert wait_for_state(tmp_path, OFFLINE)
    tiled_server.start() if harm == "kill" else tiled_server.signal(signal.SIGCONT)
    announce_slowly(announce, everything[2 * third :], 0.01)
    assert thread.finish()
    assert_holds(opened(tiled_server.uri), *runs)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
def test_a_server_frozen_again_and_again(
    announce: Announce,
    writing: Callable[[str | Path], WriterThread],
    tiled_server: TiledProcess,
    opened: Open,
    seed: int,
) -> None:
    """A frozen server may execute a timed-out request late: nothing may be stored twice."""
    moments = random.Random(seed)
    runs = some_runs(6, 6)
    tiled_server.start()
    thread = writing(tiled_server.uri)
    for documents in runs:
        announce_slowly(announce, documents, 0.01)
        time.sleep(moments.uniform(0, 0.5))
        tiled_server.signal(signal.SIGSTOP)
        time.sleep(moments.uniform(1.4, 2.0))
        tiled_server.signal(signal.SIGCONT)
    assert thread.finish()
    assert_holds(opened(tiled_server.uri), *runs)


@pytest.mark.parametrize(
    "shares",
    [
        {"refuse": 0.15, "lose": 0.15},
        pytest.param({"refuse": 0.3}, marks=pytest.mark.long),
        pytest.param({"lose": 0.3}, marks=pytest.mark.long),
        pytest.param({"slow": 0.3, "refuse": 0.1, "lose": 0.1}, marks=pytest.mark.long),
    ],
    ids=str,
)
@pytest.mark.long
def test_a_server_that_refuses_or_loses_answers(
    announce: Announce,
    writing: Callable[[str | Path], WriterThread],
    tiled_server: TiledProcess,
    opened: Open,
    shares: dict[str, float],
) -> None:
    runs = some_runs(2, 4)
    tiled_server.start()
    faults = Faults(7, **shares)
    with FaultyProxy(tiled_server.port, faults) as proxy:
        thread = writing(proxy.uri)
        announce_slowly(announce, list(interleaved(*runs)), 0.02)
        assert thread.finish()
    assert min(faults.counts[name] for name in shares) > 3
    assert_holds(opened(tiled_server.uri), *runs)


class TroubledAppends:
    """The first append of rows has no reply: it was executed, was not, or is executed once more later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fate: str) -> None:
        self.calls = 0
        real = DataFrameClient.append_partition

        def append(client: Any, partition: int, table: Any) -> None:
            self.calls += 1
            if self.calls > 1 or fate == "landed":
                real(client, partition, table)
            if self.calls == 2 and fate == "late":
                real(client, partition, table)
            if self.calls == 1:
                raise httpx.ReadTimeout("no answer")

        monkeypatch.setattr(DataFrameClient, "append_partition", append)


@pytest.mark.parametrize(
    ("fate", "appends"), [("landed", 1), ("lost", 2), pytest.param("late", 3, marks=pytest.mark.long)]
)
def test_rows_whose_fate_is_unknown_are_there_once(
    announce: Announce,
    tmp_path: Path,
    catalogue: Path,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    fate: str,
    appends: int,
) -> None:
    documents = [item for item in raw_run(3) if item[1].get("name") != "baseline"]
    documents = [item for item in documents if item[0] != "event" or "fpga_counts" in item[1]["data"]]
    announce(documents)
    monkeypatch.setattr(loop, "takes_batches", lambda client: False)  # as a server without our route
    troubled = TroubledAppends(monkeypatch, fate)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    try:
        assert writer.until_idle(lambda: False)
    finally:
        writer.close()
    assert_holds(opened(catalogue), documents)
    # What landed is not sent again, and only what is wrong in the end is written anew.
    assert troubled.calls == appends


def test_an_absent_catalogue_leaves_the_journal_alone(
    announce: Announce, writing: Callable[[str | Path], WriterThread], tmp_path: Path
) -> None:
    """The catalogue writer only reads: it neither locks nor changes a file that the journal writes to.

    ``python -m tests.benchmarks.journal_cost`` prints what it costs the journal.
    """
    *documents, last = raw_run(4)
    announce(documents)
    (path,) = run_files(tmp_path)
    before, others = path.read_bytes(), set(path.parent.iterdir())
    writing("http://127.0.0.1:9")
    assert wait_for_state(tmp_path, OFFLINE)
    assert path.read_bytes() == before
    assert {each.name for each in set(path.parent.iterdir()) - others} <= {"filler"}
    announce([last])  # the journal ends the run and lets its file go
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert read(path)[-1] == last


def test_runs_that_are_moved_away_are_named_and_stored_when_they_come_back(
    journal: Journal, announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    """A shift is archived while it goes on: complete runs, running ones, and one that no reader has opened yet."""
    complete, going, late, after = (raw_run(4, seed=seed) for seed in range(4))
    away = tmp_path / "archive"
    away.mkdir()
    announce(complete)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    writer.until_idle(lambda: False)
    announce(going[:5])
    writer.until_idle(lambda: False)
    announce(late)
    journal._sync.close()  # on disk: a running run that is moved before that is lost to the journal
    for path in run_files(tmp_path):
        path.rename(away / path.name)
    announce(after)
    writer.LOOK_AGAIN = 0.0  # type: ignore[misc]
    writer.until_idle(lambda: False)
    status = read_status(tmp_path)
    assert status is not None and uid_of_run(going) in status.failing
    assert "moved away" in status.failing[uid_of_run(going)]
    assert len(list_runs(opened(catalogue))) == 3
    for path in away.iterdir():
        path.rename(tmp_path / "journal" / path.name)
    announce(going[5:])
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(catalogue), complete, going, late, after)
