"""Reading the journal: one run, or everything as it grows."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

from beamline.records.journal.errors import DamagedRecordError, JournalError
from beamline.records.journal.files import SUFFIX, journal_directory, run_files, uid_of
from beamline.records.journal.format import MAGIC, Record, record_size, unframe

logger = logging.getLogger(__name__)

CHUNK = 4 * 2**20
"""Bytes read from one file at a time."""


class RunReader:
    """Reads the documents of one file, each once, as far as they are whole.

    `documents` may be called again and again while the file grows. A half-written record is left for the next call.
    Bytes that are not what was written stop the reader there; `damage` then says so (a writer that is cutting back a
    failed record looks the same for a moment, so the next call tries again).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uid = uid_of(path)
        self.offset = 0
        self.stopped = False
        self.damage: str | None = None
        self._looked: tuple[int, int] | None = None

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The documents written since the last call."""
        while documents := self.next_documents():
            yield from documents

    def next_documents(self) -> list[tuple[str, dict[str, Any]]]:
        """The same, a piece of the file at a time (some megabytes); empty when nothing more is whole."""
        try:
            with self.path.open("rb") as file:
                records = self._parse(file.fileno())
        except FileNotFoundError:
            return []
        self.stopped = self.stopped or any(record.name == "stop" for record in records)
        return [(record.name, record.doc) for record in records]

    def grown(self) -> bool:
        """Whether the file has changed since the last look and holds bytes that were not read."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        return status.st_size > self.offset and (status.st_size, status.st_mtime_ns) != self._looked

    @property
    def seen_size(self) -> int:
        """Bytes that the file had at the last look; all of it that was whole has been read."""
        return self._looked[0] if self._looked else self.offset

    def look_again(self) -> None:
        """Forget that the last look found nothing whole."""
        self._looked = None

    def _parse(self, descriptor: int) -> list[Record]:
        status = os.fstat(descriptor)
        self._looked = (status.st_size, status.st_mtime_ns)
        buffer = os.pread(descriptor, CHUNK, self.offset)
        records: list[Record] = []
        position = 0
        try:
            position = 0 if self.offset else _after_magic(buffer)
            size = record_size(buffer, position)
            if size is not None and len(buffer) < position + size <= status.st_size - self.offset:
                buffer = os.pread(descriptor, position + size, self.offset)
            while record := unframe(buffer, position):
                records.append(record)
                position = record.end
            self.damage = None
        except DamagedRecordError as error:
            self.damage = f"{self.path.name} is damaged after byte {self.offset + position}: {error}"
        self.offset += position
        if records:
            self._looked = None  # there may be more than one piece
        return records


def _after_magic(buffer: bytes) -> int:
    if not MAGIC.startswith(buffer[: len(MAGIC)]):
        raise DamagedRecordError("it does not begin as a journal file")
    return len(MAGIC) if len(buffer) >= len(MAGIC) else 0


def read(path: str | Path) -> list[tuple[str, dict[str, Any]]]:
    """All whole documents of one run, in the order in which they were written.

    A record that is still being written, or was cut off, is left out. Damage ends the list and is logged.

    Raises
    ------
    JournalError
        When there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise JournalError(f"There is no journal file {path}.")
    reader = RunReader(path)
    documents = list(reader.documents())
    if reader.damage:
        logger.warning("%s; the rest is left out, `repair` sets it aside", reader.damage)
    return documents


class RunFolder:
    """The files of a journal; lists the folder again only when it has changed.

    Parameters
    ----------
    root : path
        The data root.
    """

    def __init__(self, root: str | Path) -> None:
        self._directory = journal_directory(root)
        self._listed_ns = -1
        self.paths: dict[Path, None] = {}

    def new(self) -> list[Path]:
        """Files that were not there at the last call, the earliest run first."""
        try:
            changed_ns = self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        # A file made within the time stamp's grain after a listing would be missed: list again while it is young.
        if changed_ns == self._listed_ns and time.time_ns() - changed_ns > 1_000_000_000:
            return []
        self._listed_ns = changed_ns
        found = [path for path in run_files(self._directory) if path not in self.paths]
        self.paths.update(dict.fromkeys(found))
        return found


class DirectoryReader:
    """Follows all files of a journal. Runs that have stopped are looked at less often.

    Parameters
    ----------
    root : path
        The data root, or one journal file.
    newest : int, optional
        Of the files that are there already, read only the last so many.
    """

    LOOK_AGAIN = 1.0
    """Seconds between looks at runs that have stopped."""

    def __init__(self, root: str | Path, newest: int | None = None) -> None:
        path = Path(root)
        self._folder = RunFolder(path)
        self._readers: dict[Path, RunReader] = {}
        self._looked = -self.LOOK_AGAIN
        self._reported: set[str] = set()
        self._single = path.suffix == SUFFIX
        if self._single:
            self._readers[path] = RunReader(path)
        elif newest is not None:
            there = self._folder.new()
            self._add(there[len(there) - min(newest, len(there)) :])

    def poll(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """What was written since the last call, file by file, as (run uid, name, document)."""
        if not self._single:
            self._add(self._folder.new())
        look_at_all = time.monotonic() - self._looked >= self.LOOK_AGAIN
        if look_at_all:
            self._looked = time.monotonic()
        for reader in list(self._readers.values()):
            if look_at_all:
                reader.look_again()
            if (look_at_all or not reader.stopped) and reader.grown():
                for name, doc in reader.documents():
                    yield reader.uid, name, doc
                self._report(reader)

    def _add(self, paths: list[Path]) -> None:
        self._readers.update({path: RunReader(path) for path in paths})

    def _report(self, reader: RunReader) -> None:
        if reader.damage and reader.damage not in self._reported:
            self._reported.add(reader.damage)
            logger.warning("%s; the reader waits there", reader.damage)


def tail(
    root: str | Path,
    *,
    follow: bool = False,
    stop: Event | Callable[[], bool] | None = None,
    newest: int | None = None,
    interval: float = 0.02,
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (run uid, name, document) from the beginning, in each run's order of writing.

    Parameters
    ----------
    root : path
        The data root, or one journal file.
    follow : bool
        Go on with what comes later, new runs included, until `stop`. Otherwise end with what is there.
    stop : threading.Event or callable, optional
        Ends a following tail: an event that is set, or a function that returns True.
    newest : int, optional
        Of the runs that are there already, only the last so many.
    interval : float
        Seconds between looks while following.
    """
    ended = stop.is_set if isinstance(stop, Event) else stop or (lambda: False)
    reader = DirectoryReader(root, newest)
    while not ended():
        idle = True
        for item in reader.poll():
            idle = False
            yield item
            if ended():
                return
        if not follow:
            return
        if idle:
            time.sleep(interval)
