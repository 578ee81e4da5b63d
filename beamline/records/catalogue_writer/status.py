"""Status of the catalogue writer for other processes: a small JSON file, replaced atomically."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from beamline.config.own_files import read_own, replace_file
from beamline.records.journal.files import journal_directory

OFFLINE = "catalogue offline, spooling"
COPYING = "copying"
UP_TO_DATE = "up to date"
STOPPED = "stopped"


@dataclass(frozen=True)
class WriterStatus:
    """Status of the catalogue writer at one time.

    Attributes
    ----------
    state : str
        "up to date", "copying", "catalogue offline, spooling" or "stopped".
    message : str
        Reason, a sentence; may be empty.
    catalogue : str
        Address or directory.
    pid : int
        Process id of the catalogue writer.
    time : float
        Time of this status, seconds since 1970.
    runs_waiting : int
        Runs not completely stored.
    bytes_waiting : int
        Journal bytes not yet read.
    failing : dict
        Reasons why the catalogue rejects runs, by uid. They are retried.
    left_out : dict
        By uid: documents that do not fit a catalogue and are in the journal only.
    """

    state: str
    message: str
    catalogue: str
    pid: int = field(default_factory=os.getpid)
    time: float = field(default_factory=time.time)
    runs_waiting: int = 0
    bytes_waiting: int = 0
    failing: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        line = f"catalogue: {self.state}" if self.state != OFFLINE else self.state
        if self.runs_waiting:
            line += f" ({self.runs_waiting} runs, {self.bytes_waiting / 1e6:.1f} MB waiting)"
        if self.failing:
            line += f"; rejected: {', '.join(uid[:8] for uid in self.failing)}"
        return f"{line}: {self.message}" if self.message else line


def writer_directory(root: str | Path) -> Path:
    """Directory of the catalogue writer's lock, positions and status for this journal."""
    return journal_directory(root) / "filler"


def read_status(root: str | Path) -> WriterStatus | None:
    """The last status of the catalogue writer, or None if none ever ran for this journal."""
    try:
        return WriterStatus(**json.loads(read_own(writer_directory(root) / "status.json")))
    except (OSError, ValueError, TypeError):
        return None  # nothing that a catalogue writer has written


def write_status(root: str | Path, status: WriterStatus) -> None:
    """Replace the status file."""
    replace_json(writer_directory(root) / "status.json", asdict(status))


def replace_json(path: Path, content: object) -> None:
    """Replace a JSON file atomically."""
    replace_file(path, json.dumps(content, indent=1).encode())
