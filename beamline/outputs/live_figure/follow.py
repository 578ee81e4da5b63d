"""Follows scan sets in the journal as they grow: the newest or a given one, alone or with related ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

from beamline.records.journal import damage, run_files
from beamline.records.journal.ends import start_and_stop, start_of
from beamline.records.journal.read import RunReader
from beamline.records.logbook import Corrections, LogbookReader
from beamline.records.runs.run import REPLAYED
from reduction.documents.finding_run import is_finding
from reduction.documents.raw import is_reducible

logger = logging.getLogger(__name__)

Document = dict[str, Any]


def same_set(start: Document) -> Hashable:
    """Key that the passes of a scan set share."""
    return start.get("scan_set")


class ScanFollower:
    """Yields the documents of a scan set, raw and reduced, from its first pass on. Read-only.

    Parameters
    ----------
    root : path
        The data root.
    scan_set : str, optional
        Uid of a scan set, or its beginning; by default that of the newest measurement, now and later.
    whole : bool
        Read every dwell of all passes. By default only the start and stop documents are read of raw passes that have
        ended already, except the newest of its scan set.
    kin : callable
        Key of a start document; scan sets with equal keys are followed together.
    replays : bool
        Also yield replayed runs.
    findings : bool
        Follow the run of a finding while none is newer, unless a scan set is given.
    """

    def __init__(
        self,
        root: str | Path,
        scan_set: str | None = None,
        *,
        whole: bool = False,
        kin: Callable[[Document], Hashable] = same_set,
        replays: bool = False,
        findings: bool = False,
    ) -> None:
        self._root = Path(root)
        self._wanted = scan_set
        self._whole, self._kin, self._replays = whole, kin, replays
        self._findings = findings and scan_set is None
        self._starts: dict[Path, Document] = {}
        self._logbook = LogbookReader(root)
        self._corrections = Corrections()
        self._readers: dict[Path, RunReader] = {}
        self._chosen: Hashable = None
        self._reported: set[Path] = set()

    def poll(self) -> Iterator[tuple[str, Document]]:
        """Documents written since the last call, as (name, document), pass by pass."""
        new = self._discover()
        chosen = self._choose()
        if chosen != self._chosen:
            self._chosen, self._readers = chosen, {}
            new = list(self._starts)
        mine = self._files_of(chosen)
        newest = {self._starts[path]["scan_set"]: path for path in mine if _is_raw(self._starts[path])}.values()
        for path in sorted(set(new) & set(mine), key=self._order):
            brief = not self._whole and _is_raw(self._starts[path]) and path not in newest
            start, stop = start_and_stop(path) if brief else (None, None)
            if start is not None and stop is not None:
                yield "start", self._corrections.applied(start)
                yield "stop", stop
            else:
                self._readers[path] = RunReader(path)
        for path in sorted(self._readers, key=self._order):
            if self._readers[path].grown():
                for name, doc in self._readers[path].documents():
                    yield name, self._corrections.applied(doc) if name == "start" else doc
                self._report_damage(self._readers[path])

    def _report_damage(self, reader: RunReader) -> None:
        if reader.problems and reader.path not in self._reported and (text := damage(reader.path)):
            self._reported.add(reader.path)
            logger.warning("run %s is %s", reader.uid[:8], text)

    def _discover(self) -> list[Path]:
        """New files that have their start document."""
        found = {path: start_of(path) for path in run_files(self._root) if path not in self._starts}
        if self._logbook.poll():
            self._corrections = Corrections(self._logbook.corrections)
        new = {path: self._corrections.applied(start) for path, start in found.items() if start is not None}
        self._starts |= new
        return list(new)

    def _order(self, path: Path) -> tuple[int, Path]:
        """Where a run stands among the others: by the number of its scan, as the clock may have been set back."""
        number = self._starts[path].get("scan_id")
        return number if isinstance(number, int) else 0, path

    def _files_of(self, chosen: Hashable) -> list[Path]:
        """Files of the selected scan sets, the earliest first; reduced runs belong to their raw scan set."""
        starts = self._starts
        if isinstance(chosen, Path):
            return [chosen]
        sets = {start["scan_set"] for start in starts.values() if _is_raw(start) and self._kin(start) == chosen}
        mine = [path for path in sorted(starts, key=self._order) if starts[path].get("scan_set") in sets]
        return mine if self._replays else [path for path in mine if REPLAYED not in starts[path]]

    def _choose(self) -> Hashable:
        """Key of the scan set, or the file of a finding."""
        ordered = sorted(self._starts, key=self._order)
        if self._findings and (finding := self._newest_finding(ordered)):
            return finding
        raw = [self._starts[path] for path in ordered if _is_raw(self._starts[path])]
        if self._wanted is not None:
            raw = [start for start in raw if str(start["scan_set"]).startswith(self._wanted)]
        return self._kin(raw[-1]) if raw else None

    def _newest_finding(self, ordered: list[Path]) -> Path | None:
        """The newest run, if it makes a finding."""
        shown = [path for path in ordered if is_finding(self._starts[path]) or _is_raw(self._starts[path])]
        return shown[-1] if shown and is_finding(self._starts[shown[-1]]) else None


def _is_raw(start: Document) -> bool:
    return "analysis_of" not in start and is_reducible(start)
