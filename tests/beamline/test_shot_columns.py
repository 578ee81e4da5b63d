"""Columns of a file of shots are read by their file offset, or by HDF5 if that is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from beamline.records.shot_files.column import Column
from beamline.records.shot_files.file import ShotReader
from reduction.shots.block import BlockError
from sim_ioc.instruments.shot_file import ShotFile
from tests.beamline.shot_files import file_of_shots

NUMBERS = np.arange(3000) * 7 - 50


@contextmanager
def column(path: Path, numbers: np.ndarray = NUMBERS, **kept: Any) -> Iterator[Column]:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("numbers", data=numbers, **kept)
    with h5py.File(path, "r") as file, path.open("rb") as raw:
        yield Column(file["numbers"], raw.fileno())


@pytest.mark.parametrize("kind", ["<i8", "<i4", ">i4", "<u2"])
def test_a_number_is_read_by_its_bytes_once_hdf5_has_read_one_of_the_same_chunk(tmp_path: Path, kind: str) -> None:
    with column(tmp_path / "a.h5", (NUMBERS + 50).astype(kind), chunks=(1024,)) as one:
        assert one.by_bytes(1500) is None
        assert one.by_hdf5(1500) == 10_500
        assert [one.by_bytes(row) for row in (1024, 1501, 2047)] == [7168, 10_507, 14_329]
        assert one.by_bytes(1023) is None
        assert one.by_bytes(2048) is None
        assert one.num_rows() == 3000


@pytest.mark.parametrize("kept", [{}, {"chunks": (1024,), "compression": "gzip"}])
def test_a_column_that_is_not_stored_plainly_is_read_by_hdf5(tmp_path: Path, kept: dict[str, Any]) -> None:
    with column(tmp_path / "a.h5", **kept) as one:
        assert one.by_hdf5(1500) == NUMBERS[1500]
        assert one.by_bytes(1500) is None


def test_a_missing_row_is_an_error(tmp_path: Path) -> None:
    with column(tmp_path / "a.h5", chunks=(1024,)) as one, pytest.raises((IndexError, ValueError)):
        one.by_hdf5(3000)


def test_rows_are_read_as_they_come_and_not_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shots = rng.integers(-300, 4000, (4, 5000)).astype(np.int16)
    file = ShotFile(tmp_path / "a.h5", 5000, 120, 0)
    file.append(0, 0, shots[0], shots[0])
    with ShotReader(tmp_path / "a.h5") as reader:
        reader.block(0)
        for row in range(1, 4):
            with pytest.raises(BlockError, match=f"^block {row}: a.h5 has {row} rows"):
                reader.block(row)
            file.append(row * 5, row, shots[row], shots[row])
            block = reader.block(row)
            assert (block.number, block.first_phase, block.missing) == (row, row * 5, row)
            np.testing.assert_array_equal(block.shots, shots[row])
    file.close()


def test_channels_of_different_lengths_are_refused(tmp_path: Path) -> None:
    file_of_shots(tmp_path / "a.h5", length=1000)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["shots/monitor"]
        file["shots"].create_dataset("monitor", data=np.zeros((3, 999), "<i2"), chunks=(1, 999))
    with pytest.raises(OSError, match=r"a\.h5 is not a file of shots: .*different lengths, \[999, 1000\]"):
        ShotReader(tmp_path / "a.h5")
