"""What searches need of each run of a journal, kept in one file below the data root: a list need not open all files.

A run is read again when its file has another size or another time of change. The index may be removed at any time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamline.config.own_files import read_own, replace_file
from beamline.records.journal import journal_directory, uid_of
from beamline.records.journal.ends import ends_with_stop, is_being_written, start_and_stop
from beamline.records.journal.files import FileState, run_states
from beamline.records.journal.seal import NO_START
from beamline.records.runs.run import unfit_start

logger = logging.getLogger(__name__)

FILE = "run_index.json"
VERSION = 2
"""Of what is kept; that of another version is made again."""
KEPT = (
    "uid", "time", "scan_id", "scan_set", "series", "analysis_of",
    "beamline_name", "cycle", "proposal", "sample", "edge", "scan_axis", "night", "place",
)  # fmt: skip
"""Entries of start documents by which runs are found and ordered."""


@dataclass(frozen=True)
class ListedRun:
    """A run as it is listed.

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


class RunIndex:
    """The runs of a journal, of which only the files that changed are opened.

    Parameters
    ----------
    root : Path
        The data root.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / FILE
        self._known: dict[str, tuple[FileState, ListedRun]] | None = None
        self.odd: dict[str, str] = {}
        """Links, folders and pipes with names of runs, each with its kind; filled by `listed`."""

    def stopped(self) -> set[str]:
        """Names of files that end with a stop document."""
        return {name for name, run in self.listed().items() if run.stopped}

    def listed(self) -> dict[str, ListedRun]:
        """All runs as they are now, by the name of their file."""
        before = self._stored() if self._known is None else self._known
        folder = journal_directory(self._root)
        found, kept = dict[str, ListedRun](), dict[str, tuple[FileState, ListedRun]]()
        self.odd = {}
        for name, state in run_states(self._root, self.odd).items():
            known = before.get(name)
            is_whole, run = (True, known[1]) if known and known[0] == state else _look(folder / name)
            found[name] = run
            if is_whole:
                kept[name] = state, run
        if kept != before:
            self._store(kept)
        self._known = kept
        return found

    def _stored(self) -> dict[str, tuple[FileState, ListedRun]]:
        """The index as it was written; empty if it is missing or unusable."""
        try:
            content = json.loads(read_own(self._path))
            if content["version"] != VERSION:
                return {}
            return {
                name: (FileState(*map(int, state)), ListedRun(dict(start), str(why), bool(stopped)))
                for name, state, start, why, stopped in content["runs"]
            }
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def _store(self, kept: Mapping[str, tuple[FileState, ListedRun]]) -> None:
        rows = [(name, state, dict(run.start), run.why, run.stopped) for name, (state, run) in kept.items()]
        try:
            replace_file(self._path, json.dumps({"version": VERSION, "runs": rows}).encode())
        except (OSError, ValueError, TypeError) as error:  # a folder of others, a full disk: the next list reads again
            logger.debug("%s is not written: %s", self._path, error)


def _look(path: Path) -> tuple[bool, ListedRun]:
    """Whether a file is whole, and its run."""
    start, stop = start_and_stop(path)
    is_whole = stop is not None or not is_being_written(path)
    why = NO_START if start is None else unfit_start(start, uid_of(path))
    if start is None or why:
        return is_whole, ListedRun({}, why if is_whole else "")
    stopped = stop is not None and ends_with_stop(path)  # bytes after it are still to be set aside
    return is_whole, ListedRun({key: start[key] for key in KEPT if key in start}, stopped=stopped)
