"""After a crash: set damage aside, and close runs that were cut off."""

from __future__ import annotations

import os
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamline.records.journal.errors import DamagedRecordError, JournalError
from beamline.records.journal.files import run_files, try_lock, uid_of
from beamline.records.journal.format import MAGIC, frame, last_size, unframe
from beamline.records.journal.read import RunReader, read


@dataclass(frozen=True)
class Repair:
    """What `repair` found: whole documents kept, and the file that holds the damaged rest, if there was any."""

    documents: int
    set_aside: Path | None


@dataclass(frozen=True)
class SealedRun:
    """A run that was cut off and now has its stop document."""

    uid: str
    plan_name: str
    num_events: dict[str, int]
    path: Path

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {stream}" for stream, count in self.num_events.items()) or "no events"
        return f"{self.uid[:8]} ({self.plan_name}; {counts})"


def repair(path: str | Path) -> Repair:
    """Keep every whole document of a file and set a damaged or cut-off rest aside as ``<file>.damaged-N``.

    Raises
    ------
    JournalError
        When a process is still writing the file, or there is no such file.
    """
    path = Path(path)
    descriptor = _open_locked(path)
    if descriptor is None:
        raise JournalError(f"A process is still writing {path}; end it, then repair the file.")
    try:
        return _repair(path, descriptor)
    finally:
        os.close(descriptor)


def seal(root: str | Path) -> list[SealedRun]:
    """Close each run that has no stop document and whose writer no longer lives, as interrupted.

    A half-written last record is set aside first. Runs of another living process are left alone.
    """
    sealed = []
    for path in run_files(root):
        if _ends_with_stop(path):
            continue
        descriptor = _open_locked(path)
        if descriptor is None:
            continue
        try:
            run = _seal(path, descriptor)
        finally:
            os.close(descriptor)
        if run is not None:
            sealed.append(run)
    return sealed


def _open_locked(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise JournalError(f"There is no journal file {path}.") from error
    if try_lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _repair(path: Path, descriptor: int) -> Repair:
    reader = RunReader(path)
    count = sum(1 for _ in reader.documents())
    size = os.fstat(descriptor).st_size
    set_aside = None
    if size > reader.offset:
        set_aside = _set_aside(path, descriptor, reader.offset)
        os.ftruncate(descriptor, reader.offset)
    if reader.offset == 0:
        os.write(descriptor, MAGIC)
    os.fsync(descriptor)
    return Repair(count, set_aside)


def _set_aside(path: Path, descriptor: int, offset: int) -> Path:
    """Copy what follows `offset` to a new side file, on disk before the original is cut."""
    number = 1
    while (side := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    with side.open("xb") as file:
        while piece := os.pread(descriptor, 2**20, offset):
            file.write(piece)
            offset += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return side


def _ends_with_stop(path: Path) -> bool:
    """Whether the last record is a whole stop document; reads no more of the file than that."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < len(MAGIC) + 4:
            return False
        length = last_size(os.pread(file.fileno(), 4, size - 4))
        if length > size - len(MAGIC):
            return False
        try:
            record = unframe(os.pread(file.fileno(), length, size - length), 0)
        except DamagedRecordError:
            return False
    return record is not None and record.name == "stop"


def _seal(path: Path, descriptor: int) -> SealedRun | None:
    _repair(path, descriptor)
    documents = read(path)
    start = next((doc for name, doc in documents if name == "start"), None)
    if start is None or any(name == "stop" for name, _ in documents):
        return None
    num_events = count_events(documents)
    os.write(descriptor, frame("stop", _stop_document(start, num_events)))
    os.fsync(descriptor)
    return SealedRun(uid_of(path), str(start.get("plan_name", "unknown plan")), num_events, path)


def _stop_document(start: dict[str, Any], num_events: dict[str, int]) -> dict[str, Any]:
    return {
        "uid": str(uuid.uuid4()),
        "time": time.time(),
        "run_start": start["uid"],
        "exit_status": "abort",
        "reason": "interrupted: the acquisition ended without closing this run",
        "num_events": num_events,
    }


def count_events(documents: list[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Events by stream; a sequence number that was taken again counts once, and rows of pages and of files count."""
    streams = {doc["uid"]: doc["name"] for name, doc in documents if name == "descriptor"}
    numbers: dict[str, set[int]] = defaultdict(set)
    for name, doc in documents:
        stream = streams.get(doc.get("descriptor", ""), "unknown")
        if name == "event":
            numbers[stream].add(doc["seq_num"])
        elif name == "event_page":
            numbers[stream].update(doc["seq_num"])
        elif name == "stream_datum":
            numbers[stream].update(range(doc["seq_nums"]["start"], doc["seq_nums"]["stop"]))
    return {stream: len(found) for stream, found in numbers.items()}
