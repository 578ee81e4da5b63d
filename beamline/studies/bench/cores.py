"""Stored shots on two cores, in threads and in processes, against one core."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from beamline.records.shot_files.dwells import DwellShots, DwellTask, reduce_dwell
from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD
from beamline.studies.bench.timing import interleaved, ratio

ROWS_OF_A_DWELL = 4
ROUNDS = 5
NAME = "stored shots: time on one core / on two"
All = Callable[..., object]


def measure(path: Path, rows: int) -> list[BenchRow]:
    """Time of reducing all dwells of a file on one core over that on two; processes are started before."""
    firsts = range(0, rows, ROWS_OF_A_DWELL)
    tasks = [DwellTask(str(path), first, ROWS_OF_A_DWELL, NUM_PHASES, THRESHOLD) for first in firsts]

    def reduce(each: All) -> list[DwellShots]:
        return list(each(reduce_dwell, tasks))  # type: ignore[call-overload,no-any-return]

    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        works = {
            "one": partial(reduce, map), "threads": partial(reduce, threads.map),
            "processes": partial(reduce, processes.map),
        }  # fmt: skip
        seconds = interleaved(works, ROUNDS, warm=False)
    found = {name: ratio(seconds, "one", name) for name in ("threads", "processes")}
    best = max(found, key=found.__getitem__)
    return [
        *(BenchRow(f"{NAME}, {name}", value) for name, value in found.items()),
        BenchRow(f"{NAME}, the faster way", found[best], 1.8, None, note=best),
    ]
