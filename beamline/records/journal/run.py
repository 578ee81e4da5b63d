"""One open file of the journal: append whole records or nothing."""

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
    """A journal file open for appending, locked against any other writer while it is.

    Each append is one write to the operating system. If it fails, the file is cut back to the last whole record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = open_run(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            if not try_lock(self._descriptor, patience=1.0):
                raise JournalError(f"Another process is writing {path}; end it before this run goes on here.")
            self._end = os.fstat(self._descriptor).st_size
            self._ragged = False
            if self._end == 0:
                self.append(MAGIC)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, record: bytes) -> None:
        """Hand a whole record to the operating system.

        Raises
        ------
        DiskFullError
            When there is no room; the file then ends with the record before.
        JournalError
            When the write fails for another reason.
        """
        try:
            self._write(record)
        except OSError as error:
            kind = DiskFullError if error.errno in _NO_ROOM else JournalError
            raise kind(
                f"The journal cannot write {self.path}: {error.strerror}. What came before is kept; "
                "make room on that disk, then start the scan again."
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
                # A full disk takes a part first and says so only at the next call.
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException:
            self._cut_back()
            raise
        self._ragged = False

    def _cut_back(self) -> None:
        os.ftruncate(self._descriptor, self._end)
        self._ragged = False

    def duplicate(self) -> int:
        """A second descriptor of the same open file, for a sync that must outlive a close here."""
        return os.dup(self._descriptor)

    def sync(self) -> None:
        """Return when everything appended so far is on the disk.

        Raises
        ------
        OSError
            When the disk fails, or the file is no longer where it was opened.
        """
        sync_in_place(self.path, self._descriptor)

    def close(self) -> None:
        """Give up the file and its lock."""
        os.close(self._descriptor)


def sync_in_place(path: Path, descriptor: int) -> None:
    """Sync an open file that has to be the one at its path still.

    Raises
    ------
    OSError
        When the disk fails, or the path leads elsewhere: what is written then is lost with the last who holds it open.
    """
    os.fsync(descriptor)
    if not is_in_place(path, descriptor):
        raise OSError(errno.ESTALE, f"{path} is gone: the data root was removed, moved or mounted anew meanwhile")
