"""A second process that takes half of the runs of a long backlog."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

from beamline.config.own_files import open_own
from beamline.records.journal.files import try_lock

STOP_TIMEOUT = 10.0
"""Seconds for the helper to exit before it is killed, which is safe at any moment."""


def helper_takes(uid: str) -> bool:
    """Whether this run belongs to the helper, if there is one."""
    return zlib.crc32(uid.encode()) % 2 == 1


class Helper:
    """Starts, monitors and stops the helper of a catalogue writer.

    The helper holds a lock from before its start to its exit, so that no other process takes a run that it may be
    writing.

    Parameters
    ----------
    directory : Path
        Directory of the catalogue writer.
    arguments : list of str
        Source and destination of the helper, as arguments of ``python -m beamline.records.catalogue_writer``.
    """

    def __init__(self, directory: Path, arguments: list[str]) -> None:
        self._lock = directory / "helper-lock"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def at_work(self) -> bool:
        """Whether a helper of this or of an earlier process may be writing."""
        if self._process is not None and self._process.poll() is None:
            return True
        self._process = None
        descriptor = self._take_lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def start(self) -> None:
        """Start the helper, unless one is running."""
        descriptor = self._take_lock()
        if descriptor is None:
            return
        command = [sys.executable, "-m", "beamline.records.catalogue_writer", *self._arguments, "--until-idle"]
        try:
            # The lock belongs to the open file description, which the helper inherits.
            self._process = subprocess.Popen(
                [*command, "--helper-lock", str(descriptor)], stdin=subprocess.DEVNULL, pass_fds=[descriptor]
            )
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        """Stop the helper of this process."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _take_lock(self) -> int | None:
        descriptor = open_own(self._lock, os.O_RDWR | os.O_CREAT)
        if try_lock(descriptor):
            return descriptor
        os.close(descriptor)
        return None
