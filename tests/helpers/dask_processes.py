"""A Dask scheduler and workers as processes of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.ioc_process import ROOT
from tests.helpers.ports import free_port


@contextmanager
def dask_process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """``dask`` with these arguments, terminated at the end."""
    command = [sys.executable, "-W", "ignore", "-m", "dask", *arguments]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def dask_scheduler() -> Iterator[str]:
    """Address of a scheduler without workers."""
    port = free_port()
    with dask_process("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"):
        yield f"tcp://127.0.0.1:{port}"


@contextmanager
def dask_worker(scheduler: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker without a nanny: nothing starts it again."""
    arguments = ("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
    with dask_process("worker", scheduler, *arguments) as process:
        yield process
