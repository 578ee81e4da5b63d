"""Reduces many dwells: in this process, in local processes, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from beamline.config.secrets import read_secret, refuse_secret
from beamline.records.shot_files.dwells import DwellShots, DwellTask, reduce_dwell

Progress = Callable[[int, int], None]
SCHEDULER_TIMEOUT = 10.0
"""Connection timeout of a scheduler, s."""
AHEAD = 4
"""Tasks queued per worker: enough to avoid idling, few enough to save memory."""


class WorkersError(Exception):
    """There are no workers; the message has the reason and a remedy."""


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
        Address of a running Dask scheduler instead. Its workers need the same files and the same version of this code.
    progress : callable
        Called with the numbers of finished and of all dwells.

    Raises
    ------
    WorkersError
        If Dask is needed but not installed, or the scheduler does not reply or has no workers.
    beamline.config.secrets.SecretError
        If others can read the key of this machine's certificate.
    """
    if scheduler is None and workers == 1:
        done = []
        for task in tasks:
            done.append(reduce_dwell(task))
            progress(len(done), len(tasks))
        return done
    with _client(workers, scheduler) as client:
        return _distributed(client, tasks, progress)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise WorkersError("several workers need Dask: install the extra `scale`, or use --workers 1") from error
    if scheduler is not None:
        _require_safe_key(scheduler)
        try:
            client = Client(scheduler, timeout=SCHEDULER_TIMEOUT)
        except (OSError, ValueError, TypeError) as error:  # TypeError: there is no certificate for tls://
            raise WorkersError(f"the Dask scheduler {scheduler} does not reply: {error}") from error
        with client:
            try:
                client.wait_for_workers(1, timeout=SCHEDULER_TIMEOUT)
            except TimeoutError as error:
                raise WorkersError(
                    f"the Dask scheduler {scheduler} has no workers: start some (dask worker)"
                ) from error
            yield client
        return
    # The scheduler has an HTTP server even without a dashboard: on any free port, so that two reductions can run.
    http = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    local = {"host": "127.0.0.1", "dashboard_address": None, "scheduler_kwargs": http, "threads_per_worker": 1}
    with LocalCluster(n_workers=workers, processes=True, **local) as cluster, Client(cluster) as client:
        yield client


def _require_safe_key(scheduler: str) -> None:
    """Refuse a secret in an address, and a key that is not its owner's alone."""
    import dask

    refuse_secret(scheduler, "--scheduler", "certificates, which Dask's configuration names")
    if key := dask.config.get("distributed.comm.tls.client.key", None):
        read_secret(Path(key))


def _distributed(client: Any, tasks: Sequence[DwellTask], progress: Progress) -> list[DwellShots]:
    """Keep a few tasks queued at each worker; counts are returned, never shots."""
    from distributed import as_completed

    number = max(1, len(client.scheduler_info()["workers"])) * AHEAD
    results: dict[int, DwellShots] = {}
    waiting = iter(enumerate(tasks))

    def submit(index: int, task: DwellTask) -> Any:
        future = client.submit(reduce_dwell, task, pure=False)
        indices[future.key] = index
        return future

    indices: dict[str, int] = {}
    running = as_completed([submit(*each) for each in islice(waiting, number)])
    for future in running:
        results[indices[future.key]] = future.result()
        future.release()
        progress(len(results), len(tasks))
        for each in islice(waiting, 1):
            running.add(submit(*each))
    return [results[index] for index in range(len(tasks))]
