"""The journal's writer: the first subscriber of the RunEngine, and the only one that may stop a scan."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from beamline.config.own_files import is_in_place
from beamline.records.journal.errors import DiskFullError, JournalError
from beamline.records.journal.files import checked_uid, find_run, journal_directory, new_path
from beamline.records.journal.format import frame
from beamline.records.journal.reserve import Reserve
from beamline.records.journal.route import Router
from beamline.records.journal.run import RunFile
from beamline.records.journal.sync import SyncThread

logger = logging.getLogger(__name__)


class Journal:
    """Appends each document to the file of its run before other subscribers receive it.

    Subscribe it first: ``RE.subscribe(journal)``. Several runs may be open at once. When a call returns, the operating
    system has the document, so a killed process loses nothing; a thread syncs to disk at least once a second, and a
    stop document is synced before the call returns.

    Parameters
    ----------
    root : path
        The data root; files go to its folder ``journal``.
    min_free_bytes : int
        Least free disk space to accept a start document.
    """

    def __init__(self, root: str | Path, min_free_bytes: int = 1_000_000_000) -> None:
        self.directory = journal_directory(root)
        self.min_free_bytes = min_free_bytes
        self._lock = threading.Lock()
        self._router = Router()
        self._files: dict[str, RunFile] = {}
        self._dirty: set[str] = set()
        self._refused: set[str] = set()
        self._stopped: set[str] = set()
        self._folder: int | None = None
        self._reserve = Reserve(self.directory)
        self._sync = SyncThread(self._take_dirty)

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Store one document.

        Raises
        ------
        DiskFullError
            When the disk is too full to start, or became full; no partial document remains.
        JournalError
            When a uid cannot be part of a file name, a value cannot be written exactly, or the disk fails.
        """
        name = str(getattr(name, "name", name))
        with self._lock:
            run = self._owner(name, doc)
            if run in self._refused and name != "start":
                logger.warning("dropped the %s document of run %s, which was refused", name, run)
                return
            self._keep(run, name, doc)
            self._router.learn(name, doc, run)
            if name == "stop" or run in self._stopped:
                self._stopped.add(run)
                self._finish(run)
            self._raise_failed_sync()

    def close(self) -> None:
        """Sync and close everything. A run without a stop document is left to `seal`."""
        self._sync.close()
        with self._lock, ExitStack() as closing:  # after any failure, everything else is closed
            closing.callback(self._let_go)
            for run in list(self._files):
                closing.callback(self._finish, run)

    def _let_go(self) -> None:
        self._reserve.release()
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def open_runs(self) -> list[str]:
        """Uids of the open runs, the earliest first."""
        with self._lock:
            return list(self._files)

    def _owner(self, name: str, doc: Mapping[str, Any]) -> str:
        if name == "start":
            return checked_uid(doc.get("uid"))
        run = self._router.run_of(name, doc)
        if run is None and name == "stop":
            run = doc.get("run_start")  # its start was refused, or was written by another process
        if run is None and len(self._files) == 1:
            (run,) = self._files  # out of order: its descriptor is still to come
        if run is None:
            raise JournalError(f"A {name} document belongs to no open run. Emit the start and the descriptor first.")
        return checked_uid(run)

    def _keep(self, run: str, name: str, doc: Mapping[str, Any]) -> None:
        try:
            record = frame(name, doc)
            self._file_of(run, name, doc).append(record)
        except (JournalError, OSError) as error:
            if isinstance(error, DiskFullError):
                self._reserve.release()
            if name == "start":
                self._withdraw(run)
            raise
        self._refused.discard(run)
        self._dirty.add(run)
        self._sync.wake()

    def _file_of(self, run: str, name: str, doc: Mapping[str, Any]) -> RunFile:
        if run in self._files:
            return self._files[run]
        path = find_run(self.directory, run)
        if path is None:
            if name != "start":
                raise JournalError(f"A {name} document came for run {run}, which the journal has never seen.")
            self._admit()
            path = new_path(self.directory, run, doc.get("time"))
        self._files[run] = RunFile(path)
        return self._files[run]

    def _withdraw(self, run: str) -> None:
        """Drop a run whose start document could not be stored; the RunEngine still sends its stop document."""
        file = self._files.get(run)
        if file is None or file.empty:
            self._refused.add(run)
        if file is not None and file.empty:
            del self._files[run]
            file.path.unlink(missing_ok=True)
            file.close()

    def _admit(self) -> None:
        """Accept a new run, or refuse it before anything has moved."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            disk = os.statvfs(self.directory)
        except OSError as error:
            raise JournalError(
                f"The journal cannot use {self.directory}: {error.strerror}. Choose another data root."
            ) from error
        free = disk.f_bavail * disk.f_frsize
        if free < self.min_free_bytes:
            raise DiskFullError(
                f"Only {free / 1e9:.2f} GB are free in {self.directory} and a scan needs "
                f"{self.min_free_bytes / 1e9:.2f} GB: free some space or lower `min_free_bytes`."
            )
        self._refuse_another_folder()
        self._reserve.hold()

    def _refuse_another_folder(self) -> None:
        """All runs must be in the folder of the first: state, logs and lock of the session are beside it."""
        if self._folder is None:  # held open, so that its inode number is not reused
            self._folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if not is_in_place(self.directory, self._folder):
            raise JournalError(
                f"{self.directory} is not the folder in which this session began: the data root was removed, moved or "
                "remounted. Restore it, or restart this session."
            )

    def _finish(self, run: str) -> None:
        file = self._files.pop(run)
        self._dirty.discard(run)
        try:
            file.sync()
        except OSError as error:
            raise JournalError(f"The end of a run could not be synced to disk: {error.strerror}.") from error
        finally:
            file.close()

    def _take_dirty(self) -> list[tuple[Path, int]]:
        """Paths and descriptors (to be closed by the caller) of all files written since the last call."""
        with self._lock:
            dirty, self._dirty = self._dirty, set()
            files = [self._files[run] for run in dirty if run in self._files]
            return [(file.path, file.duplicate()) for file in files]

    def _raise_failed_sync(self) -> None:
        failure = self._sync.failure()
        open_paths = {str(file.path) for file in self._files.values()}
        if failure is not None and failure.errno == errno.ESTALE and failure.filename not in open_paths:
            return  # its run has ended, and reported it; the next one has another file
        if failure is not None:
            raise JournalError(
                f"The disk under {self.directory} failed to store earlier documents: {failure.strerror}. "
                "Check the disk before going on."
            ) from failure
