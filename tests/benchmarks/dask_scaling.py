"""Time in which dwells of shots and whole scan sets are reduced again, on 1, 2 and 4 workers of a Dask scheduler.

Run it with ``python -m tests.benchmarks.dask_scaling``. All processes are on this machine, so that more workers than
processors cannot be faster; results of all numbers of workers are compared to the bit.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.journal import Journal
from beamline.records.runs.cycle import RunSource, SetTask, reduce_set, set_task
from beamline.records.runs.job import plan_job
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.shot_files.dwells import DwellTask, reduce_dwell
from beamline.records.workers import cluster
from beamline.studies.bench.files import write_file
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, one_second
from tests.beamline.raw_scans import scan_set_of
from tests.helpers.dask_processes import dask_scheduler, dask_worker

WORKERS = (1, 2, 4)
DWELLS, SECONDS, SETS = 16, 2, 16


def dwells(folder: Path) -> list[DwellTask]:
    """Dwells of some seconds of shots in one file."""
    write_file(folder / "a.h5", one_second().heights, DWELLS * SECONDS)
    return [DwellTask(str(folder / "a.h5"), n * SECONDS, SECONDS, NUM_PHASES, THRESHOLD) for n in range(DWELLS)]


def scan_sets(folder: Path) -> list[SetTask]:
    """Scan sets of three passes, as the forward model gives them."""
    journal = Journal(folder, min_free_bytes=0)
    names = []
    for seed in range(SETS):
        for documents in scan_set_of(3, seed=seed):
            names.append(str(documents[0][1]["scan_set"]))
            for name, doc in documents:
                journal(name, doc)
    journal.close()
    runs, there = JournalRuns(folder).runs(), RunSource("journal", folder, "")
    return [set_task(name, there, plan_job(runs, name, {}), runs, False) for name in dict.fromkeys(names)]


def timed(client: Any, function: Callable[[Any], Any], tasks: list[Any]) -> tuple[float, list[Any]]:
    """Seconds of the second of two turns, in which the kernels are compiled, and the results."""
    found: dict[int, Any] = {}
    for _ in range(2):
        began = time.perf_counter()
        cluster.run_tasks(client, function, tasks, [str(n) for n in range(len(tasks))], found.__setitem__)
        took = time.perf_counter() - began
    return took, [found[index] for index in range(len(tasks))]


def bits(result: Any) -> bytes:
    """The numbers of a result."""
    if hasattr(result, "counts"):
        return bytes(result.counts.hits.tobytes())
    events = [doc["data"] for name, doc in result.results[-1].documents if name == "event"]
    arrays = [np.asarray(data[key]) for data in events for key in sorted(data)]
    return b"".join(each.tobytes() for each in arrays if each.dtype.kind in "fiu")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    cluster.SCHEDULER_TIMEOUT = 60.0
    with tempfile.TemporaryDirectory() as folder:
        kinds: list[tuple[Callable[[Any], Any], list[Any]]] = [
            (reduce_dwell, dwells(Path(folder))),
            (reduce_set, scan_sets(Path(folder))),
        ]
        print(f"{os.cpu_count()} processors; {DWELLS} dwells of {SECONDS} s of shots, {SETS} scan sets of three passes")
        print("workers  dwells / s  faster  scan sets / s  faster", flush=True)
        first: list[tuple[float, list[bytes]]] = []
        for number in parser.parse_args().workers:
            with ExitStack() as stack:
                scheduler = stack.enter_context(dask_scheduler())
                for _ in range(number):
                    stack.enter_context(dask_worker(scheduler))
                client = stack.enter_context(cluster.workers_of(scheduler))
                client.wait_for_workers(number, timeout=120)
                seen = [timed(client, function, tasks) for function, tasks in kinds]
            rows = [(took, [bits(each) for each in results]) for took, results in seen]
            first = first or rows
            assert [numbers for _, numbers in rows] == [numbers for _, numbers in first]
            cells = "".join(f"{took:>12.2f}{one / took:>8.2f}" for (took, _), (one, _) in zip(rows, first, strict=True))
            print(f"{number:>7}{cells}", flush=True)


if __name__ == "__main__":
    main()
