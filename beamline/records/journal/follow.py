"""Following the journal: all its files as they grow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

from beamline.records.journal.files import SUFFIX, journal_directory, run_files
from beamline.records.journal.read import RunReader

logger = logging.getLogger(__name__)


class RunFolder:
    """Follows the files of a journal; lists the folder again only if it has changed.

    Parameters
    ----------
    root : path
        The data root.
    """

    def __init__(self, root: str | Path) -> None:
        self._directory = journal_directory(root)
        self._listed_ns = -1
        self.paths: dict[Path, None] = {}

    def new(self) -> list[Path]:
        """Files added since the last call, the earliest run first."""
        try:
            changed_ns = self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        # A file made within the time stamp's grain after a listing would be missed: list again while it is young.
        if changed_ns == self._listed_ns and time.time_ns() - changed_ns > 1_000_000_000:
            return []
        self._listed_ns = changed_ns
        there = dict.fromkeys(run_files(self._directory))
        found = [path for path in there if path not in self.paths]
        for path in [path for path in self.paths if path not in there]:  # moved away: new again if it comes back
            del self.paths[path]
        self.paths.update(dict.fromkeys(found))
        return found


class DirectoryReader:
    """Follows all files of a journal. Runs that have stopped are polled less often.

    Parameters
    ----------
    root : path
        The data root, or one journal file.
    newest : int, optional
        Number of existing files to read, the latest ones; all by default.
    """

    LOOK_AGAIN = 1.0
    """Seconds between polls of runs that have stopped."""

    def __init__(self, root: str | Path, newest: int | None = None) -> None:
        path = Path(root)
        self._folder = RunFolder(path)
        self._readers: dict[Path, RunReader] = {}
        self._looked = -self.LOOK_AGAIN
        self._reported: set[str] = set()
        self._single = path.suffix == SUFFIX
        if self._single:
            self._readers[path] = RunReader(path)
        elif newest is not None:
            there = self._folder.new()
            self._add(there[len(there) - min(newest, len(there)) :])

    def poll(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Documents written since the last call, file by file, as (run uid, name, document)."""
        if not self._single:
            self._add(self._folder.new())
        look_at_all = time.monotonic() - self._looked >= self.LOOK_AGAIN
        if look_at_all:
            self._looked = time.monotonic()
        for reader in list(self._readers.values()):
            if look_at_all:
                reader.look_again()
            if (look_at_all or not reader.stopped) and reader.grown():
                for name, doc in reader.documents():
                    yield reader.uid, name, doc
                self._report(reader)

    def _add(self, paths: list[Path]) -> None:
        self._readers.update({path: RunReader(path) for path in paths})

    def _report(self, reader: RunReader) -> None:
        for problem in reader.problems:
            if problem not in self._reported:
                self._reported.add(problem)
                logger.warning("%s", problem)


def tail(
    root: str | Path,
    *,
    follow: bool = False,
    stop: Event | Callable[[], bool] | None = None,
    newest: int | None = None,
    interval: float = 0.02,
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (run uid, name, document) from the beginning, in each run's order of writing.

    Parameters
    ----------
    root : path
        The data root, or one journal file.
    follow : bool
        Continue with later documents and new runs until `stop`. Otherwise end after the existing documents.
    stop : threading.Event or callable, optional
        Ends a following tail: an event that is set, or a function that returns True.
    newest : int, optional
        Number of existing runs to read, the latest ones; all by default.
    interval : float
        Seconds between polls while following.
    """
    ended = stop.is_set if isinstance(stop, Event) else stop or (lambda: False)
    reader = DirectoryReader(root, newest)
    while not ended():
        idle = True
        for item in reader.poll():
            idle = False
            yield item
            if ended():
                return
        if not follow:
            return
        if idle:
            time.sleep(interval)
