"""Reading one run of the journal, also while it grows."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beamline.records.journal.errors import DamagedRecordError, ForeignFileError, JournalError
from beamline.records.journal.files import open_run, uid_of
from beamline.records.journal.fitness import orphans_removed, unfit
from beamline.records.journal.format import DAMAGED, MAGIC, Record, record_size, unframe
from beamline.records.journal.salvage import skip_damage

logger = logging.getLogger(__name__)


CHUNK = 4 * 2**20
"""Bytes read from one file at a time."""


class RunReader:
    """Reads the complete documents of one file, each once.

    `documents` may be called repeatedly while the file grows. A half-written record is left for the next call.
    Damaged bytes are skipped if a complete record follows; otherwise the reader stops, and `damage` has the reason
    (a writer that is cutting back a failed record looks the same for a moment, so the next call tries again).

    Attributes
    ----------
    skipped : list of str
        Descriptions of what was skipped: damaged bytes and unusable documents.
    gaps : dict
        Skipped ranges of damaged bytes (first, one after the last), each with its description.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uid = uid_of(path)
        self.offset = 0
        self.stopped = False
        self.damage: str | None = None
        self.skipped: list[str] = []
        self.gaps: dict[tuple[int, int], str] = {}
        self._looked: tuple[int, int] | None = None

    @property
    def problems(self) -> list[str]:
        """Descriptions of what could not be read."""
        return [*self.skipped, *([self.damage] if self.damage else [])]

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The documents written since the last call."""
        while documents := self.next_documents():
            yield from documents

    def next_documents(self) -> list[tuple[str, dict[str, Any]]]:
        """The same, some megabytes of the file at a time; empty if no complete document is left."""
        try:
            descriptor = open_run(self.path)
        except FileNotFoundError:
            return []
        except ForeignFileError as error:
            self.damage = str(error)
            return []
        try:
            documents: list[tuple[str, dict[str, Any]]] = []
            begin = -1
            while not documents and self.offset > begin:
                begin = self.offset
                documents = self._fit(self._parse(descriptor))
        finally:
            os.close(descriptor)
        self.stopped = self.stopped or any(name == "stop" for name, _ in documents)
        return documents

    def grown(self) -> bool:
        """Whether the file has changed since the last read and has unread bytes."""
        try:
            status = self.path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return status.st_size > self.offset and (status.st_size, status.st_mtime_ns) != self._looked

    @property
    def seen_size(self) -> int:
        """Size of the file at the last read; all complete documents up to there have been read."""
        return self._looked[0] if self._looked else self.offset

    def look_again(self) -> None:
        """Read again even if the last read found nothing complete."""
        self._looked = None

    def _parse(self, descriptor: int) -> list[Record]:
        status = os.fstat(descriptor)
        self._looked = (status.st_size, status.st_mtime_ns)
        buffer = os.pread(descriptor, CHUNK, self.offset)
        records: list[Record] = []
        position = 0
        self.damage = None
        try:
            position = 0 if self.offset else _after_magic(buffer)
            size = record_size(buffer, position)
            if size is not None and len(buffer) < position + size <= status.st_size - self.offset:
                buffer = os.pread(descriptor, position + size, self.offset)
            while record := unframe(buffer, position):
                records.append(record)
                position = record.end
            self.offset += position
            if not records:  # a damaged length looks like an incomplete record
                self._skip(descriptor, status.st_size, "a record claims more bytes than there are")
        except DamagedRecordError as error:
            self.offset += position
            if not self._skip(descriptor, status.st_size, str(error)):
                self.damage = f"{self.path.name} is damaged after byte {self.offset}: {error}"
        if records:
            self._looked = None  # there may be more than one piece
        return records

    def _skip(self, descriptor: int, size: int, why: str) -> bool:
        """Resume after damage, if a complete record follows."""
        found = skip_damage(descriptor, self.offset, size)
        if found is None:
            return False
        message = f"{self.path.name}: {found - self.offset} bytes from byte {self.offset} are damaged ({why})"
        self.gaps[self.offset, found] = message
        self.skipped.append(message)
        self.offset = found
        return True

    def _fit(self, records: list[Record]) -> list[tuple[str, dict[str, Any]]]:
        """The documents without unusable ones."""
        fit = []
        for record in records:
            if record.name == DAMAGED:
                self.skipped.append(str(record.doc.get("damage", "damaged")))
            elif why := unfit(record.name, record.doc):
                self.skipped.append(f"{self.path.name}: the {record.name} document before byte {record.end}: {why}")
            elif record.name == "start" and record.doc["uid"] != self.uid:
                self.skipped.append(f"{self.path.name}: its start document is that of another run")
            else:
                fit.append((record.name, record.doc))
        return fit


def _after_magic(buffer: bytes) -> int:
    if not MAGIC.startswith(buffer[: len(MAGIC)]):
        raise DamagedRecordError("it does not begin as a journal file")
    return len(MAGIC) if len(buffer) >= len(MAGIC) else 0


def read(path: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """All complete documents of one run, in the order of writing.

    An incomplete record is left out. Damage is skipped and logged; events whose
    descriptor was lost with it are left out as well.

    Raises
    ------
    JournalError
        When there is no such file.
    """
    documents, problems = read_with_problems(path)
    for problem in problems:
        logger.warning("%s; `trxas repair` sets it aside", problem)
    return orphans_removed(documents) if problems else documents


def read_with_problems(path: str | Path) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """All complete documents of one run, and descriptions of what could not be read.

    Raises
    ------
    JournalError
        When there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise JournalError(f"There is no journal file {path}.")
    reader = RunReader(path)
    return list(reader.documents()), reader.problems
