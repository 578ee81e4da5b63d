"""Replays stored raw runs through the live reducer: bit-identical results, or with other settings.

Raw data are never changed. The result is another reduced run; nothing is written before the complete replay has
succeeded.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from beamline.records.provenance import versions
from beamline.records.runs.compare import Agreement, compare, streams_of
from beamline.records.runs.find import reduced_runs
from beamline.records.runs.job import Job
from beamline.records.runs.replayed_shots import ReplayedShots
from beamline.records.runs.run import RAW_DAMAGE, REPLAYED, Document, Run, RunError
from beamline.records.runs.store import RunStore
from reduction.diagnostics.exclusions import Entry, Exclusions
from reduction.documents.raw import IMPORTED
from reduction.documents.streams import SHOTS_STREAM, has_result
from reduction.live.imported import ImportedReducer
from reduction.live.reducer import LiveReducer
from reduction.settings import Settings

Documents = list[tuple[str, Document]]


@dataclass(frozen=True)
class Replayed:
    """One reduced run from a replay.

    Attributes
    ----------
    raw : Run
    documents : list of (name, document)
    stored : Run or None
        The stored reduced run with the same passes and settings.
    agreement : Agreement or None
        Agreement of its numbers with `stored`.
    notes : tuple of str
        Messages about what could not be replayed.
    """

    raw: Run
    documents: Documents
    stored: Run | None
    agreement: Agreement | None
    notes: tuple[str, ...] = ()

    @property
    def start(self) -> Document:
        return self.documents[0][1]

    @property
    def new(self) -> bool:
        """Whether no such reduced run was stored, or only its beginning."""
        return self.agreement is None or self.agreement.only_begins

    @property
    def damage(self) -> str:
        """Damage of the raw runs; empty if they could be read completely."""
        by_run = self.start.get(RAW_DAMAGE, {})
        return "; ".join(f"raw run {uid[:8]} is {text}" for uid, text in by_run.items())


def replay(store: RunStore, runs: list[Run], job: Job, with_shots: bool = True) -> list[Replayed]:
    """Reduce again, and compare with stored results.

    Parameters
    ----------
    store : RunStore
        Source of raw and reduced documents.
    runs : list of Run
        All runs of the store.
    job : Job
    with_shots : bool
        Also reduce recorded shots; otherwise, or if they cannot be read, the stored stream of shots is not compared.

    Returns
    -------
    list of Replayed
        One for each requested pass with at least one dwell.

    Raises
    ------
    RunError
        If no pass has a dwell.
    reduction.documents.raw.DocumentError
        If a raw document lacks something that the reduction needs.
    reduction.errors.ReductionError
        If the fill pattern does not allow the reference.
    """
    published, failures = _reduced_again(store, runs, job, with_shots)
    without = (SHOTS_STREAM,) if failures or not with_shots else ()
    wanted = [run for run in job.passes if run.uid in job.wanted]
    results = [_compared(store, runs, run, published[run.uid], job, without) for run in wanted if published[run.uid]]
    results = [replace(result, notes=tuple(failures)) for result in results]
    if not results:
        empty = ", ".join(run.uid[:8] for run in wanted)
        raise RunError(f"run {empty} ended before its first dwell: there is nothing to reduce")
    return results


def _reduced_again(
    store: RunStore, runs: list[Run], job: Job, with_shots: bool
) -> tuple[dict[str, Documents], list[str]]:
    """Reduced documents of each pass by its uid, and errors of reading shots."""
    published: dict[str, Documents] = {}
    current: Documents = []

    damage: dict[str, str] = {}

    def keep(name: str, doc: Mapping[str, Any]) -> None:
        ours = {REPLAYED: store.name, **({RAW_DAMAGE: dict(damage)} if damage else {})} if name == "start" else {}
        current.append((name, {**doc, **ours}))

    live, of_files = LiveReducer(keep, versions()), ImportedReducer(keep, versions())
    shots = ReplayedShots(live.beside)
    for run in job.passes:
        current = published[run.uid] = []
        damage |= {run.uid: text} if (text := store.damage(run)) else {}
        reducer = of_files if IMPORTED in run.start else live
        reducer.exclusions.decide(_decisions(store, runs, run, job))
        for name, doc in _documents(store, run, job.settings):
            reducer(name, doc)
            if with_shots:
                shots(name, doc)
    shots.close()
    return published, shots.failures


def _decisions(store: RunStore, runs: list[Run], run: Run, job: Job) -> Iterator[Entry]:
    """Exclusions stored with the reduced pass, with the requested changes."""
    stored = job.against if job.against and job.against.raw_uid == run.uid else None
    stored = stored or next((each for each in reduced_runs(runs, run.uid) if REPLAYED not in each.start), None)
    exclusions = Exclusions()
    if stored is not None:
        for data in streams_of(store.documents(stored.uid)).get("ledger", []):
            exclusions = Exclusions.from_list(json.loads(str(data["decisions"])))
    for uid, point, detector in job.leave_out:
        exclusions.leave_out(uid, None if point < 0 else point, detector=detector)
    for uid, point, detector in job.take_back:
        with contextlib.suppress(ValueError):  # it may be missing in an earlier pass
            exclusions.take_back(uid, None if point < 0 else point, detector)
    yield from exclusions.decisions


def _documents(store: RunStore, run: Run, settings: dict[str, Any]) -> Iterator[tuple[str, Document]]:
    """Documents of a raw run for the reducer, with the requested settings, and always with a stop document."""
    ended = False
    for name, doc in store.documents(run.uid):
        ended = ended or name == "stop"
        if name == "start" and settings:
            doc = {**doc, "settings": settings, "reference": settings["reference"]}
        yield name, doc
    if not ended:
        reason = "interrupted: the raw run has no stop document"
        yield "stop", {"run_start": run.uid, "time": time.time(), "exit_status": "abort", "reason": reason}


def _compared(
    store: RunStore, runs: list[Run], run: Run, documents: Documents, job: Job, without: tuple[str, ...]
) -> Replayed:
    start = documents[0][1]
    stored = job.against or stored_like(reduced_runs(runs, run.uid), start["accumulates"], start["settings_hash"])
    if stored is None:
        return Replayed(run, documents, None, None)
    return Replayed(run, documents, stored, compare(documents, store.documents(stored.uid), without))


def stored_like(candidates: list[Run], accumulates: list[str], digest: str | None) -> Run | None:
    """The stored reduced run of the same passes and settings; preferably a complete one, then the earliest."""
    same = [
        run for run in candidates
        if list(run.start["accumulates"]) == accumulates and settings_digest(run.start["settings"]) == digest
    ]  # fmt: skip
    whole = [run for run in same if has_result(run.stop)]
    return next(iter(whole or same), None)


def settings_digest(settings: Mapping[str, Any]) -> str | None:
    """Hash of stored settings with the defaults of this version; None if they are invalid here."""
    try:
        return Settings.from_mapping(settings).digest()
    except (TypeError, ValueError):
        return None
