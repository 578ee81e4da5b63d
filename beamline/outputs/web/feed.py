"""The threads that keep the board up to date, one for each reader of the journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Thread

from beamline.outputs.web.board import Board
from beamline.outputs.web.readers import Pace, Reader
from beamline.records.journal.files import journal_directory, run_files

logger = logging.getLogger(__name__)

END_TIMEOUT = 10.0


class Place:
    """A journal folder; notices when it was replaced, or runs were moved away."""

    def __init__(self, root: Path) -> None:
        self._folder = journal_directory(root)
        self._seen, self._files = (-1, -1), set[Path]()

    def was_replaced(self) -> bool:
        """Whether a run that was there before is gone."""
        try:
            status = self._folder.stat()
            seen = status.st_ino, status.st_mtime_ns  # of two folders made just now, the times may be the same
        except OSError:
            seen = 0, 0
        if seen == self._seen:
            return False
        there, before = set(run_files(self._folder)), self._files
        self._seen, self._files = seen, there
        return not before <= there


class Feed:
    """One reader in a thread of its own, made anew if the journal is replaced.

    Parameters
    ----------
    name : str
    make : callable
        Returns a reader.
    pace : Pace
    root : Path
    board : Board
    """

    def __init__(self, name: str, make: Callable[[], Reader], pace: Pace, root: Path, board: Board) -> None:
        self._name, self._make, self._pace, self._board = name, make, pace, board
        self._place = Place(root)
        self._reader: Reader | None = None
        self._ended = Event()
        self._thread = Thread(target=self._run, name=f"web {name}", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join(END_TIMEOUT)

    def step(self) -> None:
        """Read, and put what has changed on the board."""
        if self._place.was_replaced() or self._reader is None:
            self._reader = self._make()
        if not self._reader.look():
            return
        for part, value in self._reader.parts().items():
            self._board.put(part, value())

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.thread_time()
            try:
                self.step()
                self._board.put(f"trouble_{self._name}", "")
            except Exception as error:  # a part that fails must not take the others along
                logger.exception("the part %s of the page failed", self._name)
                self._board.put(f"trouble_{self._name}", f"{type(error).__name__}: {error}")
                self._reader = None
                self._ended.wait(2.0)
            self._ended.wait(max(self._pace.every, self._pace.rest * (time.thread_time() - began)))


def feeds(root: Path, board: Board, wanted: Iterable[tuple[str, Callable[[], Reader], Pace]]) -> list[Feed]:
    """A feed for each reader."""
    return [Feed(name, make, pace, root, board) for name, make, pace in wanted]
