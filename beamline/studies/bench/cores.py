"""Stored shots on two cores, in threads and in processes, against one core; beside it, only reading their words."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from beamline.records.shot_files.dwells import DwellTask, reduce_dwell
from beamline.records.shot_files.file import ShotReader
from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, read_words
from beamline.studies.bench.timing import interleaved, ratio

ROWS_OF_A_DWELL = 4
ROUNDS = 5
NAME = "stored shots: time on one core / on two"
All = Callable[..., object]


def read_dwell(task: DwellTask) -> int:
    """Sum of the words of a dwell, which is mapped as for its reduction."""
    total = 0
    with ShotReader(Path(task.path)) as reader:
        for row in range(task.first, task.first + task.number):
            shots = reader.block(row, with_monitor=False).shots
            total += int(read_words(shots[: shots.size // 4 * 4].view(np.uint64)))
    return total


def measure(path: Path, rows: int) -> list[BenchRow]:
    """Time of reducing all dwells of a file on one core over that on two; processes are started before."""
    firsts = range(0, rows, ROWS_OF_A_DWELL)
    tasks = [DwellTask(str(path), first, ROWS_OF_A_DWELL, NUM_PHASES, THRESHOLD) for first in firsts]

    def every(work: Callable[[DwellTask], object], each: All) -> list[object]:
        return list(each(work, tasks))  # type: ignore[call-overload,no-any-return]

    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        ways: dict[str, All] = {"one": map, "threads": threads.map, "processes": processes.map}
        works = {
            (work, name): partial(every, work, way) for work in (reduce_dwell, read_dwell) for name, way in ways.items()
        }
        seconds = interleaved(
            {f"{work.__name__} {name}": each for (work, name), each in works.items()}, ROUNDS, warm=False
        )
    found, reading = (
        {name: ratio(seconds, f"{work} one", f"{work} {name}") for name in ("threads", "processes")}
        for work in ("reduce_dwell", "read_dwell")
    )
    best = max(found, key=found.__getitem__)
    read = ", ".join(f"{value:.2f} in {name}" for name, value in reading.items())
    because = f"mapping and only reading the same words gains {read}: the two cores share memory, and pages of files"
    return [
        *(BenchRow(f"{NAME}, {name}", value) for name, value in found.items()),
        *(BenchRow(f"for comparison, only reading their words, {name}", value) for name, value in reading.items()),
        BenchRow(f"{NAME}, the faster way", found[best], 1.8, None, note=best, because=because),
    ]
