"""The first and the last record of a journal file, without reading what lies between."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from beamline.records.journal.errors import DamagedRecordError
from beamline.records.journal.files import try_lock
from beamline.records.journal.format import MAGIC, Record, last_size, record_size, unframe
from beamline.records.journal.read import read

HEAD = 2**14
"""Bytes that hold most start documents."""

Document = dict[str, Any]


def start_and_stop(path: Path) -> tuple[Document | None, Document | None]:
    """Start and stop documents of a run; None for one that is not there (yet).

    Two records are read where the file begins with its start and ends with its stop, else all of it.
    """
    try:
        with path.open("rb") as file:
            first, last = _first(file.fileno()), _last(file.fileno())
    except DamagedRecordError:
        first = last = None
    if first is not None and first.name == "start" and last is not None and last.name == "stop":
        return first.doc, last.doc
    documents = read(path)
    start, stop = (next((doc for name, doc in documents if name == kind), None) for kind in ("start", "stop"))
    return start, stop


def start_of(path: Path) -> Document | None:
    """The start document of a run, if its file begins with it."""
    try:
        with path.open("rb") as file:
            first = _first(file.fileno())
    except (DamagedRecordError, FileNotFoundError):
        return None
    return first.doc if first is not None and first.name == "start" else None


def is_being_written(path: Path) -> bool:
    """Whether a living process holds the file open for writing."""
    with path.open("rb") as file:
        return not try_lock(file.fileno())


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
