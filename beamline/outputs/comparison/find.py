"""Results by name in one or several data roots, or straight from a file of another program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from beamline.outputs.export.result import Result, read_result
from beamline.records.catalogue.wanted import Wanted
from beamline.records.importing.choices import Choices
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.files import read_file
from beamline.records.runs.find import find
from beamline.records.runs.run import Document, Run, RunError
from beamline.records.runs.search import runs_named
from beamline.records.runs.store import RunStore
from reduction.documents.raw import IMPORTED, PRIMARY
from reduction.documents.streams import has_result
from reduction.live.imported import ImportedReducer


class MemoryRuns:
    """Runs of a file that are not written anywhere: an imported one and its reduced run."""

    name = "file"

    def __init__(self) -> None:
        self._documents: dict[str, list[tuple[str, Document]]] = {}
        self._current: list[tuple[str, Document]] = []

    def __call__(self, name: str, doc: Any) -> None:
        """Take one document."""
        if name == "start":
            self._current = self._documents[doc["uid"]] = []
        self._current.append((name, doc))

    @property
    def left_alone(self) -> dict[str, str]:
        return {}

    def runs(self, newest: int | None = None) -> list[Run]:
        return [Run(docs[0][1], docs[-1][1]) for docs in self._documents.values()]

    def found(self, wanted: Wanted, newest: int, page: int = 1) -> None:
        """Reads all of its few runs."""

    def named(self, names: Sequence[str]) -> list[Run]:
        """None: all of its few runs are read."""
        return []

    def damage(self, run: Run) -> str:
        return ""

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        return iter(self._documents[uid])

    def num_events(self, run: Run) -> dict[str, int]:
        return dict((run.stop or {}).get("num_events", {PRIMARY: 0}))

    def close(self) -> None:
        """Nothing to close."""


def result_of(stores: Sequence[RunStore], name: str, edge: str = "") -> Result:
    """A result by the uid or name of its run, in the first of some stores that has it, or of a file at this path.

    Parameters
    ----------
    stores : sequence of RunStore
        In the order in which they are searched.
    name : str
        As for `beamline.records.runs.find.find`, or the path of a file.
    edge : str
        Edge of a file that does not name its own.

    Raises
    ------
    RunError
        If no store has it, with the reason of the last.
    beamline.outputs.export.errors.ExportError
        If it has no result.
    """
    if Path(name).is_file():
        return _of_file(Path(name), edge)
    missing: RunError | None = None
    for store in stores:
        runs = runs_named(store, [name])
        try:
            find(runs, name)
        except RunError as error:
            missing = error
            continue
        return read_result(store, runs, name)
    raise RunError(f"{name}: {missing}" if len(stores) > 1 else str(missing))


def _of_file(path: Path, edge: str) -> Result:
    """The only scan of a file, reduced in memory."""
    scans = read_file(path, Choices(edge=edge))
    if len(scans) > 1:
        raise ImportRefusedError(f"{path.name}: it has {len(scans)} scans; import it, and name one of its runs")
    store = MemoryRuns()
    uid = scans[0].write(store)
    if IMPORTED not in store.runs()[0].start or scans[0].found.kind == "table":
        raise ImportRefusedError(f"{path.name}: it scans no energy, delay or fluence")
    reducer = ImportedReducer(store)
    for kind, doc in list(store.documents(uid)):
        reducer(kind, doc)
    stop = store.runs()[-1].stop or {}
    if not has_result(stop):
        raise ImportRefusedError(f"{path.name}: {stop.get('reason')}")
    return read_result(store, store.runs(), uid)
