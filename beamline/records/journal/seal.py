"""After a crash: closes interrupted runs, each after its last complete document."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamline.records.journal.ends import ends_with_stop
from beamline.records.journal.errors import ForeignFileError, JournalError
from beamline.records.journal.files import odd_files, run_files, uid_of
from beamline.records.journal.fitness import count_events
from beamline.records.journal.format import frame
from beamline.records.journal.read import read
from beamline.records.journal.repair import cut_tail, open_locked

NO_START = "it has no start document that can be read"
"""Why a file is no run."""


@dataclass(frozen=True)
class SealedRun:
    """An interrupted run that now has its stop document."""

    uid: str
    plan_name: str
    num_events: dict[str, int]
    path: Path

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {stream}" for stream, count in self.num_events.items()) or "no events"
        return f"{self.uid[:8]} ({self.plan_name}; {counts})"


def seal(
    root: str | Path,
    notify: Callable[[str], None] = lambda sentence: None,
    unstopped: Iterable[Path] | None = None,
    odd: Mapping[Path, str] | None = None,
) -> list[SealedRun]:
    """Close each run that has no stop document and whose writer has died, as interrupted.

    An incomplete last record is set aside first. Runs of another running process are left alone. So are files without a
    start document, and files that are not journal files of this user, each with a message to `notify`. An index of the
    journal spares reading its folder: with the files that may have no stop document, and those that are none.
    """
    for path, kind in (odd_files(root) if odd is None else odd).items():
        notify(f"{path} is left alone: {kind}.")
    sealed = []
    for path in run_files(root) if unstopped is None else unstopped:
        if ends_with_stop(path):
            continue
        try:
            run = _seal_file(path)
        except JournalError as error:
            notify(str(error))
        else:
            sealed += [run] if run is not None else []
    return sealed


def _seal_file(path: Path) -> SealedRun | None:
    descriptor = open_locked(path)
    if descriptor is None:
        return None
    try:
        return _seal(path, descriptor)
    finally:
        os.close(descriptor)


def _seal(path: Path, descriptor: int) -> SealedRun | None:
    aside = cut_tail(path, descriptor)
    documents = read(path)
    start = next((doc for name, doc in documents if name == "start"), None)
    if start is None:
        raise ForeignFileError(f"{path} is left alone: {NO_START}.")
    if any(name == "stop" for name, _ in documents):
        return None
    num_events = count_events(documents)
    os.write(descriptor, frame("stop", _stop_document(start, num_events, aside)))
    os.fsync(descriptor)
    return SealedRun(uid_of(path), str(start.get("plan_name", "unknown plan")), num_events, path)


def _stop_document(start: dict[str, Any], num_events: dict[str, int], aside: Path | None) -> dict[str, Any]:
    rest = f"; what could not be read at the end of its file is in {aside.name}" if aside is not None else ""
    return {
        "uid": str(uuid.uuid4()),
        "time": time.time(),
        "run_start": start["uid"],
        "exit_status": "abort",
        "reason": f"interrupted: the acquisition ended without closing this run{rest}",
        "num_events": num_events,
    }
