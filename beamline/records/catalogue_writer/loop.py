"""The catalogue writer's loop over all runs of a journal; a failing run does not stop the others."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beamline.config.own_files import open_own
from beamline.records.catalogue.client import close_catalogue, is_server, open_catalogue
from beamline.records.catalogue.copied import set_aside_copy
from beamline.records.catalogue.embedded import array_directory
from beamline.records.catalogue_writer.batch import takes_batches
from beamline.records.catalogue_writer.helper import Helper, helper_takes
from beamline.records.catalogue_writer.logbook import LogbookCopy
from beamline.records.catalogue_writer.position import WriterPosition
from beamline.records.catalogue_writer.run import RunWriter, Trouble, describe, trouble_of
from beamline.records.catalogue_writer.status import (
    COPYING,
    OFFLINE,
    STOPPED,
    UP_TO_DATE,
    WriterStatus,
    write_status,
    writer_directory,
)
from beamline.records.journal.files import size_of, try_lock, uid_of
from beamline.records.journal.follow import RunFolder

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT = 20.0
"""Seconds."""
GIVE_UP_AFTER = 6
"""Consecutive failures after which `until_idle` no longer waits for a run."""
HELP_RUNS, HELP_BYTES = 6, 15_000_000
"""Runs and bytes from which on a backlog is shared with a helper."""


class LockedError(RuntimeError):
    """Another catalogue writer serves the journal."""


class CatalogueWriter:
    """Copies all runs of a journal to one catalogue.

    Parameters
    ----------
    root : path
        The data root (or its journal folder).
    catalogue : str or path
        As for `open_catalogue`.
    linger : float
        Seconds to collect events of a running run before storing them.
    timeout : float
        Timeout of a request, s.
    helping : bool
        Whether this is the helper of another catalogue writer, which holds the lock and writes the status.
    """

    LARGEST_PAUSE = 5.0
    INTERVAL = 0.05
    LOOK_AGAIN = 1.0

    def __init__(
        self,
        root: str | Path,
        catalogue: str | Path,
        linger: float = 1.0,
        timeout: float = REQUEST_TIMEOUT,
        helping: bool = False,
    ) -> None:
        self._root, self._catalogue = Path(root), str(catalogue)
        self._linger, self._timeout, self._helping = linger, timeout, helping
        self._arrays = None if is_server(catalogue) else array_directory(Path(catalogue))
        self._client: Any = None
        self._present: set[str] = set()
        self._batches = False
        self._folder = RunFolder(root)
        self._logbook = LogbookCopy(root)
        self._runs: dict[str, RunWriter] = {}
        self._gone: dict[str, str] = {}
        self._offline = ""
        self._pauses = 0
        self._not_before = 0.0
        self._new_runs = True
        self._looked = 0.0
        self._written: WriterStatus | None = None
        directory = writer_directory(root)
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock(directory)
        self._position = WriterPosition(directory, self._catalogue, "helper" if helping else "filler")
        self._helper = Helper(directory, ["--journal", str(root), "--catalogue", self._catalogue])
        self._shared = not helping and self._helper.at_work()

    def follow(self, ended: Callable[[], bool]) -> None:
        """Run until `ended` returns True."""
        while not ended():
            if not self.step():
                time.sleep(self.INTERVAL)

    def until_idle(self, ended: Callable[[], bool], patience: float = 300.0, *, new_runs: bool = True) -> bool:
        """Run until everything in the journal is stored; False if something could not be.

        Also ends when the catalogue is unavailable for `patience` seconds. Without `new_runs`, runs that begin
        meanwhile are left to the next catalogue writer: those of another session must not keep this one at work.
        """
        self._folder.new()  # the runs of now, whatever has been copied yet
        self._new_runs, self._looked = new_runs, 0.0
        last_success = time.monotonic()
        while not ended():
            acted = self.step()
            if acted or not self._offline:
                last_success = time.monotonic()
            if not acted and self._idle() and not self._look_at(list(self._folder.paths)):
                break
            if time.monotonic() - last_success > patience:
                break
            if not acted:
                time.sleep(self.INTERVAL)
        return self._clean()

    def once(self) -> bool:
        """Try once to store everything now in the journal, without waiting; False if something was not stored."""
        self._looked = 0.0
        while self.step() and not self._offline:
            continue
        return self._clean()

    def step(self) -> bool:
        """Give each run a turn; True if there was progress."""
        acted = False
        if time.monotonic() >= self._not_before and self._connect():
            self._share_backlog()
            self._discover()
            for run in list(self._runs.values()):
                if run.due():
                    acted |= self._turn(run)
                    self._write_status(COPYING)  # a long backlog takes minutes
                if self._offline:
                    break
        self._write_status(COPYING if acted else UP_TO_DATE)
        return acted

    def close(self) -> None:
        """Stop the helper, update the status, and release catalogue and lock."""
        self._helper.stop()
        self._write_status(STOPPED)
        if self._client is not None:
            close_catalogue(self._client)
        if self._lock is not None:
            os.close(self._lock)

    def _take_lock(self, directory: Path) -> int | None:
        if self._helping:
            return None
        descriptor = open_own(directory / "lock", os.O_RDWR | os.O_CREAT)
        if not try_lock(descriptor, patience=1.0):
            os.close(descriptor)
            raise LockedError(f"Another catalogue writer serves the journal of {self._root}; stop it first.")
        return descriptor

    def _connect(self) -> bool:
        """Open the catalogue, or re-read its contents after an outage; False if it cannot be reached."""
        if self._client is not None and not self._offline:
            return True
        try:
            if self._client is None:
                self._set_aside_copy()
                self._client = open_catalogue(self._catalogue, timeout=self._timeout)
            self._present = set(self._client.keys())
            self._batches = takes_batches(self._client)
        except Exception as error:  # noqa: BLE001 on any error the journal waits, and the status reports it
            self._go_offline(error)
            return False
        self._offline = ""
        self._pauses = 0
        self._position.confirm(self._present)
        self._look_at(list(self._folder.paths))
        return True

    def _set_aside_copy(self) -> None:
        if self._arrays is not None and (aside := set_aside_copy(Path(self._catalogue))):
            logger.warning("The catalogue is a copy, or was moved: it is %s now, and another is filled.", aside)

    def _share_backlog(self) -> None:
        """Start a helper for a long backlog, and take over its runs when it has ended."""
        if self._helping:
            return
        if self._shared and not self._helper.at_work():
            self._shared = False
            self._present = set(self._client.keys())
            self._position.reload()
            self._look_at(list(self._folder.paths))
        elif not self._shared:
            waiting = [run for run in self._runs.values() if not run.at_rest]
            if len(waiting) >= HELP_RUNS and _bytes_of(waiting) >= HELP_BYTES:
                self._shared = True
                self._runs = {uid: run for uid, run in self._runs.items() if not helper_takes(uid)}
                self._helper.start()

    def _ours(self, uid: str) -> bool:
        return helper_takes(uid) == self._helping if self._shared or self._helping else True

    def _discover(self) -> None:
        if self._new_runs:
            self._look_at(self._folder.new())
        if time.monotonic() - self._looked >= self.LOOK_AGAIN:
            self._looked = time.monotonic()
            self._look_at(list(self._folder.paths))
            stored = {uid for uid in self._logbook.waiting() if self._position.known(uid) and self._ours(uid)}
            self._logbook.copy(self._client, stored - set(self._runs))

    def _look_at(self, paths: list[Path]) -> bool:
        """Add those of these files that are not in the catalogue in their current state; True if there were any."""
        before = len(self._runs)
        for path in paths:
            uid, size = uid_of(path), size_of(path)
            if size is None or uid in self._runs or not self._ours(uid) or self._position.complete(uid, size):
                continue
            self._gone.pop(uid, None)
            present = uid in self._present or self._position.known(uid)
            self._runs[uid] = RunWriter(self._client, path, self._linger, present, self._arrays, self._batches)
        return len(self._runs) > before

    def _turn(self, run: RunWriter) -> bool:
        try:
            acted = run.step()
        except Exception as error:  # noqa: BLE001 one run or a dead server must not stop the rest
            logger.warning("run %s: %s", run.uid, describe(error))
            if trouble_of(error) is Trouble.OFFLINE:
                run.not_before = 0.0
                self._go_offline(error)
            return False
        if run.gone:
            del self._runs[run.uid]
            self._present.add(run.uid)  # a part of it may be stored: rewritten if it returns
            self._gone[run.uid] = "its file was moved away before it was stored whole"
        if run.done:
            del self._runs[run.uid]
            self._position.record(run.uid, run.reader.seen_size, run.problems)
            self._logbook.copy(self._client, {run.uid})
        return acted

    def _go_offline(self, error: Exception) -> None:
        self._pauses += 1
        self._offline = describe(error)
        self._not_before = time.monotonic() + min(self.LARGEST_PAUSE, 0.1 * 2**self._pauses)

    def _idle(self) -> bool:
        """Whether no run benefits from waiting: all stored, given up, or running with nothing left to store."""
        settled = all(run.refused or run.failures >= GIVE_UP_AFTER or run.at_rest for run in self._runs.values())
        return settled and not self._offline and not self._shared

    def _clean(self) -> bool:
        troubled = self._offline or self._shared or self._gone
        return not troubled and not any(run.complaint for run in self._runs.values())

    def _write_status(self, state: str) -> None:
        if self._helping:
            return
        status = self._status(state)
        written = self._written
        if written is None or not 0 <= status.time - written.time <= 1.0 or str(status) != str(written):
            write_status(self._root, status)
            self._written = status

    def _status(self, state: str) -> WriterStatus:
        waiting = [run for run in self._runs.values() if not run.at_rest]
        if state != STOPPED and self._offline:
            # While the catalogue is unavailable, new runs are not yet added.
            self._folder.new()
            state, waiting_bytes, waiting_runs = OFFLINE, *self._backlog()
        else:
            state = COPYING if state != STOPPED and (waiting or self._shared) else state
            waiting_bytes, waiting_runs = _bytes_of(waiting), len(waiting)
        return WriterStatus(
            state=state,
            message=self._offline,
            catalogue=self._catalogue,
            runs_waiting=waiting_runs,
            bytes_waiting=waiting_bytes,
            failing={run.uid: run.complaint for run in self._runs.values() if run.complaint} | self._gone,
            left_out=self._position.left_out() | {r.uid: r.problems for r in self._runs.values() if r.problems},
        )

    def _backlog(self) -> tuple[int, int]:
        """Bytes and runs missing in the catalogue, from the files alone."""
        found = {uid_of(path): size_of(path) for path in self._folder.paths}
        sizes = {uid: size for uid, size in found.items() if size is not None}
        missing = {uid: size for uid, size in sizes.items() if not self._position.complete(uid, size)}
        return sum(missing.values()), len(missing)


def _bytes_of(runs: list[RunWriter]) -> int:
    return sum(max(0, run.size() - run.offset) for run in runs)
