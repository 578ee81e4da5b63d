"""Reduces many dwells: in this process, in local processes, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from beamline.records.shot_files.dwells import DwellShots, DwellTask, reduce_dwell
from beamline.records.workers.cluster import FailedTask, WorkersError, run_tasks, workers_of

Progress = Callable[[int, int], None]


def reduce_dwells(
    tasks: Sequence[DwellTask], workers: int, scheduler: str | None, progress: Progress
) -> list[DwellShots]:
    """Reduce dwells; results are in the order of the tasks and do not depend on the number of workers.

    Parameters
    ----------
    tasks : sequence of DwellTask
    workers : int
        Number of local processes; 1: this process only.
    scheduler : str, optional
        Address of a running Dask scheduler instead; see `beamline.records.workers.cluster.workers_of`.
    progress : callable
        Called with the numbers of finished and of all dwells.

    Raises
    ------
    WorkersError
        If there are no workers, or naming the dwells that failed.
    beamline.config.secrets.SecretError
        If others can read the key of this machine's certificate.
    """
    results: dict[int, DwellShots] = {}
    failed: list[str] = []

    def finished(index: int, result: DwellShots | FailedTask) -> None:
        if isinstance(result, FailedTask):
            failed.append(str(result))
        else:
            results[index] = result
        progress(len(results) + len(failed), len(tasks))

    if scheduler is None and workers == 1:
        for index, task in enumerate(tasks):
            finished(index, reduce_dwell(task))
    else:
        with workers_of(scheduler, workers) as client:
            run_tasks(client, reduce_dwell, tasks, [_name(task) for task in tasks], finished)
    if failed:
        raise WorkersError(f"{len(failed)} of {len(tasks)} dwells failed: {'; '.join(sorted(failed))}")
    return [results[index] for index in range(len(tasks))]


def _name(task: DwellTask) -> str:
    return f"{Path(task.path).name}, blocks {task.first} to {task.first + task.number - 1}"
