"""The newest lines of the logs of puts and of suspensions, and the newest notes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from beamline.config.own_files import open_own
from beamline.formatting import printable
from beamline.records.logbook import LogbookReader

LINES = 100
TAIL = 30_000
"""Bytes read from the end of a log."""
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} (.*)")


class LogTail:
    """The newest lines of a log below a data root; read again only if the file has changed.

    Parameters
    ----------
    root : Path
    name : str
        Of the log: ``puts`` or ``suspensions``.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._path = root / "log" / f"{name}.log"
        self._seen: tuple[int, int] | None = None
        self._lines: list[dict[str, str]] = []

    def lines(self) -> list[dict[str, str]]:
        """Time and text, the newest first; empty without a log."""
        try:
            status = self._path.stat(follow_symlinks=False)
            if (status.st_size, status.st_mtime_ns) != self._seen:
                self._seen = status.st_size, status.st_mtime_ns
                self._lines = self._read(status.st_size)
        except OSError:
            self._seen, self._lines = None, []
        return self._lines

    def _read(self, size: int) -> list[dict[str, str]]:
        descriptor = open_own(self._path, os.O_RDONLY)
        try:
            text = os.pread(descriptor, TAIL, max(0, size - TAIL)).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
        found = [match for line in text.splitlines() if (match := LINE.fullmatch(line))]
        return [{"time": match[1], "text": printable(match[2])} for match in found[-LINES:]][::-1]


class Notes:
    """The newest notes of a logbook.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self._reader = LogbookReader(root)

    def lines(self) -> list[dict[str, Any]]:
        """Notes, the newest first."""
        self._reader.poll()
        return [
            {
                "time": note.time, "who": printable(note.who), "text": [printable(line) for line in
                note.tagged_text().splitlines()], "run": printable(note.run)[:8], "dwell": note.dwell,
            }
            for note in self._reader.notes[-LINES:][::-1]
        ]  # fmt: skip
