"""A data root that was copied or moved: its embedded catalogue does not touch that of the original."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.records.catalogue.client import read_stream
from beamline.records.catalogue.copied import PLACE, CopiedCatalogueError
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import raw_run, uid_of_run

RUN = raw_run(3, seed=1)


def primary(catalogue: Any) -> dict[str, np.ndarray]:
    return read_stream(catalogue, uid_of_run(RUN), "primary")


@pytest.mark.parametrize(
    "leave", [pytest.param(shutil.copytree, marks=pytest.mark.long), shutil.move], ids=["copied", "moved"]
)
def test_the_catalogue_of_another_place_is_set_aside_and_filled_again(
    leave: Any, announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    announce(RUN)
    assert write_catalogue(tmp_path, catalogue)
    other = tmp_path / "other root"
    shutil.copytree(tmp_path / "journal", other / "journal")
    leave(catalogue, other / "catalogue")
    with pytest.raises(CopiedCatalogueError, match=str(catalogue)):
        opened(other / "catalogue")
    assert write_catalogue(other, other / "catalogue")
    assert write_catalogue(other, other / "catalogue")  # another session
    assert [path.name for path in other.glob("catalogue-*")] == ["catalogue-copied1"]
    stored = primary(opened(other / "catalogue"))
    assert len(stored["seq_num"]) == 3
    if catalogue.exists():
        np.testing.assert_equal(primary(opened(catalogue)), stored)


def test_a_catalogue_by_another_name_of_its_place_is_no_copy(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    (tmp_path / "link").symlink_to(catalogue)
    announce(RUN)
    assert write_catalogue(tmp_path, catalogue)
    assert len(primary(opened(tmp_path / "link"))["seq_num"]) == 3
    (catalogue / PLACE).unlink()  # of an older version
    assert len(primary(opened(catalogue))["seq_num"]) == 3
    assert (catalogue / PLACE).read_text() == str(catalogue)
