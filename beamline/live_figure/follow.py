"""Follows one scan set in the journal as it grows: the newest one, or one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beamline.journal import run_files
from beamline.journal.ends import start_and_stop, start_of
from beamline.journal.read import RunReader
from beamline.runs.store import REPLAYED
from reduction.documents import is_reducible

Document = dict[str, Any]


class ScanFollower:
    """Yields the documents of a scan set, raw and live reduced, from its first pass on. Reads only.

    Of raw passes that had ended when they were found, only the start and the stop document are read, unless it is the
    newest pass.

    Parameters
    ----------
    root : path
        The data root.
    scan_set : str, optional
        Uid of a scan set, or its beginning; by default that of the newest measurement, now and later.
    """

    def __init__(self, root: str | Path, scan_set: str | None = None) -> None:
        self._root = Path(root)
        self._wanted = scan_set
        self._starts: dict[Path, Document] = {}
        self._readers: dict[Path, RunReader] = {}
        self._scan_set: str | None = None

    def poll(self) -> Iterator[tuple[str, Document]]:
        """What was written since the last call, as (name, document), pass by pass."""
        new = self._discover()
        chosen = self._choose()
        if chosen != self._scan_set:
            self._scan_set, self._readers = chosen, {}
            new = list(self._starts)
        newest = max((p for p in self._starts if self._is_raw(p)), key=lambda p: p.name, default=None)
        for path in sorted(new):
            if self._starts[path].get("scan_set") != chosen or REPLAYED in self._starts[path]:
                continue
            start, stop = start_and_stop(path) if self._is_raw(path) and path != newest else (None, None)
            if start is not None and stop is not None:
                yield "start", start
                yield "stop", stop
            else:
                self._readers[path] = RunReader(path)
        for path in sorted(self._readers):
            if self._readers[path].grown():
                yield from self._readers[path].documents()

    def _discover(self) -> list[Path]:
        """Files that are new and have their start document."""
        found = {path: start_of(path) for path in run_files(self._root) if path not in self._starts}
        new = {path: start for path, start in found.items() if start is not None}
        self._starts |= new
        return list(new)

    def _is_raw(self, path: Path) -> bool:
        start = self._starts[path]
        return is_reducible(start) and "analysis_of" not in start and start.get("scan_set") == self._scan_set

    def _choose(self) -> str | None:
        sets = [
            str(self._starts[path]["scan_set"]) for path in sorted(self._starts)
            if is_reducible(self._starts[path]) and "analysis_of" not in self._starts[path]
        ]  # fmt: skip
        if self._wanted is not None:
            sets = [each for each in sets if each.startswith(self._wanted)]
        return sets[-1] if sets else None
