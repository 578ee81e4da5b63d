"""Tasks on Dask workers: which may be lost in mid-task, and must have this program's versions."""

from __future__ import annotations

import platform
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from beamline.config.secrets import read_secret, refuse_secret
from beamline.records.provenance import versions

T = TypeVar("T")
R = TypeVar("R")
SCHEDULER_TIMEOUT = 10.0
"""Connection timeout of a scheduler, s."""
WITHOUT_WORKERS = 60.0
"""Time for which workers may be absent while tasks wait, s."""
AHEAD = 4
"""Tasks queued per worker: enough to avoid idling, few enough to save memory."""
OF_NUMBERS = ("trxas", "commit", "numpy", "numba", "scipy")
"""Versions on which the bits of a result may depend; and that of Python."""


class WorkersError(Exception):
    """There are no workers, or tasks failed; the message has the reason and a remedy."""


@dataclass(frozen=True)
class FailedTask:
    """A task that raised an error, or lost every worker that tried it."""

    name: str
    error: str

    def __str__(self) -> str:
        return f"{self.name}: {self.error}"


@contextmanager
def workers_of(scheduler: str | None, number: int = 1) -> Iterator[Any]:
    """A Dask client of a running scheduler, or of local processes.

    Parameters
    ----------
    scheduler : str or None
        Address of a scheduler. Its workers need the same files, and the same versions of this program and its numerics.
    number : int
        Local processes, without a scheduler.

    Raises
    ------
    WorkersError
        If Dask is not installed, the scheduler does not reply or has no workers, or the versions of one differ.
    beamline.config.secrets.SecretError
        If others can read the key of this machine's certificate.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise WorkersError("several workers need Dask: install the extra `scale`, or use --workers 1") from error
    if scheduler is None:
        # The scheduler has an HTTP server even without a dashboard: on any free port, so that two reductions can run.
        http = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
        local = {"host": "127.0.0.1", "dashboard_address": None, "scheduler_kwargs": http, "threads_per_worker": 1}
        with LocalCluster(n_workers=number, processes=True, **local) as cluster, Client(cluster) as client:
            yield client
        return
    _require_safe_key(scheduler)
    try:
        client = Client(scheduler, timeout=SCHEDULER_TIMEOUT)
    except (OSError, ValueError, TypeError) as error:  # TypeError: there is no certificate for tls://
        raise WorkersError(f"the Dask scheduler {scheduler} does not reply: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=SCHEDULER_TIMEOUT)
        except TimeoutError as error:
            raise WorkersError(f"the Dask scheduler {scheduler} has no workers: start some (dask worker)") from error
        _require_versions(client)
        yield client


def _require_safe_key(scheduler: str) -> None:
    """Refuse a secret in an address, and a key that is not its owner's alone."""
    import dask

    refuse_secret(scheduler, "--scheduler", "certificates, which Dask's configuration names")
    if key := dask.config.get("distributed.comm.tls.client.key", None):
        read_secret(Path(key))


def numerics() -> dict[str, str]:
    """Versions of this process on which the bits of a result may depend."""
    known = versions()
    return {"python": platform.python_version(), **{key: known[key] for key in OF_NUMBERS if key in known}}


def _require_versions(client: Any) -> None:
    found = client.run(numerics, on_error="return")
    wrong = [f"worker {address} {fault}" for address, theirs in found.items() if (fault := _differs(theirs))]
    if wrong:
        raise WorkersError(f"{'; '.join(wrong)}: bits of results may differ; install requirements.lock in both places")


def _differs(theirs: Any) -> str:
    """What a worker has other than this process; empty if nothing."""
    if not isinstance(theirs, dict):
        return f"cannot run this program ({theirs})"
    ours = numerics()
    other = [f"{key} {theirs.get(key)}" for key in ours if theirs.get(key) != ours[key]]
    here = [f"{key} {ours[key]}" for key in ours if theirs.get(key) != ours[key]]
    return f"has {', '.join(other)}, here is {', '.join(here)}" if other else ""


def _run_checked(expected: dict[str, str], function: Callable[[Any], Any], task: Any) -> Any:
    """In a worker, which may have come after the check of all."""
    if numerics() != expected:
        raise WorkersError(f"this worker has other versions: {numerics()}")
    return function(task)


def run_tasks(
    client: Any,
    function: Callable[[T], R],
    tasks: Sequence[T],
    names: Sequence[str],
    finished: Callable[[int, R | FailedTask], None],
) -> None:
    """Run a function on each task; a task of a worker that is lost starts anew on another one.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        Of a module that the workers have.
    tasks : sequence
    names : sequence of str
        What messages call the tasks.
    finished : callable
        Called as tasks finish, in any order, with their index and result.

    Raises
    ------
    WorkersError
        If the scheduler is lost, or has no workers for a while.
    """
    waiting = iter(range(len(tasks)))
    running: dict[Any, int] = {}
    checked = partial(_run_checked, numerics(), function)
    seen = time.monotonic()
    while True:
        here = _number_of_workers(client)
        for index in islice(waiting, max(0, max(1, here) * AHEAD - len(running))):
            running[client.submit(checked, tasks[index], pure=False)] = index
        if not running:
            return
        done = _some_done(list(running))
        if done or here:
            seen = time.monotonic()
        elif time.monotonic() - seen > WITHOUT_WORKERS:
            raise WorkersError(f"all workers are gone, {len(running)} tasks wait: start some (dask worker) and repeat")
        for future in done:
            index = running.pop(future)
            finished(index, _result(future, names[index]))
            future.release()


def _number_of_workers(client: Any) -> int:
    try:
        return len(client.nthreads())
    except (OSError, RuntimeError, AttributeError) as error:  # AttributeError: it is not connected any more
        raise WorkersError(f"the Dask scheduler is lost ({error}): start it and repeat") from error


def _some_done(futures: list[Any]) -> list[Any]:
    """Those that have finished, after a second without any."""
    from distributed import wait

    try:
        return list(wait(futures, timeout=1.0, return_when="FIRST_COMPLETED").done)
    except (TimeoutError, CancelledError):
        return [future for future in futures if future.done()]


def _result(future: Any, name: str) -> Any:
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise WorkersError(f"the Dask scheduler is lost (with {name} under way): start it and repeat")
    try:
        return future.result()
    except KilledWorker as error:
        return FailedTask(name, f"every worker that tried it died, the last one {error.last_worker.address}")
    except Exception as error:  # noqa: BLE001 whatever a task raises, the others go on, and it is named
        return FailedTask(name, f"{type(error).__name__}: {error}")
