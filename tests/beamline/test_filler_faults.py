"""Servers and fillers that die, freeze, lose replies or refuse requests: afterwards the catalogue is complete."""

from __future__ import annotations

import fcntl
import json
import random
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiled.client.dataframe import DataFrameClient

from beamline.records.catalogue.client import list_runs
from beamline.records.catalogue_writer import loop as filler_loop
from beamline.records.catalogue_writer.helper import helper_takes
from beamline.records.catalogue_writer.loop import Filler
from beamline.records.catalogue_writer.status import OFFLINE, read_status
from beamline.records.journal import Journal, run_files
from tests.beamline.example_runs import Documents, interleaved, raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.tiled_process import Faults, FaultyProxy, TiledProcess, client_environment

LONG = [pytest.mark.long, pytest.mark.timeout(1800)]
REPOSITORY = Path(__file__).parents[2]
Announce = Callable[[Documents], None]
Open = Callable[[str | Path], Any]


def some_runs(count: int, events: int) -> list[Documents]:
    """Raw and reduced runs in turn."""
    return [
        raw_run(events, seed=seed) if seed % 2 == 0 else reduced_run(events // 4 + 1, energies=20, seed=seed)
        for seed in range(count)
    ]


class FillingThread:
    """A filler at work in a thread, while the test does harm."""

    def __init__(self, root: Path, catalogue: str | Path) -> None:
        self._ended = threading.Event()
        self.filler = Filler(root, catalogue, linger=0.05, timeout=1.5)
        self._thread = threading.Thread(target=self.filler.follow, args=(self._ended.is_set,))
        self._thread.start()

    def finish(self) -> bool:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        try:
            return self.filler.until_idle(lambda: False, patience=60.0)
        finally:
            self.filler.close()


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[Callable[[str | Path], FillingThread]]:
    started: list[FillingThread] = []

    def start(catalogue: str | Path) -> FillingThread:
        started.append(FillingThread(tmp_path, catalogue))
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


@pytest.mark.parametrize("harm", ["freeze", pytest.param("kill", marks=pytest.mark.long)])
def test_a_server_that_goes_and_comes_back(
    announce: Announce,
    filling: Callable[[str | Path], FillingThread],
    tmp_path: Path,
    tiled_server: TiledProcess,
    opened: Open,
    harm: str,
) -> None:
    runs = some_runs(2, 8)
    everything = list(interleaved(*runs))
    third = len(everything) // 3
    tiled_server.start()
    thread = filling(tiled_server.uri)
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
    filling: Callable[[str | Path], FillingThread],
    tiled_server: TiledProcess,
    opened: Open,
    seed: int,
) -> None:
    """A frozen server may execute a timed-out request late: nothing may be stored twice."""
    moments = random.Random(seed)
    runs = some_runs(6, 6)
    tiled_server.start()
    thread = filling(tiled_server.uri)
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
    filling: Callable[[str | Path], FillingThread],
    tiled_server: TiledProcess,
    opened: Open,
    shares: dict[str, float],
) -> None:
    runs = some_runs(2, 4)
    tiled_server.start()
    faults = Faults(7, **shares)
    with FaultyProxy(tiled_server.port, faults) as proxy:
        thread = filling(proxy.uri)
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
    troubled = TroubledAppends(monkeypatch, fate)
    filler = Filler(tmp_path, catalogue, linger=0.0)
    try:
        assert filler.until_idle(lambda: False)
    finally:
        filler.close()
    assert_holds(opened(catalogue), documents)
    # What landed is not sent again, and only what is wrong in the end is written anew.
    assert troubled.calls == appends


def kill_again_and_again(root: Path, catalogue: str, moments: Iterator[float]) -> int:
    """Start fillers and kill each after a while, until one ends by itself; how many were killed."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "beamline.records.catalogue_writer",
        "--journal",
        str(root),
        "--until-idle",
    ]
    for killed in range(1000):
        process = subprocess.Popen(
            [*command, "--catalogue", catalogue, "--linger", "0"],
            cwd=REPOSITORY,
            env=client_environment(),
            stdin=subprocess.DEVNULL,
        )
        try:
            if process.wait(next(moments, 600.0)) == 0:
                return killed
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
    raise AssertionError("never came to an end")


def start_up_time(root: Path, catalogue: str) -> float:
    """Seconds that a filler takes on this machine before it stores anything."""
    began = time.monotonic()
    assert kill_again_and_again(root, catalogue, iter(())) == 0
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("kind", "kills"), [("embedded", 1), *(pytest.param(kind, 20, marks=LONG) for kind in ("server", "embedded"))]
)
@pytest.mark.long
def test_a_filler_killed_at_random_moments(
    announce: Announce,
    tmp_path: Path,
    tiled_server: TiledProcess,
    catalogue: Path,
    opened: Open,
    kind: str,
    kills: int,
) -> None:
    where = str(catalogue)
    if kind == "server":
        where = tiled_server.start().uri
    start_up = start_up_time(tmp_path, where)
    runs = some_runs(2 + kills // 4, 12)
    announce(list(interleaved(*runs)))
    moments = random.Random(5)
    kill_again_and_again(tmp_path, where, iter([start_up * moments.uniform(0.6, 1.2) for _ in range(kills)]))
    assert_holds(opened(where), *runs)


def test_an_absent_catalogue_costs_the_acquisition_nothing(
    announce: Announce, filling: Callable[[str | Path], FillingThread], tmp_path: Path
) -> None:
    """The journal takes as long per document whether a filler struggles beside it or none runs (median within 1 ms)."""

    def cost(seed: int) -> float:
        journal = Journal(tmp_path / str(seed), min_free_bytes=0)
        seconds = []
        for name, doc in raw_run(300, seed=seed):
            began = time.perf_counter()
            journal(name, doc)
            seconds.append(time.perf_counter() - began)
        journal.close()
        return statistics.median(seconds)

    alone = cost(1)
    thread = filling("http://127.0.0.1:9")
    announce(raw_run(3))
    assert wait_for_state(tmp_path, OFFLINE)
    assert cost(2) - alone < 1e-3
    thread._ended.set()


def night(events: int) -> list[Documents]:
    """Passes of 250 events and their reduced runs."""
    return [
        run
        for seed in range(events // 250)
        for run in (raw_run(250, seed=seed), reduced_run(60, energies=60, seed=seed))
    ]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_night_without_a_catalogue_is_caught_up(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    """10,000 events within 2 minutes on 2 cores that have nothing else to do."""
    runs = night(10_000)
    for documents in runs:
        announce(documents)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    kill_again_and_again(tmp_path, str(catalogue), iter(()))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time of both processes: a test machine is shared, a beamline's at night is not.
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 2 * 120
    assert_holds(opened(catalogue), *runs)


@pytest.mark.long
@pytest.mark.parametrize("harm", ["none", "kill"])
def test_a_long_backlog_is_shared_with_a_helper(
    announce: Announce,
    tmp_path: Path,
    catalogue: Path,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
) -> None:
    monkeypatch.setattr(filler_loop, "HELP_RUNS", 4)
    monkeypatch.setattr(filler_loop, "HELP_BYTES", 0)
    # A helper takes seconds to start: so many runs that something is left for it.
    runs = [raw_run(2, seed=seed) for seed in range(10)]
    for documents in runs:
        announce(documents)
    filler = Filler(tmp_path, catalogue, linger=0.0)
    try:
        filler._connect()
        filler._discover()
        filler._share()
        helper = filler._helper._process
        assert helper is not None
        if harm == "kill":
            time.sleep(4)
            helper.kill()
        assert filler.until_idle(lambda: False)
        assert helper.poll() is not None
    finally:
        filler.close()
    if harm == "none":
        folder = tmp_path / "journal" / "filler"
        shares = [json.loads((folder / f"position-{who}.json").read_text()) for who in ("filler", "helper")]
        assert min(len(share["complete"]) for share in shares) > 1
    assert_holds(opened(catalogue), *runs)


@pytest.mark.long
def test_a_run_that_a_helper_may_be_writing_is_left_alone(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    runs = [raw_run(1, seed=seed) for seed in range(6)]
    for documents in runs:
        announce(documents)
    folder = tmp_path / "journal" / "filler"
    folder.mkdir()
    # As a filler leaves it that was killed while its helper goes on.
    with (folder / "helper-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        filler = Filler(tmp_path, catalogue, linger=0.0)
        assert not filler.until_idle(lambda: filler._written is not None and filler._written.runs_waiting == 0)
        ours = {uid_of_run(documents) for documents in runs if not helper_takes(uid_of_run(documents))}
        assert {run["start"]["uid"] for run in list_runs(opened(catalogue))} == ours
    assert filler.until_idle(lambda: False)
    filler.close()
    assert_holds(opened(catalogue), *runs)


def test_runs_that_are_moved_away_are_named_and_stored_when_they_come_back(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    """A shift is archived while it goes on: complete runs, running ones, and one that nobody has read yet."""
    complete, going, late, after = (raw_run(4, seed=seed) for seed in range(4))
    away = tmp_path / "archive"
    away.mkdir()
    announce(complete)
    filler = Filler(tmp_path, catalogue, linger=0.0)
    filler.until_idle(lambda: False)
    announce(going[:5])
    filler.until_idle(lambda: False)
    announce(late)
    for path in run_files(tmp_path):
        path.rename(away / path.name)
    announce(after)
    filler.LOOK_AGAIN = 0.0  # type: ignore[misc]
    filler.until_idle(lambda: False)
    status = read_status(tmp_path)
    assert status is not None and uid_of_run(going) in status.failing
    assert "moved away" in status.failing[uid_of_run(going)]
    assert len(list_runs(opened(catalogue))) == 3
    for path in away.iterdir():
        path.rename(tmp_path / "journal" / path.name)
    announce(going[5:])
    assert filler.until_idle(lambda: False)
    filler.close()
    assert_holds(opened(catalogue), complete, going, late, after)
