"""Stored runs, from the journal or from the catalogue: their list, and the documents of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from beamline.records.catalogue.client import (
    close_catalogue,
    list_runs,
    listed,
    open_catalogue,
    plain,
    read_stream,
    restored,
    run_documents,
)
from beamline.records.catalogue.files import file_documents
from beamline.records.catalogue.wanted import MOST, Wanted, search_runs
from beamline.records.logbook import Correction, Corrections, read_logbook
from beamline.records.logbook.entries import correction_of, note_of
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Document, Run, RunError, in_order

RUNS_PER_RAW = 4
"""Runs that are asked for at first for each raw run: with its reduced runs."""


class RunStore(Protocol):
    """Source of stored runs."""

    name: str

    @property
    def left_alone(self) -> dict[str, str]:
        """Files with the name of a run that cannot be listed, with the reason; filled by `runs`."""

    def runs(self, newest: int | None = None) -> list[Run]:
        """All runs in the order in which they were measured; see `in_order`.

        With `newest`, a store that is asked over a network need not return more than the newest raw runs, one more than
        that number, with their reduced runs.
        """

    def found(self, wanted: Wanted, newest: int, page: int = 1) -> tuple[list[Run], int | None] | None:
        """A page of runs with their reduced ones, and how many rows are before these, None for an unknown number.

        None if this store can only read all its runs.
        """

    def named(self, names: Sequence[str]) -> list[Run]:
        """Runs with their reduced ones whose uid or scan set, or that of a reduced run, begins with one of these names.

        None of a store that can only read all its runs.
        """

    def damage(self, run: Run) -> str:
        """Describe what of a run cannot be read here; empty if all of it can."""

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """The documents of a run in order; the stop document may be missing."""

    def num_events(self, run: Run) -> dict[str, int]:
        """Events by stream."""

    def close(self) -> None:
        """Release files and connections."""


class CatalogueRuns:
    """The runs of a catalogue, through databroker's client.

    Parameters
    ----------
    where : str or path
        As for `beamline.records.catalogue.client.open_catalogue`.
    api_key : str, optional
        For a server.
    root : Path, optional
        The data root, whose logbook has notes, and corrections that are not in the catalogue yet.

    Raises
    ------
    ConnectionError
        When the server does not reply.
    """

    name = "catalogue"

    def __init__(self, where: str | Path, api_key: str | None = None, root: Path | None = None) -> None:
        self._client = open_catalogue(where, api_key)
        self._root = root
        self._notes: dict[str, str] = {}
        self._stored: dict[str, Correction] = {}
        self._corrections = Corrections()

    @property
    def left_alone(self) -> dict[str, str]:
        """Nothing: what is in a catalogue was listed by its writer."""
        return {}

    def runs(self, newest: int | None = None) -> list[Run]:
        """All runs in the order in which they were measured, or the newest, which the server chooses."""
        if newest is None:
            return self._known(list_runs(self._client))
        if (page := self.found(Wanted(), newest + 1)) is not None:
            return page[0]
        asked = RUNS_PER_RAW * (newest + 1)
        while True:
            listed = list_runs(self._client, newest=asked)
            runs = self._known(listed)
            raw = {run.uid for run in runs if run.raw_uid is None}
            if len(listed) < asked:
                return runs
            if len(raw) > newest:  # the raw run of a reduced one may lie before those that were asked for
                return [run for run in runs if run.raw_uid is None or run.raw_uid in raw]
            asked *= RUNS_PER_RAW

    def found(self, wanted: Wanted, newest: int, page: int = 1) -> tuple[list[Run], int | None] | None:
        """A page of runs that the server finds, and 0 if none are before these; None if it has no search."""
        found = search_runs(self._client, wanted, newest, page)
        if found is None:
            return None
        runs = self._known([listed(metadata) for metadata in (*found["runs"], *found["reduced"])])
        return runs, None if found["more"] else 0

    def named(self, names: Sequence[str]) -> list[Run]:
        """Runs that the server finds by these names, with their reduced ones."""
        pages = (self.found(Wanted(uid=name), MOST) for name in names)
        return [run for page in pages if page is not None for run in page[0]]

    def _known(self, there: list[dict[str, Any]]) -> list[Run]:
        self._notes |= {run["start"]["uid"]: "; ".join(run["notes"]) for run in there}
        self._stored |= {doc["uid"]: correction_of(doc) for run in there for doc in run["corrections"]}
        logbook = read_logbook(self._root) if self._root is not None else None
        here, notes = (logbook.corrections, logbook.notes_by_run()) if logbook is not None else ([], {})
        known = {each.uid for each in here}
        self._corrections = Corrections([*(each for uid, each in self._stored.items() if uid not in known), *here])
        starts = [self._corrections.applied(run["start"]) for run in there]
        found = []
        for start, run in zip(starts, there, strict=True):
            noted = notes.get(str(start["uid"])) or tuple(note_of(doc) for doc in run["logbook"])
            found.append(Run(start, run["stop"], run["stop"] is None, noted))
        return in_order(found)

    def damage(self, run: Run) -> str:
        """What of a run is in the journal alone, as the catalogue's writer noted."""
        notes = self._notes.get(run.uid, "")
        return f"INCOMPLETE in the catalogue: {notes}" if notes else ""

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """The documents of a run, reconstructed from the catalogue; a retaken event appears once.

        Descriptors and events have the original data and configuration, but not their uids and time stamps.
        """
        about = run_documents(self._client, uid)
        if uid not in self._notes and self.found(Wanted(uid=uid), MOST) is None:
            self.runs()
        yield "start", self._corrections.applied(about["start"])
        for stream in self._client[uid].base:
            yield from self._stream(uid, stream)
        if about["stop"] is not None:
            yield "stop", about["stop"]

    def _stream(self, uid: str, stream: str) -> Iterator[tuple[str, Document]]:
        metadata = restored(plain(self._client[uid].base[stream].base.metadata))
        descriptor = {**metadata, "name": stream, "run_start": uid}
        yield "descriptor", descriptor
        yield from file_documents(self._client, uid, stream)
        columns = read_stream(self._client, uid, stream)
        numbers, times = columns.pop("seq_num", np.empty(0)), columns.pop("time", np.empty(0))
        for row, (seq_num, time) in enumerate(zip(numbers.tolist(), times.tolist(), strict=True)):
            data = {key: _value(values[row]) for key, values in columns.items()}
            yield "event", {"descriptor": descriptor["uid"], "seq_num": seq_num, "time": time, "data": data}

    def num_events(self, run: Run) -> dict[str, int]:
        """Events by stream."""
        if run.stop is not None:
            return dict(run.stop.get("num_events", {}))
        streams = self._client[run.uid].base
        return {name: int(read_stream(self._client, run.uid, name)["seq_num"].size) for name in streams}

    def close(self) -> None:
        """Close the connections, and the embedded server if there is one."""
        close_catalogue(self._client)


def _value(entry: Any) -> Any:
    """A scalar as a Python type, an array unchanged."""
    return entry.item() if isinstance(entry, np.generic) else entry


def open_runs(source: str, root: Path, catalogue: str | Path, api_key: str | None = None) -> RunStore:
    """The journal or the catalogue of a beamline.

    Parameters
    ----------
    source : str
        ``journal`` or ``catalogue``.
    root : Path
        The data root.
    catalogue : str or path
        Address of the catalogue.
    api_key : str, optional
        For a catalogue on a server.

    Raises
    ------
    RunError
        If there is no such source.
    """
    if source == "journal":
        return JournalRuns(root)
    if source == "catalogue":
        return CatalogueRuns(catalogue, api_key, root)
    raise RunError(f"runs come from the journal or from the catalogue, not from {source!r}")
