"""A session in a process of its own, which a campaign can kill, freeze and signal."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.violation import ViolationError

ROOT = Path(__file__).parents[2]


class DrivenSession:
    """A session process that takes commands, and whose reports are collected.

    Attributes
    ----------
    reports : list of dict
        All reports of the process, in order.
    """

    def __init__(self, root: Path, prefix: str, clock_rate: float, log: Path, catalogue: str) -> None:
        command = [sys.executable, "-m", "tests.chaos.session_process", str(root), prefix, f"{clock_rate:g}"]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, catalogue],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.reports: list[dict[str, Any]] = []
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def command(self, do: str, **entries: Any) -> None:
        """Send a command."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **entries}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # the process has died, which `wait_for` detects

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], timeout: float) -> dict[str, Any] | None:
        """The next report that is `wanted`; None if the process ends before it.

        Raises
        ------
        ViolationError
            On timeout.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                entry = self._lines.get(timeout=0.05)
            except queue.Empty:
                if self.process.poll() is not None and not self._reader.is_alive() and self._lines.empty():
                    return None
                continue
            self.reports.append(entry)
            if wanted(entry):
                return entry
        raise ViolationError(f"no report of the session within {timeout:g} s; the last ones: {self.reports[-3:]}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is alive."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the process, and collect its last reports."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.gather()

    def gather(self) -> None:
        """Collect the remaining reports of a process that has ended, and close its pipes."""
        self._reader.join(10)
        while not self._lines.empty():
            self.reports.append(self._lines.get())
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                self._lines.put({"kind": "output", "line": line.rstrip()})


def stop_for(pid: int, seconds: float) -> None:
    """Freeze a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
