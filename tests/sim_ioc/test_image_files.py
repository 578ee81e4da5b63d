"""Files of the simulated area detector, read by fabio and h5py."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from sim_ioc.instruments.image_files import write_image

IMAGE = np.arange(12, dtype=np.int32).reshape(3, 4) - 2


def test_a_tiff_is_read_by_fabio(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio", reason="fabio is not installed (extra 'thermal')")
    write_image(tmp_path / "a.tif", IMAGE)
    assert np.array_equal(fabio.open(str(tmp_path / "a.tif")).data, IMAGE)


def test_hdf5_is_a_stack_where_areadetector_has_it(tmp_path: Path) -> None:
    write_image(tmp_path / "a.h5", IMAGE)
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["entry/data/data"][()], IMAGE[np.newaxis])


def test_files_are_not_overwritten_and_other_formats_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("there before")
    with pytest.raises(FileExistsError, match=r"a\.h5 exists"):
        write_image(tmp_path / "a.h5", IMAGE)
    with pytest.raises(ValueError, match=r"a\.cbf: formats are \.tif, \.h5"):
        write_image(tmp_path / "a.cbf", IMAGE)
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]
