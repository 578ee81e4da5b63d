"""Invariants after each scan, and at the end of a shift."""

from __future__ import annotations

from collections import Counter
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
from tests.chaos.shift import SHUTTER, Shift

Documents = list[tuple[str, dict[str, Any]]]


def require(condition: bool, sentence: str) -> None:
    """Raise a violation unless the condition holds."""
    if not condition:
        raise ViolationError(sentence)


def after_a_scan(shift: Shift) -> None:
    """Between scans the laser shutter is shut."""
    require(shift.get(SHUTTER) == 0, "the laser shutter is open after a scan")


def after_a_good_scan(shift: Shift, ended: dict[str, Any] | None) -> None:
    """The scan after a fault succeeds."""
    require(ended is not None, "the session died in the scan after the fault")
    assert ended is not None
    require(ended["status"] == "success", f"the scan after the fault failed: {ended['error']}")
    after_a_scan(shift)


def nothing_spoilt_counts(shift: Shift) -> None:
    """No dwell that lies completely within the fault is good."""
    if shift.spoilt is None:
        return
    began, ended = shift.spoilt
    margin = 1.0  # a dwell takes 0.01 s; on a busy machine its event is late
    for event in shift.events.values():
        if event["quality"] == "good" and began + margin < event["at"] < ended:
            raise ViolationError(
                f"event {event['seq']} of run {event['run'][:8]} counts, {event['at'] - began:.3f} s after"
            )


def at_the_end(shift: Shift) -> None:
    """Check journal, catalogue, sums and foreign files against everything announced."""
    seal(shift.root)  # as the next session would: a full disk may have cost a stop document
    runs = {path: list(read(path)) for path in run_files(shift.root) if path not in shift.foreign}
    whole = {path: documents for path, documents in runs.items() if documents}
    for path in whole:
        require(not damage(path), f"{path.name}: {damage(path)}")
    _each_event_is_in_the_journal_once(shift, whole)
    _each_run_has_an_end(whole)
    _the_catalogue_has_it_all(shift, whole)
    _sums_are_those_of_their_good_dwells(shift)
    for path, (target, content) in shift.foreign.items():
        require(target.read_bytes() == b"TRXAS-J1 and what a user wrote", f"{target} was written through {path}")
        require(not content or path.read_bytes() == content, f"{path} was written")
    require(shift.get(SHUTTER) == 0, "the laser shutter is open at the end of the shift")
    left = [path.name for path in (shift.root / "journal").iterdir() if ".part" in path.name or "reserve" in path.name]
    require(not left, f"files are left: {left}")


def _each_event_is_in_the_journal_once(shift: Shift, runs: dict[Any, Documents]) -> None:
    found = Counter(doc["uid"] for documents in runs.values() for name, doc in documents if name == "event")
    lost = [event for uid, event in shift.events.items() if uid not in found]
    require(not lost, f"{len(lost)} announced events are not in the journal, the first: {lost[:1]}")
    twice = [uid for uid, count in found.items() if count > 1]
    require(not twice, f"events are in the journal twice: {twice[:3]}")


def _each_run_has_an_end(runs: dict[Any, Documents]) -> None:
    for path, documents in runs.items():
        ends = [doc for name, doc in documents if name == "stop"]
        require(len(ends) == 1, f"{path.name} has {len(ends)} stop documents")
        require(ends[0]["exit_status"] == "success" or bool(ends[0].get("reason")), f"{path.name} ended for no reason")


def _the_catalogue_has_it_all(shift: Shift, runs: dict[Any, Documents]) -> None:
    where = shift.root / "catalogue"
    remaining = [path for path in runs_behind(shift.root, where) if path in runs]
    named = any("Not in the catalogue yet" in entry.get("sentence", "") for entry in shift.running.reports)
    require(not remaining or named, f"the session ended without a report of {[path.name for path in remaining]}")
    write_catalogue(shift.root, where)
    behind = [path.name for path in runs_behind(shift.root, where) if path in runs]
    require(not behind, f"the catalogue does not have {behind}")
    require(not incomplete_runs(shift.root, where), f"incomplete in it: {incomplete_runs(shift.root, where)}")
    client = open_catalogue(where)
    try:
        for documents in runs.values():
            uid = documents[0][1]["uid"]
            for name, descriptor in documents:
                if name == "descriptor":
                    events = [doc for kind, doc in documents if kind == "event"]
                    numbers = {doc["seq_num"] for doc in events if doc["descriptor"] == descriptor["uid"]}
                    stored = read_stream(client, uid, descriptor["name"])["seq_num"].tolist()
                    require(
                        stored == sorted(numbers), f"{descriptor['name']} of run {uid[:8]} differs in the catalogue"
                    )
    finally:
        close_catalogue(client)


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
