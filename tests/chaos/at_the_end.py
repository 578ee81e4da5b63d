"""Invariants at the end of a shift."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from beamline.records.catalogue.client import close_catalogue, open_catalogue, read_stream
from beamline.records.catalogue_writer.lag import incomplete_runs, runs_behind
from beamline.records.journal import damage, read, run_files, seal
from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.run import Run
from beamline.records.runs.store import JournalRuns
from reduction.documents.raw import PRIMARY
from reduction.documents.results import has_result
from tests.beamline.catalogue_writing import write_catalogue
from tests.chaos.driven_session import ViolationError
from tests.chaos.file_faults import FOREIGN_CONTENT
from tests.chaos.leftovers import (
    held_locks,
    open_files,
    processes,
    threads,
    unfinished_files,
    used_ports,
)
from tests.chaos.shift import END_TIMEOUT, Shift

Documents = list[tuple[str, dict[str, Any]]]


def require(condition: bool, sentence: str) -> None:
    """Raise a violation unless the condition holds."""
    if not condition:
        raise ViolationError(sentence)


def shift_is_whole(shift: Shift) -> None:
    """Check journal, catalogue, sums and foreign files against everything announced."""
    seal(shift.root)  # as the next session would: a full disk may have cost a stop document
    paths = [path for path in run_files(shift.root) if path not in shift.foreign]
    _the_catalogue_is_filled(shift, paths)
    found: Counter[str] = Counter()
    client = open_catalogue(shift.catalogue)
    try:
        for path in paths:
            documents = list(read(path))
            if documents:  # a full disk leaves files without any
                _run_is_whole(path, documents)
                _the_catalogue_has_it(client, documents)
                found.update(doc["uid"] for name, doc in documents if name == "event")
    finally:
        close_catalogue(client)
    lost = [event for uid, event in shift.events.items() if uid not in found]
    require(not lost, f"{len(lost)} announced events are not in the journal, the first: {lost[:1]}")
    twice = [uid for uid, count in found.items() if count > 1]
    require(not twice, f"events are in the journal twice: {twice[:3]}")
    _sums_are_those_of_their_good_dwells(shift)
    for path, (target, content) in shift.foreign.items():
        require(target.read_bytes() == FOREIGN_CONTENT, f"{target} was written through {path}")
        require(not content or path.read_bytes() == content, f"{path} was written")
    require(not shift.get_shutter(), "the laser shutter is open at the end of the shift")
    require(shift.figure("--once").wait(END_TIMEOUT) == 0, "the shift cannot be drawn")


def nothing_is_left(shift: Shift, threads_before: set[str]) -> None:
    """After the end of all of a shift no process, thread, file, port or lock is left."""
    temporary = shift.folder / "temporary"
    findings: dict[str, Callable[[], Collection[Any]]] = {
        "processes": lambda: processes(shift.mark),
        "threads": lambda: threads() - threads_before,
        "open files": lambda: open_files(shift.folder),
        "ports": lambda: used_ports(shift.ports),
        "locks": lambda: held_locks(shift.folder),
        "unfinished files": lambda: unfinished_files(shift.folder),
        "temporary files": lambda: [str(path.relative_to(temporary)) for path in temporary.rglob("*")],
    }
    deadline = time.monotonic() + END_TIMEOUT
    for what, find in findings.items():
        while (left := find()) and time.monotonic() < deadline:
            time.sleep(0.05)
        require(not left, f"{what} are left: {left}")


def _run_is_whole(path: Path, documents: Documents) -> None:
    require(not damage(path), f"{path.name}: {damage(path)}")
    ends = [doc for name, doc in documents if name == "stop"]
    require(len(ends) == 1, f"{path.name} has {len(ends)} stop documents")
    require(ends[0]["exit_status"] == "success" or bool(ends[0].get("reason")), f"{path.name} ended for no reason")


def _the_catalogue_is_filled(shift: Shift, paths: list[Path]) -> None:
    """What the session did not store it has named; another writer stores it."""
    remaining = [path.name for path in runs_behind(shift.root, shift.catalogue) if path in paths]
    named = any("Not in the catalogue yet" in entry.get("sentence", "") for entry in shift.running.reports)
    require(not remaining or named, f"the session ended without a report of {remaining}")
    write_catalogue(shift.root, shift.catalogue)
    behind = [path.name for path in runs_behind(shift.root, shift.catalogue) if path in paths]
    require(not behind, f"the catalogue does not have {behind}")
    incomplete = incomplete_runs(shift.root, shift.catalogue)
    require(not incomplete, f"incomplete in the catalogue: {incomplete}")


def _the_catalogue_has_it(client: Any, documents: Documents) -> None:
    """Each stream of a run has each event once."""
    uid = documents[0][1]["uid"]
    for descriptor in (doc for name, doc in documents if name == "descriptor"):
        events = [doc for name, doc in documents if name == "event" and doc["descriptor"] == descriptor["uid"]]
        stored = read_stream(client, uid, descriptor["name"])["seq_num"].tolist()
        expected = sorted({doc["seq_num"] for doc in events})
        require(stored == expected, f"{descriptor['name']} of run {uid[:8]} differs in the catalogue")


def _sums_are_those_of_their_good_dwells(shift: Shift) -> None:
    store = JournalRuns(shift.root)
    runs = store.runs()
    for run in runs:
        if run.raw_uid is not None and has_result(run.stop):
            (result,) = replay(store, runs, plan_job(runs, run.uid, {}))
            require(bool(result.agreement and result.agreement.exact), f"sum {run.uid[:8]}: {result.agreement}")
            _good_dwells_are_counted(store, run)


def _good_dwells_are_counted(store: JournalRuns, run: Run) -> None:
    """The dwells in the last sum of each point are the good ones of the raw run, counted directly."""
    raw, good = list(store.documents(str(run.raw_uid))), Counter[tuple[int, int]]()
    primary = {doc["uid"] for name, doc in raw if name == "descriptor" and doc["name"] == PRIMARY}
    last: dict[tuple[int, int], dict[str, Any]] = {}
    for name, doc in raw:
        if name == "event" and doc["descriptor"] in primary:
            last[int(doc["data"]["point_index"]), int(doc["data"]["segment"])] = doc["data"]
    for (point, _), data in last.items():
        good[point, int(data["laser_on"])] += data["quality"] == "good"
    points: dict[int, dict[str, Any]] = {}
    reduced = list(store.documents(run.uid))
    streams = {doc["uid"] for name, doc in reduced if name == "descriptor" and doc["name"] == "points"}
    for name, doc in reduced:
        if name == "event" and doc["descriptor"] in streams:
            points[int(doc["data"]["point_index"])] = doc["data"]
    for point, data in points.items():
        counted = int(data["dwells_off"]), int(data["dwells_on"])
        expected = good[point, 0], good[point, 1]
        require(counted == expected, f"point {point} of {run.uid[:8]} sums {counted} dwells off and on, not {expected}")
