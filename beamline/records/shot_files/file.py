"""Reads rows of the digitiser's HDF5 files, also while they grow."""

from __future__ import annotations

import mmap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import h5py
import numpy as np

from beamline.records.shot_files.column import Column
from reduction.shots.block import Block, BlockError

COLUMNS = ("number", "first_phase", "num_valid", "missing")
ROWS = ("heights", "monitor")
SHOTS = np.dtype("<i2")
WRITER_PATIENCE = 2.0
"""Seconds that a file may be shorter than its writer says."""
SUPERBLOCK = b"\x89HDF\r\n\x1a\n\x03"
"""How a file begins that may be read while it is written: signature and version."""
WRITTEN = 0x01
"""Flag of the superblock: the file is open for writing."""


def path_of(resource: Mapping[str, Any]) -> Path:
    """Path of the file that a StreamResource names.

    Raises
    ------
    ValueError
        If it names no file.
    """
    parts = urlsplit(resource["uri"])
    if parts.scheme != "file" or not parts.path:
        raise ValueError(f"stream resource {resource['uid']} names no file but {resource['uri']}")
    return Path(unquote(parts.path))


def _opened(path: Path) -> h5py.File:
    """The file, also while it is written.

    HDF5 tries again without end to read what it misses in a file that is being written, so one that was cut short while
    it was must not be opened; and one that nobody writes is opened as such.
    """
    deadline = time.monotonic() + WRITER_PATIENCE
    while (end := _end_if_written(path)) > (size := path.stat().st_size):  # a writer tells the end before it is there
        if time.monotonic() > deadline:
            raise OSError(f"{path} is cut short: it has {size} of {end} bytes")
        time.sleep(0.01)
    try:
        return h5py.File(path, "r", libver="latest", swmr=end > 0)
    except RuntimeError as error:
        raise OSError(f"{path} cannot be read: {error}") from error


def _end_if_written(path: Path) -> int:
    """Where an HDF5 file that is being written ends, by its superblock; 0 for one that nobody writes."""
    with path.open("rb") as file:
        superblock = file.read(36)
    being_written = superblock[:9] == SUPERBLOCK and superblock[11] & WRITTEN
    return int.from_bytes(superblock[28:36], "little") if being_written else 0


class ShotReader:
    """A file of shots, open for reading. A context manager.

    Rows that lie in the file in one uncompressed piece are mapped into memory, not copied.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If there is no such file or it is no HDF5 file of shots.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            group = self._file["shots"]
            self.num_phases = int(group.attrs["num_phases"])
            columns = {name: group[name] for name in COLUMNS}
            self._rows = {name: group[name] for name in ROWS}
            self._length = self._row_length()
        except (KeyError, RuntimeError, TypeError) as error:
            self._file.close()
            raise OSError(f"{path} is no file of shots: {error}") from error
        self._raw = path.open("rb")
        self._columns = {name: Column(data, self._raw.fileno()) for name, data in columns.items()}

    def _row_length(self) -> int:
        """Shots of a row. Rows are taken from the file as they are, so they must be what they are taken for."""
        for name, data in self._rows.items():
            if data.dtype != SHOTS or data.ndim != 2:
                raise TypeError(f"{name} is {data.dtype.str} of {data.ndim} axes, not rows of {SHOTS.str}")
        lengths = {int(data.shape[1]) for data in self._rows.values()}
        if len(lengths) != 1:
            raise TypeError(f"rows of {' and '.join(ROWS)} are of different lengths, {sorted(lengths)}")
        return lengths.pop()

    def require_phases(self, num_phases: int) -> None:
        """Refuse a file that counts its phases in another pattern.

        Raises
        ------
        OSError
            If it does.
        """
        if self.num_phases != num_phases:
            raise OSError(f"{self.path} is of a pattern of {self.num_phases} phases, the run of {num_phases}")

    def __enter__(self) -> ShotReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End reading; blocks that were read stay."""
        self._raw.close()
        self._file.close()

    def num_rows(self) -> int:
        """Rows so far."""
        return min(column.num_rows() for column in self._columns.values())

    def block(self, row: int, with_monitor: bool = True) -> Block:
        """One row, which a document has named or `num_rows` has counted.

        Raises
        ------
        BlockError
            If the row is not there, not whole, or says of itself what cannot be.
        """
        known = self._by_bytes(row) or self._by_hdf5(row)
        heights, monitor = (
            self._array(name, row)[: known["num_valid"]] if name == "heights" or with_monitor else None for name in ROWS
        )
        assert heights is not None
        return Block(row, known["first_phase"], heights, known["missing"], monitor)

    def _by_bytes(self, row: int) -> dict[str, int] | None:
        """What the columns say of a row by their bytes in the file; None if that makes no row, or is not known."""
        known = {name: column.by_bytes(row) for name, column in self._columns.items()}
        whole = {name: number for name, number in known.items() if number is not None}
        if len(whole) < len(known) or whole["number"] != row or not 0 < whole["num_valid"] <= self._length:
            return None
        return whole

    def _by_hdf5(self, row: int) -> dict[str, int]:
        """What the columns say of a row by HDF5."""
        try:
            rows = self.num_rows()
            if not 0 <= row < rows:
                raise BlockError(f"block {row}: {self.path.name} has {rows} rows")
            known = {name: column.by_hdf5(row) for name, column in self._columns.items()}
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, BlockError):
                raise
            raise BlockError(f"block {row}: cannot be read from {self.path.name}: {error}") from error
        if known["number"] != row:
            raise BlockError(f"block {row}: its row of {self.path.name} holds block {known['number']}")
        if not 0 < known["num_valid"] <= self._length:
            raise BlockError(f"block {row}: {known['num_valid']} valid shots in a row of {self._length} cannot be")
        return known

    def _array(self, name: str, row: int) -> np.ndarray:
        """One row of shots, as int16."""
        data = self._rows[name].id
        try:
            where = data.get_chunk_info_by_coord((row, 0))
            if where.byte_offset is None:  # not there when the file was looked at last
                data.refresh()
                where = data.get_chunk_info_by_coord((row, 0))
            if where.byte_offset is None or where.filter_mask or where.size != self._length * SHOTS.itemsize:
                raise BlockError(f"block {row}: {name} of {self.path.name} is not there in one piece")
            return self._mapped(where.byte_offset, where.size)
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, BlockError):
                raise
            raise BlockError(f"block {row}: {name} of {self.path.name} cannot be read: {error}") from error

    def _mapped(self, offset: int, size: int) -> np.ndarray:
        begins = offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        populate = getattr(mmap, "MAP_POPULATE", 0)
        piece = mmap.mmap(
            self._raw.fileno(),
            size + offset - begins,
            flags=mmap.MAP_SHARED | populate,
            prot=mmap.PROT_READ,
            offset=begins,
        )
        return np.frombuffer(piece, SHOTS, size // SHOTS.itemsize, offset - begins)
