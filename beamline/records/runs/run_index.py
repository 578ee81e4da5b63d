"""What searches need of each run of a journal, kept in one file below the data root: a list need not open all files.

The file is a small SQLite database, read into memory whole and replaced whole, so that nobody waits for a lock. While
no file has come into the journal's folder or gone from it, unfinished runs and those that are asked for are looked at,
and no others, however many there are. Otherwise a run is read again when its file has another size or another time of
change. The index may be removed at any time.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from beamline.config.own_files import read_own, replace_file
from beamline.records.journal import journal_directory, uid_of
from beamline.records.journal.ends import ends_with_stop, is_being_written, start_and_stop
from beamline.records.journal.files import run_states
from beamline.records.journal.seal import NO_START
from beamline.records.runs.matching import listed_rows, page_of
from beamline.records.runs.run import Run, in_order, unfit_start

logger = logging.getLogger(__name__)

FILE = "run_index.sqlite"
VERSION = 4
"""Of what is kept; that of another version is made again."""
KEPT = (
    "uid", "time", "scan_id", "scan_set", "series", "analysis_of",
    "beamline_name", "cycle", "proposal", "sample", "edge", "scan_axis", "night", "place",
)  # fmt: skip
"""Entries of start documents by which runs are found and ordered."""
SETTLED_NS = 2_000_000_000
"""Age of the folder's last change from which on another one is sure to have another time."""
BEGINS = "substr(lower(uid), 1, length(:it)) = :it or substr(lower(scan_set), 1, length(:it)) = :it"
BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Another one after a power failure, which may have shortened files that had ended."""


class ListedRun(NamedTuple):
    """A run as it is listed; named tuples are made ten times faster than data classes.

    Attributes
    ----------
    start : mapping
        Entries `KEPT` of its start document; empty if it cannot be listed.
    why : str
        Why not; empty while it is being written.
    stopped : bool
        Whether its file ends with its stop document.
    """

    start: Mapping[str, Any]
    why: str = ""
    stopped: bool = False


class IndexRow(NamedTuple):
    """A run in the database; `file` is the name of its file as the system has it, `start` is JSON."""

    file: bytes
    size: int
    changed: int
    start: str
    why: str
    stopped: int
    uid: str | None
    raw_uid: str | None
    scan_set: str | None
    has_row: int

    @property
    def name(self) -> str:
        return os.fsdecode(self.file)

    @property
    def state(self) -> State:
        return self.size, self.changed

    @property
    def run(self) -> ListedRun:
        return ListedRun(json.loads(self.start), self.why, bool(self.stopped))


State = tuple[int, int]
"""Size and time of change of a file."""
WRITTEN: State = (0, 0)
"""Of one that is being written: it is looked at each time."""
Known = dict[str, tuple[State, ListedRun]]
"""By the name of its file, each run."""
COLUMNS = ", ".join(IndexRow._fields)
SCHEMA = f"create table runs ({COLUMNS}); create table about (version, mark, odd)"
"""Runs in the order of measurement, after those that cannot be listed."""


class RunIndex:
    """The runs of a journal, of which only the files that changed are opened.

    Parameters
    ----------
    root : path
        The data root, or the folder of the journal in it.
    """

    def __init__(self, root: str | Path) -> None:
        self._folder = journal_directory(root)
        self._path = self._folder.parent / FILE
        self._rows, self._mark, self._odd = self._stored()
        self._known: Known | None = None
        self._listed: dict[str, ListedRun] | None = None

    def unstopped(self) -> list[Path]:
        """Files that do not end with a stop document."""
        self._update()
        return [self._folder / row.name for row in self._select("not stopped")]

    def page(self, newest: int, page: int) -> tuple[dict[str, ListedRun], int]:
        """A page of runs with their reduced ones, and how many rows are before these."""
        self._update()
        uids = [uid for (uid,) in self._rows.execute("select uid from runs where has_row order by rowid")]
        first, last = page_of(uids, newest, page)
        return self._with_reduced(uids[first:last]), first

    def named(self, beginnings: Iterable[str]) -> dict[str, ListedRun]:
        """Runs with their reduced ones of which a uid or the scan set begins with one of these lower-case texts."""
        self._update()
        found = [row for name in beginnings for row in self._select(BEGINS, it=name)]
        return self._with_reduced({uid for row in found for uid in (row.uid, row.raw_uid)})

    def uids(self, beginning: str) -> list[str]:
        """Uids of runs and scan sets that begin with a lower-case text."""
        self._update()
        uids = (uid for row in self._select(BEGINS, it=beginning) for uid in (row.uid, row.scan_set))
        return sorted({uid for uid in uids if uid is not None and uid.lower().startswith(beginning)})

    def listed(self) -> dict[str, ListedRun]:
        """All runs as they are now, in the order of measurement; the same mapping if none changed.

        All files are looked for, and opened where they changed.
        """
        self._refresh()
        if self._listed is None:
            self._listed = {name: run for name, (_, run) in self._all().items()}
        return self._listed

    def left_alone(self) -> dict[str, str]:
        """Files with the name of a run that could not be listed, with the reason."""
        return {row.name: row.why for row in self._select("why <> ''")} | self._odd

    def odd_paths(self) -> dict[Path, str]:
        """Links, folders and pipes with names of runs, each with its kind."""
        return {self._folder / name: kind for name, kind in self._odd.items()}

    def _with_reduced(self, uids: Iterable[str | None]) -> dict[str, ListedRun]:
        which = "uid in (select value from json_each(:uids)) or raw_uid in (select value from json_each(:uids))"
        given = json.dumps([uid for uid in uids if uid is not None])
        found = self._select(which, uids=given)
        if any(row.state not in (WRITTEN, _state(self._folder / row.name)) for row in found):
            self._refresh()
            found = self._select(which, uids=given)
        return {row.name: row.run for row in found}

    def _select(self, which: str, **given: str) -> list[IndexRow]:
        rows = self._rows.execute(f"select {COLUMNS} from runs where {which} order by rowid", given)
        return list(map(IndexRow._make, rows))

    def _update(self) -> None:
        """Refresh, unless no file has come or gone, and no unfinished one has changed."""
        if self._mark != _mark(self._folder) or not self._mark or not all(map(self._is_same, self._unfinished())):
            self._refresh()

    def _unfinished(self) -> list[IndexRow]:
        return self._select(f"not stopped or (size, changed) = {WRITTEN}")

    def _is_same(self, row: IndexRow) -> bool:
        path = self._folder / row.name
        return row.state == _state(path) if row.state != WRITTEN else _look(path) == (False, row.run)

    def _refresh(self) -> None:
        """Look for all files, and open those that changed."""
        before = self._all()
        mark, odd = _mark(self._folder), dict[str, str]()
        after = Known()
        for name, state in run_states(self._folder, odd).items():
            known = before.get(name)
            if known is None or known[0] != state:
                is_whole, run = _look(self._folder / name)
                known = (state.size, state.changed) if is_whole else WRITTEN, run
            after[name] = known
        if after != before:
            self._known, self._listed = _in_order(after), None
            self._rows = _database(self._known)
        if (after, mark, odd) != (before, self._mark, self._odd):
            self._mark, self._odd = mark, odd
            self._store()

    def _all(self) -> Known:
        """All runs of the database; their entries are decoded once, and together."""
        if self._known is None:
            rows = self._select("true")
            starts = json.loads(f"[{','.join(row.start for row in rows)}]")
            runs = (ListedRun(start, row.why, bool(row.stopped)) for start, row in zip(starts, rows, strict=True))
            self._known = {row.name: (row.state, run) for row, run in zip(rows, runs, strict=True)}
        return self._known

    def _stored(self) -> tuple[sqlite3.Connection, str, dict[str, str]]:
        """The index as it was written; empty if it is missing or unusable."""
        with suppress(OSError, ValueError, TypeError, MemoryError, sqlite3.Error):  # of an empty file: no memory
            rows = sqlite3.connect(":memory:")
            rows.deserialize(read_own(self._path))
            rows.execute("pragma trusted_schema = off")
            ((version, mark, odd),) = rows.execute("select version, mark, odd from about").fetchall()
            if version == VERSION and rows.execute("pragma quick_check").fetchall() == [("ok",)]:
                return rows, str(mark), dict(json.loads(odd))
        return _database({}), "", {}

    def _store(self) -> None:
        self._rows.execute("delete from about")
        self._rows.execute("insert into about values (?, ?, ?)", (VERSION, self._mark, json.dumps(self._odd)))
        self._rows.commit()
        try:
            replace_file(self._path, self._rows.serialize())
        except OSError as error:  # a folder of others, a full disk: the next list reads again
            logger.debug("%s is not written: %s", self._path, error)


def _in_order(runs: Known) -> Known:
    """Runs in the order of measurement, after those that cannot be listed."""
    names = {str(run.start["uid"]): name for name, (_, run) in runs.items() if run.start}
    ordered = in_order([Run(dict(runs[name][1].start), None) for name in names.values()])
    others = (name for name, (_, run) in runs.items() if not run.start)
    return {name: runs[name] for name in (*others, *(names[run.uid] for run in ordered))}


def _database(runs: Known) -> sqlite3.Connection:
    """These runs in memory."""
    with_row = {run.uid for run in listed_rows(Run(dict(run.start), None) for _, run in runs.values() if run.start)}
    found = sqlite3.connect(":memory:")
    found.executescript(SCHEMA)
    places = ", ".join("?" * len(IndexRow._fields))
    rows = (_row(name, *each, with_row) for name, each in runs.items())
    found.executemany(f"insert into runs values ({places})", rows)
    return found


def _row(name: str, state: State, run: ListedRun, with_row: set[str]) -> IndexRow:
    uid, raw_uid, scan_set = (_text(run.start.get(key)) for key in ("uid", "analysis_of", "scan_set"))
    has_row = uid in with_row
    return IndexRow(
        os.fsencode(name), *state, json.dumps(run.start), run.why, run.stopped, uid, raw_uid, scan_set, has_row
    )


def _text(value: str | None) -> str | None:
    """A text as SQLite takes it: of Unicode characters alone."""
    return value if value is None else value.encode(errors="replace").decode()


def _state(path: Path) -> State | None:
    with suppress(OSError):
        status = path.stat(follow_symlinks=False)
        return status.st_size, status.st_mtime_ns
    return None


def _mark(folder: Path) -> str:
    """Changes whenever a file comes or goes, and with a restart of the machine; empty where that is not sure."""
    with suppress(OSError):
        status = folder.stat()
        if time.time_ns() - status.st_mtime_ns > SETTLED_NS:
            return f"{status.st_mtime_ns} {status.st_ino} {BOOT.read_text()}"
    return ""


def _look(path: Path) -> tuple[bool, ListedRun]:
    """Whether a file is whole, and its run."""
    start, stop = start_and_stop(path)
    is_whole = stop is not None or not is_being_written(path)
    why = NO_START if start is None else unfit_start(start, uid_of(path))
    if start is None or why:
        return is_whole, ListedRun({}, why if is_whole else "")
    stopped = stop is not None and ends_with_stop(path)  # bytes after it are still to be set aside
    kept = json.dumps({key: start[key] for key in KEPT if key in start}, default=_plain)
    return is_whole, ListedRun(json.loads(kept), stopped=stopped)


def _plain(value: Any) -> Any:
    """A value that JSON does not have: a number or an array of numpy, or its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
