"""A column of a growing HDF5 dataset with one number per row, read directly from the file."""

from __future__ import annotations

import os

import h5py
import numpy as np

NOWHERE = (0, 0, 0)


class Column:
    """A column of a file of shots.

    The file offset is looked up once per chunk. For each number of a file being written, HDF5 itself refreshes its
    metadata and reads the whole chunk: with four columns a third of a millisecond per row.

    Parameters
    ----------
    data : h5py.Dataset
        One-dimensional.
    file : int
        File descriptor of the same file, open for reading.
    """

    def __init__(self, data: h5py.Dataset, file: int) -> None:
        self._data, self._file = data, file
        self._dtype = data.dtype  # h5py creates a new object at each access
        self._piece = NOWHERE
        """Of the chunk looked up last: first row, row after the last, file offset."""

    def num_rows(self) -> int:
        """Number of rows so far."""
        self._data.refresh()
        return int(self._data.shape[0])

    def by_hdf5(self, row: int) -> int:
        """The number of an existing row, read by HDF5.

        Raises
        ------
        IndexError, OSError, RuntimeError
            If it does not exist, or cannot be read.
        """
        self._look_up(row)
        return int(self._data[row])

    def by_bytes(self, row: int) -> int | None:
        """The bytes of the file at the offset of a row, written or not; None if the offset is unknown."""
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
            first = row // length * length  # the chunk offset that h5py returns is the requested row
            self._piece = (first, first + length, where.byte_offset)
