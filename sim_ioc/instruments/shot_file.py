"""The HDF5 file that the digitiser writes: one row per block, readable while it grows (SWMR)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

ROOM_BESIDE = 2**18
"""Bytes that a block may take in addition to its shots."""
COLUMNS = {"number": "i8", "first_phase": "i4", "num_valid": "i4", "missing": "i8"}


class NoRoomError(OSError):
    """The disk is too full for another block."""


class ShotFile:
    """Rows of heights and monitor, one uncompressed chunk each, with the metadata of each row.

    Parameters
    ----------
    path
        A new file.
    shots_per_block
        Length of a row; shots beyond the valid ones are 0.
    num_phases
        Pulses until the pattern repeats.
    min_free_bytes
        Minimum free space on the disk.
    """

    def __init__(self, path: Path, shots_per_block: int, num_phases: int, min_free_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rows = 0
        self._length = shots_per_block
        self.min_free_bytes = min_free_bytes
        self._file = h5py.File(path, "x", libver="latest")
        group = self._file.create_group("shots")
        group.attrs["num_phases"] = num_phases
        row = (1, shots_per_block)
        self._heights, self._monitor = (
            group.create_dataset(
                name, shape=(0, shots_per_block), maxshape=(None, shots_per_block), dtype="<i2", chunks=row
            )
            for name in ("heights", "monitor")
        )
        self._columns = {
            name: group.create_dataset(name, shape=(0,), maxshape=(None,), dtype=f"<{kind}", chunks=(1024,))
            for name, kind in COLUMNS.items()
        }
        self._file.swmr_mode = True

    def append(self, first_phase: int, missing: int, heights: NDArray[np.int16], monitor: NDArray[np.int16]) -> int:
        """Write one block; its number is that of its row.

        Raises
        ------
        NoRoomError
            Before anything is written.
        OSError
            If the disk fails.
        """
        if shutil.disk_usage(self.path.parent).free < self.min_free_bytes + 4 * self._length:
            raise NoRoomError(f"no room for another block on the disk of {self.path.parent}")
        self._set_aside(4 * self._length + ROOM_BESIDE)
        row = self.rows
        for data, values in ((self._heights, heights), (self._monitor, monitor)):
            data.resize(row + 1, axis=0)
            whole = np.zeros(self._length, "<i2")
            whole[: values.size] = values
            data.id.write_direct_chunk((row, 0), whole.tobytes())
        known = {"number": row, "first_phase": first_phase, "num_valid": heights.size, "missing": missing}
        for name, column in self._columns.items():
            column.resize(row + 1, axis=0)
            column[row] = known[name]
        self._file.flush()
        self.rows += 1
        return row

    def _set_aside(self, size: int) -> None:
        """Preallocate disk space, since HDF5 cannot close a file in which a write has failed."""
        try:
            os.posix_fallocate(self._file.id.get_vfd_handle(), self._file.id.get_filesize(), size)
        except OSError as error:
            raise NoRoomError(f"no room for another block of {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
