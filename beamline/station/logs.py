"""Rotating logs below the data root, one line per entry."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from beamline.config.own_files import open_own

FOLDER = "log"
GATHER = 0.1
"""Seconds for which lines are gathered: waking the writing thread takes the caller longer than formatting a line."""
CLOSE_TIMEOUT = 2.0
"""Seconds for the last lines to reach the disk."""


class SizedFile(RotatingFileHandler):
    """Rotates a file by its size, checked by one fstat per line; the standard handler formats each line twice."""

    def _open(self) -> TextIOWrapper:
        """The file of this name, if it belongs to this user."""
        descriptor = open_own(Path(self.baseFilename), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        return open(descriptor, "a", encoding=self.encoding)  # noqa: PTH123

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        """Whether the file is full."""
        if self.stream is None:
            self.stream = self._open()
        return os.fstat(self.stream.fileno()).st_size >= self.maxBytes


class RotatingLog:
    """A log whose lines are written by a thread of its own, so that a put never waits for a disk.

    Parameters
    ----------
    file : logging.Handler
        Where the lines go.
    """

    def __init__(self, file: logging.Handler) -> None:
        self._file = file
        self._lines: queue.SimpleQueue[tuple[float, str] | threading.Event | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line, with the present time."""
        self._lines.put((time.time(), line))

    def flush(self) -> None:
        """Wait until all queued lines are written, at most `CLOSE_TIMEOUT`."""
        written = threading.Event()
        self._lines.put(written)
        self._hurry.set()
        written.wait(CLOSE_TIMEOUT)
        self._hurry.clear()

    def close(self) -> None:
        """Write the queued lines and close the file; give up after `CLOSE_TIMEOUT` if the disk hangs."""
        self._lines.put(None)
        self._hurry.set()
        self._thread.join(CLOSE_TIMEOUT)
        if not self._thread.is_alive():
            self._file.close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
            else:
                moment, text = line
                self._file.handle(logging.makeLogRecord({"created": moment, "msecs": 1e3 * (moment % 1), "msg": text}))
            if self._lines.empty():
                self._hurry.wait(GATHER)


def rotating_log(root: Path, name: str, size: int = 1_000_000, files: int = 5) -> RotatingLog:
    """A log that is rotated at `size` bytes and keeps `files` old files."""
    path = root / FOLDER / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = SizedFile(path, maxBytes=size, backupCount=files, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return RotatingLog(handler)
