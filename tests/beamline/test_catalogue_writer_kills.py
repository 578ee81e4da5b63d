"""Writers killed at any moment, and a long backlog shared with a helper: afterwards the catalogue is complete."""

from __future__ import annotations

import fcntl
import json
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamline.records.catalogue.client import list_runs
from beamline.records.catalogue_writer import loop as writer_loop
from beamline.records.catalogue_writer.helper import helper_takes
from beamline.records.catalogue_writer.loop import CatalogueWriter
from tests.beamline.catalogue_writing import Announce, Open, some_runs
from tests.beamline.example_runs import Documents, interleaved, raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.tiled_process import TiledProcess, client_environment
from tests.helpers.writer import writer_command

REPOSITORY = Path(__file__).parents[2]
LONG = [pytest.mark.long, pytest.mark.timeout(1800)]


def kill_again_and_again(root: Path, catalogue: str, moments: Iterator[float]) -> int:
    """Start writers and kill each after a while, until one ends by itself; how many were killed."""
    command = writer_command(root, catalogue, "--until-idle", "--linger", "0")
    for killed in range(1000):
        process = subprocess.Popen(command, cwd=REPOSITORY, env=client_environment(), stdin=subprocess.DEVNULL)
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
    """Seconds that a catalogue writer takes on this machine before it stores anything."""
    began = time.monotonic()
    assert kill_again_and_again(root, catalogue, iter(())) == 0
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("kind", "kills"), [("embedded", 1), *(pytest.param(kind, 20, marks=LONG) for kind in ("server", "embedded"))]
)
@pytest.mark.long
def test_a_writer_killed_at_random_moments(
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
    monkeypatch.setattr(writer_loop, "HELP_RUNS", 4)
    monkeypatch.setattr(writer_loop, "HELP_BYTES", 0)
    # A helper takes seconds to start: so many runs that something is left for it.
    runs = [raw_run(2, seed=seed) for seed in range(10)]
    for documents in runs:
        announce(documents)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    try:
        writer._connect()
        writer._discover()
        writer._share_backlog()
        helper = writer._helper._process
        assert helper is not None
        if harm == "kill":
            time.sleep(4)
            helper.kill()
        assert writer.until_idle(lambda: False)
        assert helper.poll() is not None
    finally:
        writer.close()
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
    # As a catalogue writer leaves it that was killed while its helper goes on.
    with (folder / "helper-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
        assert not writer.until_idle(lambda: writer._written is not None and writer._written.runs_waiting == 0)
        ours = {uid_of_run(documents) for documents in runs if not helper_takes(uid_of_run(documents))}
        assert {run["start"]["uid"] for run in list_runs(opened(catalogue))} == ours
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(catalogue), *runs)
