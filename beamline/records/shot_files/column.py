"""One number a row of a growing HDF5 dataset, read from where it lies in the file."""

from __future__ import annotations

import os

import h5py
import numpy as np

NOWHERE = (0, 0, 0)


class Column:
    """A column of a file of shots.

    Where its numbers lie is looked up once for each chunk. HDF5 itself reads the whole chunk of a file that is being
    written for each number, and looks for what is new: with four columns that takes a third of a millisecond a row.

    Parameters
    ----------
    data : h5py.Dataset
        Of one axis.
    file : int
        Descriptor of the same file, open for reading.
    """

    def __init__(self, data: h5py.Dataset, file: int) -> None:
        self._data, self._file = data, file
        self._dtype = data.dtype  # HDF5 makes a new one each time it is asked
        self._piece = NOWHERE
        """First row of the chunk that was looked up last, the row after its last, and where it lies."""

    def num_rows(self) -> int:
        """Rows so far."""
        self._data.refresh()
        return int(self._data.shape[0])

    def by_hdf5(self, row: int) -> int:
        """The number of a row that is known to be there, by HDF5.

        Raises
        ------
        IndexError, OSError, RuntimeError
            If it is not there, or cannot be read.
        """
        self._look_up(row)
        return int(self._data[row])

    def by_bytes(self, row: int) -> int | None:
        """What stands in the file at the place of a row, written or not; None if its place is not known."""
        first, end, offset = self._piece
        if not first <= row < end:
            return None
        size = self._dtype.itemsize
        raw = os.pread(self._file, size, offset + (row - first) * size)
        return int(np.frombuffer(raw, self._dtype)[0]) if len(raw) == size else None

    def _look_up(self, row: int) -> None:
        self._piece = NOWHERE
        if self._data.chunks is None or row >= self._data.shape[0]:
            return
        length, size = self._data.chunks[0], self._dtype.itemsize
        where = self._data.id.get_chunk_info_by_coord((row,))
        if where.byte_offset is not None and not where.filter_mask and where.size == length * size:
            first = row // length * length  # what h5py gives as the chunk's own is the row that was asked for
            self._piece = (first, first + length, where.byte_offset)
