"""The newest result of a run or scan set, and the raw runs that it sums."""

from __future__ import annotations

from typing import Any

from beamline.records.runs.compare import streams_of
from beamline.records.runs.find import find, reduced_runs
from beamline.records.runs.run import Document, Run, RunError
from beamline.records.runs.store import RunStore
from reduction.documents.raw import PRIMARY
from reduction.documents.streams import has_result


class NoResultError(RunError):
    """A run has no result, or its raw runs are missing; the message has a remedy."""


def newest_result(runs: list[Run], name: str) -> Run:
    """The reduced run of a name.

    Parameters
    ----------
    runs : list of Run
        All runs.
    name : str
        As for `beamline.records.runs.find`. A raw run gives its newest result, a scan set the result that sums most
        passes.

    Raises
    ------
    RunError
        If there is no such run.
    NoResultError
        If it has no result yet.
    """
    found = find(runs, name)
    if found.scan_set is None and found.runs[0].raw_uid is not None:
        candidates = list(found.runs)
    else:
        candidates = [reduced for raw in found.runs for reduced in reduced_runs(runs, raw.uid)]
    whole = [run for run in candidates if has_result(run.stop)]
    if not whole:
        running = any(run.running for run in found.runs)
        remedy = "it is still being measured" if running else f"try `trxas reduce {name}`"
        raise NoResultError(f"{name} has no reduced result yet: that needs a pass over the whole grid; {remedy}")
    order = {run.uid: number for number, run in enumerate(runs)}
    return max(whole, key=lambda run: (len(run.start.get("accumulates", ())), order[run.uid]))


def raw_runs(runs: list[Run], reduced: Run) -> list[Run]:
    """Raw runs of a result, in the order of acquisition.

    Raises
    ------
    NoResultError
        If one is missing.
    """
    here = {run.uid: run for run in runs if run.raw_uid is None}
    wanted = [*reduced.start.get("accumulates", ()), reduced.raw_uid]
    if missing := [uid for uid in wanted if uid not in here]:
        raise NoResultError(
            f"reduced run {reduced.uid[:8]} has raw runs that are missing here: {', '.join(map(str, missing))};"
            " use the folder that has them (--data)"
        )
    return [here[uid] for uid in wanted]


def primary_descriptor(store: RunStore, uid: str) -> Document:
    """Descriptor of the stream `primary` of a raw run.

    Raises
    ------
    NoResultError
        If it has no events.
    """
    for name, doc in store.documents(uid):
        if name == "descriptor" and doc["name"] == PRIMARY:
            return doc
    raise NoResultError(f"raw run {uid[:8]} has no events")


def last_event(documents: list[tuple[str, Document]], stream: str) -> dict[str, Any] | None:
    """Data of the last event of a stream; None without events."""
    events = streams_of(documents).get(stream)
    return dict(events[-1]) if events else None
