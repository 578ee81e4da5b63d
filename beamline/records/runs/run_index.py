"""What searches need of each run of a journal, kept in one file below the data root: a list need not open all files.

A run is read again when its file has another size or another time of change. The index may be removed at any time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from beamline.config.own_files import read_own, replace_file
from beamline.records.journal import journal_directory, uid_of
from beamline.records.journal.ends import ends_with_stop, is_being_written, start_and_stop
from beamline.records.journal.files import run_states
from beamline.records.journal.seal import NO_START
from beamline.records.runs.run import unfit_start

logger = logging.getLogger(__name__)

FILE = "run_index.json"
VERSION = 3
"""Of what is kept; that of another version is made again."""
KEPT = (
    "uid", "time", "scan_id", "scan_set", "series", "analysis_of",
    "beamline_name", "cycle", "proposal", "sample", "edge", "scan_axis", "night", "place",
)  # fmt: skip
"""Entries of start documents by which runs are found and ordered."""


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


Known = dict[str, list[Any]]
"""By the name of its file, of each run: size, time of change, start, why, stopped."""


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
        self._known: Known | None = None
        self._listed: dict[str, ListedRun] = {}
        self.odd: dict[str, str] = {}
        """Links, folders and pipes with names of runs, each with its kind; filled by `listed`."""

    def stopped(self) -> set[str]:
        """Names of files that end with a stop document."""
        return {name for name, run in self.listed().items() if run.stopped}

    def listed(self) -> dict[str, ListedRun]:
        """All runs as they are now, by the name of their file, the earliest first; the same mapping if none changed."""
        before = self._stored() if self._known is None else self._known
        found, kept = dict[str, ListedRun](), Known()
        odd, changed = dict[str, str](), False
        for name, state in run_states(self._folder, odd).items():
            row = before.get(name)
            if row is not None and row[0] == state.size and row[1] == state.changed:
                found[name], kept[name] = ListedRun(*row[2:]), row
                continue
            is_whole, found[name] = _look(self._folder / name)
            if is_whole:
                kept[name] = [*state, *found[name]]
                changed = True
        changed = changed or len(kept) != len(before)
        if changed:
            self._store(kept)
        if changed or len(found) != len(kept) or len(found) != len(self._listed) or odd != self.odd:
            self._listed = found
        self._known, self.odd = kept, odd
        return self._listed

    def _stored(self) -> Known:
        """The index as it was written; empty if it is missing or unusable."""
        try:
            content = json.loads(read_own(self._path))
            known = dict(content["runs"]) if content["version"] == VERSION else {}
            return known if all(map(_is_row, known.values())) else {}
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def _store(self, kept: Known) -> None:
        try:
            replace_file(self._path, json.dumps({"version": VERSION, "runs": kept}).encode())
        except (OSError, ValueError, TypeError) as error:  # a folder of others, a full disk: the next list reads again
            logger.debug("%s is not written: %s", self._path, error)


def _is_row(row: Any) -> bool:
    """Whether this is a run of the index."""
    return type(row) is list and [type(each) for each in row] == [int, int, dict, str, bool]


def _look(path: Path) -> tuple[bool, ListedRun]:
    """Whether a file is whole, and its run."""
    start, stop = start_and_stop(path)
    is_whole = stop is not None or not is_being_written(path)
    why = NO_START if start is None else unfit_start(start, uid_of(path))
    if start is None or why:
        return is_whole, ListedRun({}, why if is_whole else "")
    stopped = stop is not None and ends_with_stop(path)  # bytes after it are still to be set aside
    return is_whole, ListedRun({key: start[key] for key in KEPT if key in start}, stopped=stopped)
