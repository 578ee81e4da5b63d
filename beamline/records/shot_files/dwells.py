"""Reduction of the shots of one dwell, the task of a worker process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from beamline.records.shot_files.file import ShotReader
from reduction.shots.block import BlockError
from reduction.shots.sums import ShotCounts, ShotSums


@dataclass(frozen=True)
class DwellTask:
    """The rows of one dwell in a file.

    Attributes
    ----------
    path : str
    first, number : int
        First row, and how many.
    num_phases, threshold : int
        See `reduction.shots.sums.ShotSums`.
    """

    path: str
    first: int
    number: int
    num_phases: int
    threshold: int


@dataclass(frozen=True)
class DwellShots:
    """Result of a task.

    Attributes
    ----------
    counts : ShotCounts or None
        None if no block could be used.
    left_out : tuple of str
        A message for each block that could not be used.
    """

    counts: ShotCounts | None
    left_out: tuple[str, ...]


def reduce_dwell(task: DwellTask) -> DwellShots:
    """Sum the blocks of a dwell; blocks that cannot be used are skipped and reported."""
    name = Path(task.path).name
    sums = ShotSums(task.num_phases, task.threshold)
    left_out = []
    try:
        with ShotReader(Path(task.path)) as reader:
            reader.require_phases(task.num_phases)
            for row in range(task.first, task.first + task.number):
                try:
                    sums.add(reader.block(row, with_monitor=False))
                except BlockError as error:
                    left_out.append(f"{name}, {error}")
                    sums.leave_out(row)
    except OSError as error:
        last = task.first + task.number - 1
        return DwellShots(None, (f"{name}, blocks {task.first} to {last}: {error}",))
    counts = sums.result()
    return DwellShots(counts if counts.shots else None, tuple(left_out))
