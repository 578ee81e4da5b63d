"""Invariants at the end of a shift."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from beamline.records.catalogue_writer.lag import incomplete_runs, runs_behind
from beamline.records.journal import damage, read, run_files, seal, uid_of
from beamline.records.runs.compare import compare
from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.store import CatalogueRuns, JournalRuns
from reduction.documents.streams import has_result
from tests.beamline.catalogue_writing import write_catalogue
from tests.chaos.file_faults import FOREIGN_CONTENT
from tests.chaos.leftovers import (
    held_locks,
    open_files,
    processes,
    threads,
    unfinished_files,
    used_ports,
)
from tests.chaos.shift import END_TIMEOUT, START_TIMEOUT, Shift
from tests.chaos.stored import Stored, StoredStream, stored_streams
from tests.chaos.sums import Documents, sums_are_those_of_their_good_dwells
from tests.chaos.violation import require

SAMPLED = 3
"""Runs of a sample."""


def shift_is_whole(shift: Shift) -> None:
    """Check journal, catalogue, sums and foreign files against everything announced."""
    if shift.server is not None:
        shift.server.wait_until_up(START_TIMEOUT)
    seal(shift.root)  # as the next session would: a full disk may have cost a stop document
    paths = [path for path in run_files(shift.root) if path not in shift.foreign]
    catalogued = set(_filled(shift, paths) if shift.stores else _sampled(shift, paths))
    found: Counter[str] = Counter()
    stored = stored_streams(shift.databases)
    for path in paths:
        documents = list(read(path))
        if documents:  # a full disk leaves files without any
            run_is_whole(path, documents)
            found.update(doc["uid"] for name, doc in documents if name == "event")
        if documents and path in catalogued:
            the_catalogue_has_it(stored, documents)
    some_runs_read_back(shift, sorted(catalogued))
    announced_events_are_there_once(shift.events, found)
    _sums_are_reproduced(shift)
    foreign_files_are_untouched(shift.foreign)
    require(not shift.get_shutter(), "the laser shutter is open at the end of the shift")
    shift.require_rest()
    if shift.stores:  # else the short form
        require(shift.figure("--once").wait(END_TIMEOUT) == 0, "the shift cannot be drawn")


def run_is_whole(path: Path, documents: Documents) -> None:
    """The file is undamaged and has one stop document, with a reason unless it succeeded."""
    require(not damage(path), f"{path.name}: {damage(path)}")
    ends = [doc for name, doc in documents if name == "stop"]
    require(len(ends) == 1, f"{path.name} has {len(ends)} stop documents")
    require(ends[0]["exit_status"] == "success" or bool(ends[0].get("reason")), f"{path.name} ended for no reason")


def announced_events_are_there_once(announced: Mapping[str, Any], found: Counter[str]) -> None:
    """Each event that the session has reported is in the journal, and none is twice."""
    lost = [event for uid, event in announced.items() if uid not in found]
    require(not lost, f"{len(lost)} announced events are not in the journal, the first: {lost[:1]}")
    twice = [uid for uid, count in found.items() if count > 1]
    require(not twice, f"events are in the journal twice: {twice[:3]}")


def foreign_files_are_untouched(foreign: Mapping[Path, tuple[Path, bytes]]) -> None:
    """Neither a file that somebody placed nor the one that it links to was written."""
    for path, (target, content) in foreign.items():
        require(target.read_bytes() == FOREIGN_CONTENT, f"{target} was written through {path}")
        require(not content or path.read_bytes() == content, f"{path} was written")


def nothing_is_left(shift: Shift, threads_before: set[str], patience: float = END_TIMEOUT) -> None:
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
    deadline = time.monotonic() + patience
    for what, find in findings.items():
        while (left := find()) and time.monotonic() < deadline:
            time.sleep(0.05)
        require(not left, f"{what} are left: {left}")


def _sampled(shift: Shift, paths: list[Path]) -> list[Path]:
    """Some runs, evenly spread, in a catalogue that has only them."""
    root, sample = shift.folder / "sample", _spread(paths)
    (root / "journal").mkdir(parents=True, exist_ok=True)
    for path in sample:
        shutil.copy2(path, root / "journal")
    require(write_catalogue(root, shift.catalogue), "the sample is not in the catalogue")
    return sample


def _filled(shift: Shift, paths: list[Path]) -> list[Path]:
    """What the session did not store it has named; another writer stores it."""
    remaining = [path.name for path in runs_behind(shift.root, shift.catalogue) if path in paths]
    named = any("Not in the catalogue yet" in entry.get("sentence", "") for entry in shift.running.reports)
    require(not remaining or named, f"the session ended without a report of {remaining}")
    write_catalogue(shift.root, shift.catalogue)
    behind = [path.name for path in runs_behind(shift.root, shift.catalogue) if path in paths]
    require(not behind, f"the catalogue does not have {behind}")
    incomplete = incomplete_runs(shift.root, shift.catalogue)
    require(not incomplete, f"incomplete in the catalogue: {incomplete}")
    return paths


def the_catalogue_has_it(stored: Stored, documents: Documents) -> None:
    """Each stream of a run has each event once, in its table and in each of its arrays."""
    uid = documents[0][1]["uid"]
    for descriptor in (doc for name, doc in documents if name == "descriptor"):
        events = [doc for name, doc in documents if name == "event" and doc["descriptor"] == descriptor["uid"]]
        stream = stored.get((uid, descriptor["name"]), StoredStream())
        expected = sorted({doc["seq_num"] for doc in events})
        what = f"{descriptor['name']} of run {uid[:8]}"
        require(stream.numbers == expected, f"{what} differs in the catalogue")
        short = [key for key, length in stream.lengths.items() if length < len(expected)]
        require(not short, f"{what} differs in the catalogue: {short} have fewer than {len(expected)} events")


def some_runs_read_back(shift: Shift, catalogued: list[Path]) -> None:
    """A sample of the runs is the same, bit by bit, for a user who reads it from the catalogue."""
    journal, catalogue = JournalRuns(shift.root), CatalogueRuns(shift.catalogue)
    try:
        for uid in map(uid_of, _spread(catalogued)):
            difference = compare(catalogue.documents(uid), journal.documents(uid))
            require(difference.exact, f"run {uid[:8]} read from the catalogue: {difference}")
    finally:
        catalogue.close()


def _spread(paths: list[Path]) -> list[Path]:
    return paths[:: max(1, len(paths) // SAMPLED)][:SAMPLED]


def _sums_are_reproduced(shift: Shift) -> None:
    store = JournalRuns(shift.root)
    runs = store.runs()
    for run in runs:
        if run.raw_uid is not None and has_result(run.stop):
            (result,) = replay(store, runs, plan_job(runs, run.uid, {}))
            require(bool(result.agreement and result.agreement.exact), f"sum {run.uid[:8]}: {result.agreement}")
            sums_are_those_of_their_good_dwells(*(list(store.documents(uid)) for uid in (run.raw_uid, run.uid)))
