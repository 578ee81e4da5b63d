"""Fills the catalogue from the journal, as a process of its own: ``python -m beamline.filler``.

It tails the journal's directory and stores each run. Whatever happens to the catalogue or to this process, the
acquisition does not notice, and what is missing is stored later, once.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from beamline.catalogue import close_catalogue, is_server, open_catalogue
from beamline.catalogue_embedded import array_directory
from beamline.filler_position import Position
from beamline.filler_run import RunFiller, Trouble, describe, trouble_of
from beamline.filler_status import FILLING, OFFLINE, STOPPED, UP_TO_DATE, FillerStatus, filler_directory, write_status
from beamline.journal_files import run_files, try_lock, uid_of

logger = logging.getLogger(__name__)

TILED_PATIENCE = {"TILED_RETRY_ATTEMPTS": "4", "TILED_RETRY_TIMEOUT": "2"}
"""Environment to be set before Tiled is imported: a lost answer is asked for again at once, but a dead server has to be
noticed soon; the waiting is done here."""
REQUEST_TIMEOUT = 20.0
"""Seconds."""
GIVE_UP_AFTER = 6
"""Failures in a row after which a run no longer keeps `until_idle` waiting."""


class Filler:
    """Carries all runs of a journal to one catalogue.

    Parameters
    ----------
    root : path
        The data root (or its journal folder).
    catalogue : str or path
        As `open_catalogue` takes it.
    linger : float
        Seconds that a running run's events may wait for more.
    timeout : float
        Seconds after which a request that is not answered counts as failed.
    """

    LARGEST_PAUSE = 5.0
    INTERVAL = 0.05

    def __init__(
        self, root: str | Path, catalogue: str | Path, linger: float = 1.0, timeout: float = REQUEST_TIMEOUT
    ) -> None:
        self._timeout = timeout
        self._root = Path(root)
        self._catalogue = str(catalogue)
        self._arrays = None if is_server(catalogue) else array_directory(Path(catalogue))
        self._present: set[str] = set()
        self._linger = linger
        self._client: Any = None
        self._runs: dict[str, RunFiller] = {}
        self._offline = ""
        self._pauses = 0
        self._not_before = 0.0
        self._told: FillerStatus | None = None
        directory = filler_directory(root)
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not try_lock(self._lock, patience=1.0):
            os.close(self._lock)
            raise RuntimeError(f"Another filler serves the journal of {root}; end it first.")
        self._position = Position(directory, self._catalogue)

    def follow(self, ended: Callable[[], bool]) -> None:
        """Go on until `ended` says so."""
        while not ended():
            if not self.step():
                time.sleep(self.INTERVAL)

    def until_idle(self, ended: Callable[[], bool], patience: float = 300.0) -> bool:
        """Go on until everything in the journal is stored; False if something could not be.

        A catalogue that stays away for `patience` seconds ends it too.
        """
        last_success = time.monotonic()
        while not ended():
            acted = self.step()
            if acted or not self._offline:
                last_success = time.monotonic()
            if not acted and not self._offline and all(map(self._settled, self._runs.values())):
                break
            if time.monotonic() - last_success > patience:
                break
            if not acted:
                time.sleep(self.INTERVAL)
        return not self._offline and not any(run.complaint for run in self._runs.values())

    def once(self) -> bool:
        """Try everything that is in the journal now once, without waiting; False if something was not stored."""
        while self.step() and not self._offline:
            continue
        return not self._offline and not any(run.complaint for run in self._runs.values())

    def step(self) -> bool:
        """Give each run a turn; True if anything was done."""
        acted = False
        if time.monotonic() >= self._not_before and self._connect():
            self._discover()
            for run in list(self._runs.values()):
                if run.due():
                    acted |= self._turn(run)
                if self._offline:
                    break
        self._tell(FILLING if acted else UP_TO_DATE)
        return acted

    def close(self) -> None:
        """Say so in the status, and let go of the catalogue and the lock."""
        self._tell(STOPPED)
        if self._client is not None:
            close_catalogue(self._client)
        os.close(self._lock)

    def _connect(self) -> bool:
        """Open the catalogue, or after an outage look again at what it holds; False if it cannot be reached."""
        if self._client is not None and not self._offline:
            return True
        try:
            if self._client is None:
                self._client = open_catalogue(self._catalogue, timeout=self._timeout)
            self._present = set(self._client.keys())
        except Exception as error:  # noqa: BLE001 whatever it is, the journal waits and the status names it
            self._go_offline(error)
            return False
        self._offline = ""
        self._pauses = 0
        self._position.confirm(self._present)
        for run in self._runs.values():
            if run.done and run.uid not in self._present:
                run.reopen()
        return True

    def _discover(self) -> None:
        for path in run_files(self._root):
            uid = uid_of(path)
            run = self._runs.get(uid)
            if run is None:
                if not self._position.complete(uid, path.stat().st_size):
                    present = uid in self._present
                    self._runs[uid] = RunFiller(self._client, path, self._linger, present, self._arrays)
            elif run.done and run.grown():
                run.reopen()

    def _turn(self, run: RunFiller) -> bool:
        try:
            acted = run.step()
        except Exception as error:  # noqa: BLE001 one run or a dead server must not stop the rest
            logger.warning("run %s: %s", run.uid, describe(error))
            if trouble_of(error) is Trouble.OFFLINE:
                run.not_before = 0.0
                self._go_offline(error)
            return False
        if run.done:
            self._position.record(run.uid, run.offset)
        return acted

    def _go_offline(self, error: Exception) -> None:
        self._pauses += 1
        self._offline = describe(error)
        self._not_before = time.monotonic() + min(self.LARGEST_PAUSE, 0.1 * 2**self._pauses)

    def _settled(self, run: RunFiller) -> bool:
        """Whether waiting would not help this run: stored, given up, or still running with nothing left to store."""
        return run.done or run.refused or run.failures >= GIVE_UP_AFTER or run.at_rest

    def _tell(self, state: str) -> None:
        waiting = [run for run in self._runs.values() if not run.done and not run.at_rest]
        status = FillerStatus(
            state=OFFLINE
            if self._offline and state != STOPPED
            else state
            if not waiting or state == STOPPED
            else FILLING,
            message=self._offline,
            catalogue=self._catalogue,
            runs_waiting=len(waiting),
            bytes_waiting=sum(max(0, run.size() - run.offset) for run in waiting),
            failing={run.uid: run.complaint for run in self._runs.values() if run.complaint},
            left_out={run.uid: run.problems for run in self._runs.values() if run.problems},
        )
        told = self._told
        if told is None or status.time - told.time > 1.0 or status.time < told.time or str(status) != str(told):
            if told is None or told.state != status.state:
                logger.info("%s", status)
            write_status(self._root, status)
            self._told = status


def main(arguments: list[str] | None = None) -> int:
    """Run the filler; 0 if all is stored, 1 if something is left to the journal."""
    parser = argparse.ArgumentParser(prog="python -m beamline.filler", description=__doc__.splitlines()[0])
    parser.add_argument("--journal", required=True, metavar="DIR", help="the data root, or its journal folder")
    parser.add_argument("--catalogue", required=True, metavar="URI_OR_DIR", help="Tiled server, or directory")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--until-idle", action="store_true", help="end when everything is stored")
    how.add_argument("--once", action="store_true", help="try everything once, then end")
    parser.add_argument("--linger", type=float, default=1.0, metavar="S", help="seconds to collect events (1)")
    parser.add_argument("--with-parent", action="store_true", help="end, with all stored, after the parent process")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s filler: %(message)s")
    os.environ.update(TILED_PATIENCE)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        filler = Filler(options.journal, options.catalogue, options.linger)
    except (RuntimeError, OSError) as error:
        print(f"filler: {error}", file=sys.stderr)
        return 2
    try:
        return _serve(filler, options, ended)
    finally:
        filler.close()


def _serve(filler: Filler, options: argparse.Namespace, ended: Event) -> int:
    if options.once:
        return 0 if filler.once() else 1
    if options.until_idle:
        return 0 if filler.until_idle(ended.is_set) else 1
    parent = os.getppid()
    if options.with_parent:
        filler.follow(lambda: ended.is_set() or os.getppid() != parent)
        return 0 if ended.is_set() or filler.until_idle(ended.is_set) else 1
    filler.follow(ended.is_set)
    return 0


if __name__ == "__main__":
    sys.exit(main())
