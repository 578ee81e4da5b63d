"""Disk space reserved for the end of a run."""

from __future__ import annotations

import os
from pathlib import Path

from beamline.records.journal.errors import DiskFullError


class Reserve:
    """A file that reserves space while runs are written; when the disk fills up, releasing it lets them end.

    Each process has its own. The next `hold` removes those of killed processes.
    """

    SIZE = 1_000_000
    """Bytes: enough for the stop documents of some runs, and the last reduced documents."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / f"reserve-{os.getpid()}"

    def hold(self) -> None:
        """Reserve the space, unless reserved already.

        Raises
        ------
        DiskFullError
            When there is not even that much space.
        """
        if self._path.is_file() and not self._path.is_symlink():
            return
        self._clear_dead()
        self._path.unlink(missing_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, self.SIZE)
        except OSError as error:
            self.release()
            raise DiskFullError(f"The disk of {self._directory} is full: free some space before the scan.") from error
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Release the space."""
        self._path.unlink(missing_ok=True)

    def _clear_dead(self) -> None:
        for path in self._directory.glob("reserve-*"):
            process = path.name.removeprefix("reserve-")
            if process.isdigit() and not Path(f"/proc/{process}").exists():
                path.unlink(missing_ok=True)
