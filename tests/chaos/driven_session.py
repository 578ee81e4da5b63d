"""The session of a campaign, in a process that may be killed, frozen and signalled."""

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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class ViolationError(AssertionError):
    """Something that must hold does not."""


class DrivenSession:
    """A session process: orders go in, what it says comes out and is kept.

    Attributes
    ----------
    said : list of dict
        All that it said, in order.
    """

    def __init__(self, root: Path, prefix: str, clock_rate: float, log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.session_process", str(root), prefix, f"{clock_rate:g}"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.said: list[dict[str, Any]] = []
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def order(self, do: str, **entries: Any) -> None:
        """Tell it to do something."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **entries}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # it has died; whoever waits for its answer finds out

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], timeout: float) -> dict[str, Any] | None:
        """What it says that is wanted; None when it ends before it says so.

        Raises
        ------
        ViolationError
            When it says nothing of the kind in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                entry = self._lines.get(timeout=0.05)
            except queue.Empty:
                if self.process.poll() is not None and not self._reader.is_alive() and self._lines.empty():
                    return None
                continue
            self.said.append(entry)
            if wanted(entry):
                return entry
        raise ViolationError(f"the session says nothing for {timeout:g} s; its last words: {self.said[-3:]}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, and take in what it had said."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.gather()

    def gather(self) -> None:
        """Take in what it said until it ended."""
        self._reader.join(10)
        while not self._lines.empty():
            self.said.append(self._lines.get())

    def children(self) -> list[int]:
        """Processes that it has started and that live."""
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except FileNotFoundError:
            return []
        tasks = Path(f"/proc/{self.process.pid}/task")
        found = {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
        return sorted(found | {int(pid) for pid in text.split()})

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                self._lines.put({"said": "words", "line": line.rstrip()})


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that is dead and not yet waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def stop_for(pid: int, seconds: float) -> None:
    """Freeze a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
