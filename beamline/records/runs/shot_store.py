"""Stored runs whose photon counts are computed from shots; reduced like any others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from beamline.records.catalogue.wanted import Wanted
from beamline.records.runs.run import Document, Run, RunError
from beamline.records.runs.store import RunStore
from beamline.records.shot_files.dwells import DwellShots, DwellTask
from beamline.records.shot_files.file import ROWS, path_of
from reduction.documents.detectors import COUNTER, Detector, detectors_of, of_kind
from reduction.documents.patterns import pattern_of
from reduction.documents.raw import PRIMARY
from reduction.shots.sums import ShotCounts

Reduce = Callable[[list[DwellTask]], list[DwellShots]]
NO_SHOTS = "no shots"
SHOTS_NAME = ", shots"
"""End of the name of such a store."""


class ShotStore:
    """A store whose primary events hold counts from shots instead of those of the counter.

    Parameters
    ----------
    store : RunStore
        Source of the documents.
    threshold : int
        A height above this is a hit, ADC units.
    reduce : callable
        Takes tasks and returns their results in the same order.

    Attributes
    ----------
    left_out : list of str
        A message for each block that could not be used.
    """

    def __init__(self, store: RunStore, threshold: int, reduce: Reduce) -> None:
        self._store, self._threshold, self._reduce = store, threshold, reduce
        self.name = f"{store.name}{SHOTS_NAME}"
        self.left_out: list[str] = []

    def runs(self, newest: int | None = None) -> list[Run]:
        """All runs, the earliest first."""
        return self._store.runs(newest)

    def found(self, wanted: Wanted, newest: int, page: int = 1) -> tuple[list[Run], int | None] | None:
        """A page of runs, if the store can search."""
        return self._store.found(wanted, newest, page)

    def named(self, names: Sequence[str]) -> list[Run]:
        """Runs by name, if the store can search."""
        return self._store.named(names)

    @property
    def left_alone(self) -> dict[str, str]:
        """Files with the name of a run that cannot be listed."""
        return self._store.left_alone

    def damage(self, run: Run) -> str:
        """What of a run cannot be read."""
        return self._store.damage(run)

    def num_events(self, run: Run) -> dict[str, int]:
        """Events by stream."""
        return self._store.num_events(run)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """Documents of a run in order, those of raw runs with counts from shots.

        Raises
        ------
        RunError
            If the run has no shots.
        """
        documents = list(self._store.documents(uid))
        if documents and "analysis_of" in documents[0][1]:
            yield from documents
            return
        primary = next((doc for name, doc in documents if name == "descriptor" and doc["name"] == PRIMARY), None)
        if primary is None:
            yield from documents
            return
        path = _path(uid, documents)
        events = [doc for name, doc in documents if name == "event" and doc["descriptor"] == primary["uid"]]
        tasks = [self._task(path, event["data"], pattern_of(primary).num_phases) for event in events]
        found, counter = self._reduce(tasks), _digitised(documents[0][1])
        for each in found:
            self.left_out += each.left_out
        shots = iter(found)  # events of the catalogue have no uid, and a retaken one has the number of the first
        for name, doc in documents:
            if name == "event" and doc["descriptor"] == primary["uid"]:
                yield name, _with_shots(doc, next(shots), counter)
            else:
                yield name, doc

    def _task(self, path: str, data: Mapping[str, Any], num_phases: int) -> DwellTask:
        return DwellTask(path, int(data["first_block"]), int(data["num_blocks"]), num_phases, self._threshold)


def _path(uid: str, documents: list[tuple[str, Document]]) -> str:
    """File of the shots of a run."""
    for name, doc in documents:
        if name == "stream_resource" and doc["parameters"].get("dataset") == f"/shots/{ROWS[0]}":
            return str(path_of(doc))
    raise RunError(f"run {uid} has no shots: reduce it without --shots")


def _digitised(start: Document) -> Detector:
    """The counter whose shots are recorded."""
    counters = of_kind(detectors_of(start), COUNTER)
    return next((each for each in counters if each.digitised), counters[0])


def _with_shots(event: Document, shots: DwellShots, counter: Detector) -> Document:
    """An event with counts from its shots; one without shots is marked as bad."""
    if shots.counts is None:
        return {**event, "data": {**event["data"], "quality": NO_SHOTS}}
    return {**event, "data": {**event["data"], **_counters(shots.counts, event["data"], counter)}}


def _counters(counts: ShotCounts, data: Mapping[str, Any], counter: Detector) -> dict[str, Any]:
    found = {counter.key("hits"): counts.hits, counter.key("gates"): counts.gates}
    pairs = {key: getattr(counts.pairs, name) for name, key in counter.pair_keys.items()}
    return {**found, **{key: array for key, array in pairs.items() if key in data}}
