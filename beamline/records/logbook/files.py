"""Files of the logbook: in the journal's folder and format, one for each account that writes.

Sessions, commands and pages of one account append to the same file, each document under the file's lock and synced to
disk before the call returns. Several accounts never need to write each other's files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from beamline.records.journal.errors import JournalError
from beamline.records.journal.files import journal_directory
from beamline.records.journal.format import frame
from beamline.records.journal.read import RunReader
from beamline.records.journal.run import RunFile
from beamline.records.logbook.entries import Correction, Note, correction_of, note_of

NAME, SUFFIX = "logbook-", ".notes"
NOTE, CORRECTION = "note", "correction"


def logbook_files(root: str | Path) -> list[Path]:
    """All files of the logbook of a data root."""
    return sorted(path for path in journal_directory(root).glob(f"{NAME}*{SUFFIX}") if not path.is_symlink())


def append(root: str | Path, entry: Note | Correction) -> None:
    """Store a note or correction; when the call returns, it is on disk.

    Raises
    ------
    JournalError
        If there is no such data root, the disk is full or fails, or the file is foreign. Nothing partial remains.
    """
    name = NOTE if isinstance(entry, Note) else CORRECTION
    record = frame(name, entry.document())
    folder = journal_directory(root)
    if not folder.parent.is_dir():
        raise JournalError(f"There is no data root {folder.parent}; name the right one (--config, --data).")
    try:
        folder.mkdir(exist_ok=True)
        with closing(RunFile(folder / f"{NAME}{os.geteuid()}{SUFFIX}")) as file:
            file.append(record)
            file.sync()
    except OSError as error:
        raise JournalError(f"The logbook in {folder} cannot be written: {error.strerror or error}.") from error


class LogbookReader:
    """Reads the logbook of a data root, and follows it as it grows.

    Attributes
    ----------
    notes, corrections : list
        All so far, the earliest first. The order in a file outweighs its clock.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = root
        self._readers: dict[Path, RunReader] = {}
        self._ranked: list[tuple[float, Note | Correction]] = []
        self._latest: dict[Path, float] = {}

    @property
    def notes(self) -> list[Note]:
        return [entry for _, entry in self._ranked if isinstance(entry, Note)]

    @property
    def corrections(self) -> list[Correction]:
        return [entry for _, entry in self._ranked if isinstance(entry, Correction)]

    @property
    def problems(self) -> list[str]:
        """Descriptions of what could not be read."""
        return [problem for reader in self._readers.values() for problem in reader.problems]

    def poll(self) -> list[Note | Correction]:
        """Read what was written since the last call; returns it."""
        new = []
        for path in logbook_files(self._root):
            reader = self._readers.setdefault(path, RunReader(path))
            for entry in map(_entry_of, reader.documents() if reader.grown() else ()):
                if entry is not None:
                    self._latest[path] = max(self._latest.get(path, entry.time), entry.time)
                    new.append((self._latest[path], entry))
        self._ranked = sorted([*self._ranked, *new], key=lambda ranked: ranked[0])
        return [entry for _, entry in new]

    def notes_by_run(self) -> dict[str, tuple[Note, ...]]:
        """Notes by the uid of their raw run; those between runs have none."""
        found: dict[str, list[Note]] = {}
        for note in self.notes:
            found.setdefault(note.run, []).append(note)
        return {run: tuple(notes) for run, notes in found.items() if run}


def _entry_of(item: tuple[str, Mapping[str, Any]]) -> Note | Correction | None:
    name, doc = item
    if name == NOTE:
        return note_of(doc)
    return correction_of(doc) if name == CORRECTION else None


def read_logbook(root: str | Path) -> LogbookReader:
    """The logbook as it is now."""
    reader = LogbookReader(root)
    reader.poll()
    return reader
