"""Starts and ends the softioc server of `soft_ioc.py`."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0


@contextmanager
def soft_ioc(prefix: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve the records below `prefix` while in the block."""
    command = [sys.executable, str(Path(__file__).with_name("soft_ioc.py")), prefix]
    with run_until_ready(command, environment):
        yield


@contextmanager
def run_until_ready(command: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Run a server for the time of the block, after it has printed ``ready``.

    The server ends with its standard input, so it cannot outlive this process.
    """
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read_lines, args=(process, lines), daemon=True)
    reader.start()
    try:
        while (line := lines.get(timeout=START_TIMEOUT)) != "ready":
            if line == "end":
                raise RuntimeError("the softioc server did not start")
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(STOP_TIMEOUT)
        process.stdout.close()


def _read_lines(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line.rstrip("\n"))
    lines.put("end")
