"""Thread that syncs appended documents to disk, at least once a second."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from beamline.records.journal.run import sync_in_place

logger = logging.getLogger(__name__)


class SyncThread:
    """Calls `take_dirty` twice a second and syncs the files whose descriptors it returns.

    The thread starts with the first `wake` and ends with `close`. It is separate from the writer, so that a slow disk
    never delays a document. An error is stored for the writer to raise: see `failure`.
    """

    def __init__(self, take_dirty: Callable[[], list[tuple[Path, int]]], interval: float = 0.5) -> None:
        self._take_dirty, self._interval = take_dirty, interval
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None

    def wake(self) -> None:
        """Start the thread, unless it is running."""
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
            self._thread.start()

    def failure(self) -> OSError | None:
        """Error of a sync since the last call, or None."""
        failure, self._failure = self._failure, None
        return failure

    def close(self) -> None:
        """Stop the thread after a last sync."""
        if self._thread is not None:
            self._ending.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._ending.wait(self._interval):
            self._sync()
        self._sync()

    def _sync(self) -> None:
        for path, descriptor in self._take_dirty():
            try:
                sync_in_place(path, descriptor)
            except OSError as error:
                logger.error("the journal could not be synced to disk: %s", error)
                self._failure = error
            finally:
                os.close(descriptor)
