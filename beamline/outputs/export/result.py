"""A reduced result with its raw runs, read from the journal or the catalogue for export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beamline.outputs.export.counted import Counted, count_up
from beamline.outputs.export.errors import ExportError
from beamline.records.runs.find import find, reduced_runs
from beamline.records.runs.run import Document, Run
from beamline.records.runs.store import RunStore
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, PRIMARY, pattern_of
from reduction.documents.results import STREAM_OF_AXIS, has_result


@dataclass(frozen=True)
class Result:
    """One reduced run and its raw runs.

    Attributes
    ----------
    start : mapping
        Start document of the reduced run.
    data : mapping
        Of the event of the stream `spectrum` or `trace`.
    fit : mapping or None
        Of the event of the stream `kinetics`.
    raw : tuple of mapping
        Start documents of the raw runs, in the order of acquisition.
    raw_stops : tuple of mapping
    slot_delays : tuple of float, ps
        Time from the last pump to the probe in each slot; of a delay scan, for slot 0 at zero.
    counted : Counted
        I0 and hits as counted, by point.
    damage : str
        What of the runs cannot be read now; the result itself may be from before.
    """

    start: Mapping[str, Any]
    data: Mapping[str, Any]
    fit: Mapping[str, Any] | None
    raw: tuple[Mapping[str, Any], ...]
    raw_stops: tuple[Mapping[str, Any], ...]
    slot_delays: tuple[float, ...]
    counted: Counted
    damage: str = ""

    @property
    def axis(self) -> str:
        """Data key of the scanned axis."""
        return str(self.start.get("scan_axis", ENERGY_AXIS))

    @property
    def simulated(self) -> bool:
        return bool(self.start.get("mode") == "sim")

    @property
    def provisional(self) -> bool:
        """Whether points of the grid are missing: offset and edge integral are those of the points that are there."""
        return bool(self.data.get("provisional", 0))

    def rows(self, *names: str) -> np.ndarray:
        """Points at which all these values are finite, shape (points,)."""
        whole = np.asarray(self.data["used"]).astype(bool)
        for name in names:
            whole = whole & np.isfinite(np.asarray(self.data[name], dtype=np.float64))
        return np.asarray(whole)

    def slots(self) -> list[int]:
        """Slots that have a transient; a slot that is the only reference has none."""
        transient = np.asarray(self.data["transient"], dtype=np.float64)
        return [slot for slot in range(len(transient)) if np.isfinite(transient[slot]).any()]


def read_result(store: RunStore, runs: list[Run], name: str) -> Result:
    """Find a result by name.

    Parameters
    ----------
    store : RunStore
    runs : list of Run
        All runs.
    name : str
        As for `beamline.records.runs.find`. A raw run gives its newest result, a scan set the result that sums most
        passes.

    Raises
    ------
    beamline.records.runs.run.RunError
        If there is no such run.
    ExportError
        If it has no result, or one of its raw runs is missing.
    """
    run = _with_result(runs, name)
    documents = list(store.documents(run.uid))
    axis = run.start.get("scan_axis", ENERGY_AXIS)
    data = last_event(documents, STREAM_OF_AXIS[axis])
    if data is None:
        raise ExportError(f"reduced run {run.uid[:8]} has a result that cannot be read; reduce it again")
    raw = _raw_runs(runs, run)
    pattern = pattern_of(_descriptor(store, raw[-1].uid))
    delay = 0.0 if axis == DELAY_AXIS else float(run.start["pump_delay"])
    return Result(
        start=run.start,
        data=data,
        fit=last_event(documents, "kinetics"),
        raw=tuple(each.start for each in raw),
        raw_stops=tuple(each.stop or {} for each in raw),
        slot_delays=tuple(pattern.probe_delays(delay).tolist()),
        counted=count_up([(each.start, store.documents(each.uid)) for each in raw]),
        damage="; ".join(f"{each.uid[:8]}: {text}" for each in (*raw, run) if (text := store.damage(each))),
    )


def _with_result(runs: list[Run], name: str) -> Run:
    found = find(runs, name)
    if found.scan_set is None and found.runs[0].raw_uid is not None:
        candidates = list(found.runs)
    else:
        candidates = [reduced for raw in found.runs for reduced in reduced_runs(runs, raw.uid)]
    whole = [run for run in candidates if has_result(run.stop)]
    if not whole:
        raise ExportError(
            f"{name} has no reduced result yet: that needs a pass over the whole grid; try `trxas reduce {name}`"
        )
    order = {run.uid: number for number, run in enumerate(runs)}
    return max(whole, key=lambda run: (len(run.start.get("accumulates", ())), order[run.uid]))


def _raw_runs(runs: list[Run], reduced: Run) -> list[Run]:
    here = {run.uid: run for run in runs if run.raw_uid is None}
    wanted = [*reduced.start.get("accumulates", ()), reduced.raw_uid]
    if missing := [uid for uid in wanted if uid not in here]:
        raise ExportError(
            f"reduced run {reduced.uid[:8]} has raw runs that are missing here: {', '.join(map(str, missing))};"
            " use the folder that has them (--data)"
        )
    return [here[uid] for uid in wanted]


def _descriptor(store: RunStore, uid: str) -> Document:
    for name, doc in store.documents(uid):
        if name == "descriptor" and doc["name"] == PRIMARY:
            return doc
    raise ExportError(f"raw run {uid[:8]} has no events")


def last_event(documents: list[tuple[str, Document]], stream: str) -> dict[str, Any] | None:
    """Data of the last event of a stream; None without events."""
    of_stream = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == stream}
    events = [doc["data"] for name, doc in _events(documents) if doc["descriptor"] in of_stream]
    return dict(events[-1]) if events else None


def _events(documents: list[tuple[str, Document]]) -> Iterator[tuple[str, Document]]:
    return ((name, doc) for name, doc in documents if name == "event")
