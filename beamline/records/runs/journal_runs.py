"""The runs of a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from beamline.records.catalogue.wanted import Wanted
from beamline.records.journal import damage, journal_directory, read, run_file
from beamline.records.journal.ends import is_being_written, start_and_stop
from beamline.records.journal.fitness import count_events
from beamline.records.journal.read import RunReader
from beamline.records.logbook import Correction, Corrections, LogbookReader, Note, read_logbook
from beamline.records.runs.matching import listed_rows, matching, page_of
from beamline.records.runs.run import Document, Run, in_order
from beamline.records.runs.run_index import ListedRun, RunIndex


class JournalRuns:
    """The runs of a journal, including those being written. Independent of the catalogue.

    Parameters
    ----------
    root : path
        The data root.
    """

    name = "journal"

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._damage: dict[tuple[Path, int], str] = {}
        self._left_alone: dict[str, str] = {}
        self._corrections: Corrections | None = None
        self._names: dict[str, str] = {}
        self._seen: tuple[Mapping[str, ListedRun], list[Correction], list[Note]] | None = None
        self._in_order: list[Run] = []
        self._index = RunIndex(self._root)

    @property
    def left_alone(self) -> dict[str, str]:
        """Files with the name of a run that cannot be listed, with the reason; filled by `runs`."""
        return self._left_alone

    def runs(self, newest: int | None = None) -> list[Run]:
        """All runs in the order in which they were measured."""
        return list(self._read(self._listed()))

    def found(self, wanted: Wanted, newest: int, page: int = 1) -> tuple[list[Run], int]:
        """A page of runs with their reduced ones, and how many rows are before these; only their files are read."""
        if not wanted:
            on_page, first = self._index.page(newest, page)
            return list(self._read(self._noted(on_page, read_logbook(self._root)))), first
        listed = self._listed()
        rows = list(matching(listed_rows(listed), listed, wanted))
        first, last = page_of(rows, newest, page)
        uids = {run.uid for run in rows[first:last]}
        return list(self._read(run for run in listed if run.uid in uids or run.raw_uid in uids)), first

    def named(self, names: Sequence[str]) -> list[Run]:
        """Runs by the beginning of a uid, of them, their scan set or a reduced run."""
        found = self._index.named(name.lower() for name in names)
        return list(self._read(self._noted(found, read_logbook(self._root))))

    def listed(self) -> list[Run]:
        """All runs in order, of each start document only what the index keeps."""
        return list(self._listed())

    def where(self, fits: Callable[[Run], bool]) -> list[Run]:
        """Runs with their whole documents whose entries in the index fit, in order; only their files are read."""
        return list(self._read(filter(fits, self._listed())))

    def _listed(self) -> list[Run]:
        """All runs in order, each with what the index has of it."""
        logbook, listed = read_logbook(self._root), self._index.listed()
        seen = listed, logbook.corrections, logbook.notes
        if self._seen is None or self._seen[0] is not listed or self._seen[1:] != seen[1:]:
            self._seen, self._in_order = seen, in_order(self._noted(listed, logbook))
        return self._in_order

    def _noted(self, listed: Mapping[str, ListedRun], logbook: LogbookReader) -> list[Run]:
        """Runs with what the logbook has of them."""
        self._corrections, notes = Corrections(logbook.corrections), logbook.notes_by_run()
        self._left_alone = self._index.left_alone()
        found = []
        for name, each in listed.items():
            if each.start:
                run = Run(self._corrections.applied(each.start), None, notes=notes.get(str(each.start["uid"]), ()))
                self._names[run.uid] = name
                found.append(run)
        return found

    def _read(self, listed: Iterable[Run]) -> Iterator[Run]:
        """The same runs with their whole documents; without those whose files were moved away meanwhile."""
        corrections = self._corrections or Corrections()
        for run in listed:
            path = journal_directory(self._root) / self._names[run.uid]
            start, stop = start_and_stop(path)
            if start is not None:
                running = stop is None and is_being_written(path)
                yield Run(corrections.applied(start), stop, running, run.notes)

    def damage(self, run: Run) -> str:
        """What of a run's file is damaged, and what the run lacks for it; looked for once."""
        path = self._file(run.uid)
        looked_at = path, path.stat().st_mtime_ns
        if looked_at not in self._damage:
            self._damage[looked_at] = damage(path)
        return self._damage[looked_at]

    def documents(self, uid: str) -> Iterator[tuple[str, Document]]:
        """The documents of a run as they were announced, but corrected; of a damaged one, those that can be used."""
        path = self._file(uid)
        if self._corrections is None:
            self._corrections = Corrections(read_logbook(self._root).corrections)
        return _corrected(iter(read(path)) if damage(path) else RunReader(path).documents(), self._corrections)

    def num_events(self, run: Run) -> dict[str, int]:
        """Events by stream; a run without its end, or with damage, is read for it."""
        if run.stop is not None and not self.damage(run):
            return dict(run.stop.get("num_events", {}))
        return count_events(read(self._file(run.uid)))

    def _file(self, uid: str) -> Path:
        """The file of a run; the folder is searched only for one that has not been listed."""
        path = journal_directory(self._root) / self._names.get(uid, "")
        return path if uid in self._names and path.is_file() else run_file(self._root, uid)

    def close(self) -> None:
        """Nothing to close."""


def _corrected(documents: Iterator[tuple[str, Document]], corrections: Corrections) -> Iterator[tuple[str, Document]]:
    for name, doc in documents:
        yield name, corrections.applied(doc) if name == "start" else doc
