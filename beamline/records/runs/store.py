"""Runs for reading back, from the journal or from the catalogue: what there is, and the documents of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from beamline.records.catalogue.client import (
    close_catalogue,
    list_runs,
    open_catalogue,
    plain,
    read_stream,
    restored,
    run_documents,
)
from beamline.records.catalogue.files import file_documents
from beamline.records.journal import read, run_file, run_files, uid_of
from beamline.records.journal.ends import is_being_written, start_and_stop
from beamline.records.journal.fitness import count_events
from beamline.records.journal.read import RunReader

Document = dict[str, Any]
REPLAYED = "replayed_from"
"""Entry of a reduced start document that tells a replay from the live reduction: where the raw documents came from."""


class RunError(Exception):
    """A run cannot be found or used; the message names it and the way out."""


@dataclass(frozen=True)
class Run:
    """What is known of a run without its events.

    Attributes
    ----------
    start : dict
    stop : dict or None
        None while it runs, and after it was cut off.
    running : bool
        A living process writes it.
    """

    start: Document
    stop: Document | None
    running: bool = False

    @property
    def uid(self) -> str:
        return str(self.start["uid"])

    @property
    def time(self) -> float:
        """When it began, seconds since 1970."""
        return float(self.start.get("time", 0.0))

    @property
    def raw_uid(self) -> str | None:
        """Uid of the raw run that it reduces; None if it is a raw run itself."""
        return self.start.get("analysis_of")

    @property
    def scan_set(self) -> str | None:
        return self.start.get("scan_set")

    @property
    def status(self) -> str:
        """Exit status, or ``running``, or ``cut off`` where a run was never ended."""
        if self.stop is not None:
            return str(self.stop.get("exit_status", "unknown"))
        return "running" if self.running else "cut off"


class RunStore(Protocol):
    """Where runs are read from."""

    name: str

    def runs(self) -> list[Run]:
        """All runs, the earliest first."""

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """The documents of a run in order; from the catalogue the stop document may be missing as in the journal."""

    def num_events(self, run: Run) -> dict[str, int]:
        """Events by stream."""

    def close(self) -> None:
        """Let go of files and connections."""


class JournalRuns:
    """The runs of a journal. Works with a dead catalogue, and sees a run while it is being written.

    Parameters
    ----------
    root : path
        The data root.
    """

    name = "journal"

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def runs(self) -> list[Run]:
        """All runs, the earliest first."""
        found = []
        for path in run_files(self._root):
            start, stop = start_and_stop(path)
            if start is not None and start.get("uid") == uid_of(path):
                found.append(Run(start, stop, stop is None and is_being_written(path)))
        return sorted(found, key=lambda run: run.time)

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """The documents of a run as they were announced."""
        return RunReader(run_file(self._root, uid)).documents()

    def num_events(self, run: Run) -> dict[str, int]:
        """Events by stream; a run without its end is read for it."""
        if run.stop is not None:
            return dict(run.stop.get("num_events", {}))
        return count_events(read(run_file(self._root, run.uid)))

    def close(self) -> None:
        """Nothing to let go of."""


class CatalogueRuns:
    """The runs of a catalogue, through databroker's client.

    Parameters
    ----------
    where : str or path
        As `beamline.records.catalogue.client.open_catalogue` takes it.

    Raises
    ------
    ConnectionError
        When the server does not answer.
    """

    name = "catalogue"

    def __init__(self, where: str | Path) -> None:
        self._client = open_catalogue(where)

    def runs(self) -> list[Run]:
        """All runs, the earliest first."""
        return [Run(run["start"], run["stop"], running=run["stop"] is None) for run in list_runs(self._client)]

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """The documents of a run, made anew from what is stored: an event that was taken again is there once.

        Descriptor and events have the data and the configuration of the originals, not their uids and time stamps.
        """
        about = run_documents(self._client, uid)
        yield "start", about["start"]
        for stream in self._client[uid]:
            yield from self._stream(uid, stream)
        if about["stop"] is not None:
            yield "stop", about["stop"]

    def _stream(self, uid: str, stream: str) -> Iterator[tuple[str, Document]]:
        metadata = restored(plain(self._client[uid][stream].base.metadata))
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
        streams = self._client[run.uid]
        return {name: int(read_stream(self._client, run.uid, name)["seq_num"].size) for name in streams}

    def close(self) -> None:
        """Close the connections, and the embedded server if there is one."""
        close_catalogue(self._client)


def _value(entry: Any) -> Any:
    """A scalar as Python's own, an array as it is."""
    return entry.item() if isinstance(entry, np.generic) else entry


def open_runs(source: str, root: Path, catalogue: str | Path) -> RunStore:
    """The journal or the catalogue of a beamline.

    Parameters
    ----------
    source : str
        ``journal`` or ``catalogue``.
    root : Path
        The data root.
    catalogue : str or path
        Address of the catalogue.

    Raises
    ------
    RunError
        If there is no such source.
    """
    if source == "journal":
        return JournalRuns(root)
    if source == "catalogue":
        return CatalogueRuns(catalogue)
    raise RunError(f"runs come from the journal or from the catalogue, not from {source!r}")
