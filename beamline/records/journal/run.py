"""One open file of the journal: appends complete records or nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from beamline.config.own_files import is_in_place
from beamline.records.journal.errors import DiskFullError, JournalError
from beamline.records.journal.files import open_run, try_lock
from beamline.records.journal.format import MAGIC

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class RunFile:
    """A journal file open for appending, locked against other writers.

    Each append is one write to the operating system. If it fails, the file is truncated to the last complete record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = open_run(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            if not try_lock(self._descriptor, patience=1.0):
                raise JournalError(f"Another process is writing {path}; stop it before this run can be resumed here.")
            self._end = os.fstat(self._descriptor).st_size
            self._ragged = False
            if self._end == 0:
                self.append(MAGIC)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, record: bytes) -> None:
        """Write a complete record to the operating system.

        Raises
        ------
        DiskFullError
            When the disk is full; the file then ends with the previous record.
        JournalError
            When the write fails for another reason.
        """
        try:
            self._write(record)
        except OSError as error:
            kind = DiskFullError if error.errno in _NO_ROOM else JournalError
            raise kind(
                f"The journal cannot write {self.path}: {error.strerror}. Earlier documents are preserved; "
                "free some space on that disk, then start the scan again."
            ) from error
        self._end += len(record)

    @property
    def empty(self) -> bool:
        """Whether no record has been appended yet."""
        return self._end <= len(MAGIC)

    def _write(self, record: bytes) -> None:
        if self._ragged:
            self._cut_back()
        self._ragged = True
        rest = memoryview(record)
        try:
            while rest:
                # a full disk accepts a part first and fails only at the next call
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException:
            self._cut_back()
            raise
        self._ragged = False

    def _cut_back(self) -> None:
        os.ftruncate(self._descriptor, self._end)
        self._ragged = False

    def duplicate(self) -> int:
        """A duplicate of the file descriptor, for a sync that may finish after a close here."""
        return os.dup(self._descriptor)

    def sync(self) -> None:
        """Sync everything appended so far to disk.

        Raises
        ------
        OSError
            When the disk fails, or the file is no longer at its path.
        """
        sync_in_place(self.path, self._descriptor)

    def close(self) -> None:
        """Close the file and release its lock."""
        os.close(self._descriptor)


def sync_in_place(path: Path, descriptor: int) -> None:
    """Sync an open file, which must still be the one at its path.

    Raises
    ------
    OSError
        When the disk fails, or the path leads elsewhere: data written then are lost when the file is closed.
    """
    os.fsync(descriptor)
    if not is_in_place(path, descriptor):
        message = f"{path} is gone: the data root was removed, moved or remounted meanwhile"
        raise OSError(errno.ESTALE, message, str(path))
