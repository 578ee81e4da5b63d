"""Reads rows of the digitiser's HDF5 files, even while they grow."""

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
"""Seconds for which a file may be shorter than its superblock states."""
SUPERBLOCK = b"\x89HDF\r\n\x1a\n\x03"
"""First bytes of a file that can be read while written (SWMR): signature and superblock version."""
WRITTEN = 0x01
"""Superblock flag: the file is open for writing."""


def path_of(resource: Mapping[str, Any]) -> Path:
    """Path of the file of a StreamResource.

    Raises
    ------
    ValueError
        If its URI is not a file.
    """
    parts = urlsplit(resource["uri"])
    if parts.scheme != "file" or not parts.path:
        raise ValueError(f"stream resource {resource['uid']} does not name a file but {resource['uri']}")
    return Path(unquote(parts.path))


def _opened(path: Path) -> h5py.File:
    """Open the file, even while it is written.

    In SWMR mode HDF5 retries forever to read missing data, so a truncated file must not be opened in it; a file without
    a writer is opened normally.
    """
    deadline = time.monotonic() + WRITER_PATIENCE
    while (end := _end_if_written(path)) > (
        size := path.stat().st_size
    ):  # a writer updates the superblock before the file has grown
        if time.monotonic() > deadline:
            raise OSError(f"{path} is truncated: it has {size} of {end} bytes")
        time.sleep(0.01)
    try:
        return h5py.File(path, "r", libver="latest", swmr=end > 0)
    except RuntimeError as error:
        raise OSError(f"{path} cannot be read: {error}") from error


def _end_if_written(path: Path) -> int:
    """End of an HDF5 file that is being written, from its superblock; 0 without a writer."""
    with path.open("rb") as file:
        superblock = file.read(36)
    being_written = superblock[:9] == SUPERBLOCK and superblock[11] & WRITTEN
    return int.from_bytes(superblock[28:36], "little") if being_written else 0


class ShotReader:
    """A file of shots, open for reading. A context manager.

    Contiguous, uncompressed rows are memory-mapped, not copied.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If the file is missing or not an HDF5 file of shots.
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
            raise OSError(f"{path} is not a file of shots: {error}") from error
        self._raw = path.open("rb")
        self._columns = {name: Column(data, self._raw.fileno()) for name, data in columns.items()}

    def _row_length(self) -> int:
        """Shots per row. Rows are memory-mapped, so their type and layout must be as expected."""
        for name, data in self._rows.items():
            if data.dtype != SHOTS or data.ndim != 2:
                raise TypeError(f"{name} is {data.dtype.str} of {data.ndim} axes, not rows of {SHOTS.str}")
        lengths = {int(data.shape[1]) for data in self._rows.values()}
        if len(lengths) != 1:
            raise TypeError(f"rows of {' and '.join(ROWS)} are of different lengths, {sorted(lengths)}")
        return lengths.pop()

    def require_phases(self, num_phases: int) -> None:
        """Refuse a file with another number of phases.

        Raises
        ------
        OSError
            If the numbers differ.
        """
        if self.num_phases != num_phases:
            raise OSError(f"{self.path} has a pattern of {self.num_phases} phases, the run of {num_phases}")

    def __enter__(self) -> ShotReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; blocks already read stay valid."""
        self._raw.close()
        self._file.close()

    def num_rows(self) -> int:
        """Number of rows so far."""
        return min(column.num_rows() for column in self._columns.values())

    def block(self, row: int, with_monitor: bool = True) -> Block:
        """Read one row, referenced by a document or counted by `num_rows`.

        Raises
        ------
        BlockError
            If the row is missing, incomplete, or has inconsistent columns.
        """
        known = self._by_bytes(row) or self._by_hdf5(row)
        heights, monitor = (
            self._array(name, row)[: known["num_valid"]] if name == "heights" or with_monitor else None for name in ROWS
        )
        assert heights is not None
        return Block(row, known["first_phase"], heights, known["missing"], monitor)

    def _by_bytes(self, row: int) -> dict[str, int] | None:
        """Columns of a row from the bytes of the file; None if they are implausible or their offset is unknown."""
        known = {name: column.by_bytes(row) for name, column in self._columns.items()}
        whole = {name: number for name, number in known.items() if number is not None}
        if len(whole) < len(known) or whole["number"] != row or not 0 < whole["num_valid"] <= self._length:
            return None
        return whole

    def _by_hdf5(self, row: int) -> dict[str, int]:
        """Columns of a row, read by HDF5."""
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
        """Read one row of shots, as int16."""
        data = self._rows[name].id
        try:
            where = data.get_chunk_info_by_coord((row, 0))
            if where.byte_offset is None:  # missing when the file was last refreshed
                data.refresh()
                where = data.get_chunk_info_by_coord((row, 0))
            if where.byte_offset is None or where.filter_mask or where.size != self._length * SHOTS.itemsize:
                raise BlockError(f"block {row}: {name} of {self.path.name} is not stored in one piece")
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
