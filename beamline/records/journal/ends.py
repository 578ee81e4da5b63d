"""The first and the last record of a journal file, without reading those in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from beamline.records.journal.errors import DamagedRecordError, ForeignFileError, JournalError
from beamline.records.journal.files import open_run, try_lock
from beamline.records.journal.fitness import unfit
from beamline.records.journal.format import MAGIC, Record, last_size, record_size, unframe
from beamline.records.journal.read import read

HEAD = 2**14
"""Bytes to read for most start documents."""

Document = dict[str, Any]
Found = TypeVar("Found")


def start_and_stop(path: Path) -> tuple[Document | None, Document | None]:
    """Start and stop documents of a run; None if missing or unusable.

    Reads two records if the file begins with its start and ends with its stop document, otherwise all of it.
    """
    ends = _ends(path)
    if ends is not None:
        return ends
    try:
        documents = read(path)
    except JournalError:  # moved away meanwhile
        return None, None
    start, stop = (next((doc for name, doc in documents if name == kind), None) for kind in ("start", "stop"))
    return start, stop


def start_of(path: Path) -> Document | None:
    """The start document of a run, if its file begins with it and it is usable."""
    return _looked_at(path, lambda descriptor: _of_use(_first(descriptor), "start"))


def ends_with_stop(path: Path) -> bool:
    """Whether the last record is a complete stop document; reads only that record."""
    return _looked_at(path, lambda descriptor: _of_use(_last(descriptor), "stop")) is not None


def is_being_written(path: Path) -> bool:
    """Whether a running process has the file open for writing."""
    return bool(_looked_at(path, lambda descriptor: not try_lock(descriptor)))


def _ends(path: Path) -> tuple[Document, Document] | None:
    return _looked_at(path, lambda d: _both(_of_use(_first(d), "start"), _of_use(_last(d), "stop")))


def _both(start: Document | None, stop: Document | None) -> tuple[Document, Document] | None:
    return (start, stop) if start is not None and stop is not None else None


def _looked_at(path: Path, look: Callable[[int], Found | None]) -> Found | None:
    """Result of reading an open file; None if it is missing, foreign, or damaged there."""
    try:
        descriptor = open_run(path)
    except (FileNotFoundError, ForeignFileError):
        return None
    try:
        return look(descriptor)
    except DamagedRecordError:
        return None
    finally:
        os.close(descriptor)


def _of_use(record: Record | None, name: str) -> Document | None:
    if record is None or record.name != name or unfit(name, record.doc):
        return None
    return record.doc


def _first(descriptor: int) -> Record | None:
    buffer = os.pread(descriptor, HEAD, 0)
    if not buffer.startswith(MAGIC):
        raise DamagedRecordError("it does not begin as a journal file")
    size = record_size(buffer, len(MAGIC))
    if size is not None and size > len(buffer) - len(MAGIC):
        buffer = os.pread(descriptor, len(MAGIC) + size, 0)
    return unframe(buffer, len(MAGIC))


def _last(descriptor: int) -> Record | None:
    size = os.fstat(descriptor).st_size
    if size < len(MAGIC) + 4:
        return None
    length = last_size(os.pread(descriptor, 4, size - 4))
    if length > size - len(MAGIC):
        return None
    return unframe(os.pread(descriptor, length, size - length), 0)
