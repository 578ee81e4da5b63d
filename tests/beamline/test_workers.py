"""Tasks on Dask: what is lost with a worker is done by another one, to the same bits, and what fails is named."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from beamline.records.shot_files.dwells import DwellTask, reduce_dwell
from beamline.records.shot_files.workers import reduce_dwells
from beamline.records.workers import cluster
from beamline.records.workers.cluster import FailedTask, WorkersError, run_tasks, workers_of
from beamline.studies.bench import files as bench_files
from tests.helpers.dask_processes import dask_scheduler, dask_worker
from tests.helpers.dask_tasks import deadly, failing, interrupted_dwell

StartWorker = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A scheduler in a process; a busy machine starts slowly."""
    monkeypatch.setattr(cluster, "SCHEDULER_TIMEOUT", 60.0)
    with dask_scheduler() as address:
        yield address


@pytest.fixture
def start_worker(scheduler: str) -> Iterator[StartWorker]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(dask_worker(scheduler))


def dwells(path: Path, rows: int = 8) -> list[DwellTask]:
    """Tasks of one row each, of a file with photons of a known seed."""
    heights = np.random.default_rng(5).choice([0, 2000], size=12_000, p=[0.8, 0.2]).astype(np.int16)
    bench_files.write_file(path, heights, rows)
    return [DwellTask(str(path), row, 1, 120, 1000) for row in range(rows)]


def wait_for(path: Path, patience: float = 120.0) -> str:
    deadline = time.monotonic() + patience
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.long
def test_a_worker_killed_in_mid_task_changes_no_bit(scheduler: str, start_worker: StartWorker, tmp_path: Path) -> None:
    tasks = dwells(tmp_path / "a.h5")
    start_worker(), start_worker()
    found: dict[int, Any] = {}
    with workers_of(scheduler) as client:
        client.wait_for_workers(2, timeout=60)
        names = [str(task.first) for task in tasks]
        work = threading.Thread(target=run_tasks, args=(client, interrupted_dwell, tasks, names, found.__setitem__))
        work.start()
        os.kill(int(wait_for(tmp_path / "a.pid")), signal.SIGKILL)
        work.join(120)
        assert len(client.nthreads()) == 1
    for index, task in enumerate(tasks):
        here = reduce_dwell(task).counts
        assert here is not None and here.hits.sum() > 0
        np.testing.assert_array_equal(found[index].counts.hits, here.hits)
        np.testing.assert_array_equal(found[index].counts.pairs.coincidences, here.pairs.coincidences)
    again = reduce_dwells(tasks, 1, scheduler, lambda done, number: None)  # the worker that is left
    assert [each.counts.hits.sum() for each in again if each.counts] == [
        found[index].counts.hits.sum() for index in range(len(tasks))
    ]


@pytest.mark.long
def test_without_any_worker_the_reason_is_named_and_a_new_one_does_the_rest(
    scheduler: str, start_worker: StartWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "WITHOUT_WORKERS", 2.0)
    start_worker()
    marker = tmp_path / "alive"
    found: dict[int, Any] = {}
    with workers_of(scheduler) as client:
        with pytest.raises(WorkersError, match="all workers are gone, 2 tasks wait"):
            run_tasks(client, deadly, [str(marker)] * 2, ["a", "b"], found.__setitem__)
        assert not found
        marker.touch()
        start_worker()
        client.wait_for_workers(1, timeout=60)
        run_tasks(client, deadly, [str(marker)] * 2, ["a", "b"], found.__setitem__)
    assert found == {0: "done", 1: "done"}


@pytest.mark.long
def test_a_scheduler_that_is_lost_is_named(start_worker: StartWorker, scheduler: str, tmp_path: Path) -> None:
    start_worker()
    tasks = dwells(tmp_path / "a.h5")
    with workers_of(scheduler) as client:
        number = client.run_on_scheduler(os.getpid)
        with pytest.raises(WorkersError, match="the Dask scheduler is lost"):
            run_tasks(client, reduce_dwell, tasks, ["a"] * 8, lambda index, result: os.kill(number, signal.SIGKILL))


@pytest.mark.long
def test_failed_tasks_are_named_and_the_others_are_done(
    scheduler: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_worker()
    found: dict[int, Any] = {}
    with workers_of(scheduler) as client:
        run_tasks(client, failing, [1, 2, 3, 4], ["one", "two", "three", "four"], found.__setitem__)
        assert found == {0: 2, 1: 4, 2: FailedTask("three", "ValueError: three is refused"), 3: 8}
        ours = cluster.versions()
        monkeypatch.setattr(cluster, "versions", lambda: {**ours, "numpy": "9.9"})
        run_tasks(client, failing, [1], ["one"], found.__setitem__)  # as if it had come after the check
        assert "this worker has other versions" in str(found[0])
    wrong = rf"worker tcp://\S+ has numpy {ours['numpy']}, here is numpy 9\.9"
    with pytest.raises(WorkersError, match=wrong), workers_of(scheduler):
        pass


def test_workers_of_other_versions_or_without_this_program_are_named() -> None:
    ours = cluster.numerics()
    assert {"python", "trxas", "numpy", "numba", "scipy"} <= set(ours)
    seen = {"tcp://a": ours, "tcp://b": {**ours, "numba": "0.1"}, "tcp://c": ModuleNotFoundError("beamline")}
    client = SimpleNamespace(run=lambda function, on_error: seen)
    wrong = rf"worker tcp://b has numba 0\.1, here is numba {ours['numba']}; worker tcp://c cannot run this program"
    with pytest.raises(WorkersError, match=wrong):
        cluster._require_versions(client)
    del seen["tcp://b"], seen["tcp://c"]
    cluster._require_versions(client)


def test_dwells_that_failed_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tasks = dwells(tmp_path / "a.h5", 2)

    def fail(client: Any, function: Any, tasks: Any, names: list[str], finished: Callable[[int, Any], None]) -> None:
        finished(1, FailedTask(names[1], "OSError: gone"))
        finished(0, reduce_dwell(tasks[0]))

    monkeypatch.setattr("beamline.records.shot_files.workers.run_tasks", fail)
    monkeypatch.setattr("beamline.records.shot_files.workers.workers_of", lambda *_: ExitStack())
    with pytest.raises(WorkersError, match=r"1 of 2 dwells failed: a\.h5, blocks 1 to 1: OSError: gone"):
        reduce_dwells(tasks, 2, None, lambda done, number: None)
