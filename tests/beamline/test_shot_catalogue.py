"""Rows of the digitiser's file in the catalogue: referenced, never copied, read on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stamina
from bluesky_tiled_plugins import TiledWriter
from tiled.queries import KeysFilter

from beamline.records.catalogue.client import read_stream, run_documents
from beamline.records.catalogue.files import RowsError, file_documents, read_rows
from beamline.records.catalogue_writer.write import CatalogueRun
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.shot_files import file_of_shots, run_of_shots
from tests.beamline.tiled_process import TiledProcess


def announced_shots(announce: Announce, folder: Path) -> tuple[Path, np.ndarray, Documents, Documents]:
    """A file of shots and its heights; the runs of that file and of one that lies elsewhere, in the journal."""
    path, other = folder / "shots" / "a.h5", folder / "elsewhere" / "b.h5"
    heights = file_of_shots(path)
    file_of_shots(other)
    documents, outside = run_of_shots(path), run_of_shots(other)
    announce([*documents, *outside])
    return path, heights, documents, outside


def check_rows(client: Any, uid: str, heights: np.ndarray) -> None:
    """Reads what the instrument wrote, and only the requested part."""
    node = client[uid]["shots"]["digitiser_heights"]
    assert (node.shape, node.dtype) == (heights.shape, np.dtype("<i2"))
    np.testing.assert_array_equal(node[1:3, 10:20], heights[1:3, 10:20])
    rows = read_rows(client, uid, "digitiser_heights", slice(1, 2))
    assert rows.dtype == np.int16
    np.testing.assert_array_equal(rows, heights[1:2])
    np.testing.assert_array_equal(read_rows(client, uid, "digitiser_number"), np.arange(len(heights)))


def check_the_rest(client: Any, uid: str) -> None:
    np.testing.assert_array_equal(read_stream(client, uid, "primary")["i0"], [1.0])
    assert read_stream(client, uid, "shots")["seq_num"].size == 0
    assert run_documents(client, uid)["stop"]["exit_status"] == "success"


def check_what_is_not_there(client: Any, path: Path, heights: np.ndarray, uid: str, outside: str) -> None:
    """A file that is moved, and one that lies elsewhere, are one clear error; the rest of the run is there."""
    moved = path.rename(path.with_suffix(".moved"))
    message = rf"digitiser_heights of run {uid[:8]} .*{path.name}.*gone, moved or damaged"
    with stamina.set_testing(True, attempts=4), pytest.raises(RowsError, match=message):  # no waiting
        read_rows(client, uid, "digitiser_heights")
    check_the_rest(client, uid)
    path.write_bytes(moved.read_bytes()[:20_000])
    with stamina.set_testing(True, attempts=4), pytest.raises(RowsError, match=message):
        read_rows(client, uid, "digitiser_heights")
    check_the_rest(client, uid)
    moved.rename(path)
    check_rows(client, uid, heights)
    with stamina.set_testing(True, attempts=4), pytest.raises(RowsError, match="outside the folders"):
        read_rows(client, outside, "digitiser_heights", slice(0, 1))
    check_the_rest(client, outside)


def check_against_the_writer_of_bluesky(client: Any, path: Path, heights: np.ndarray) -> None:
    documents = run_of_shots(path)
    writer = TiledWriter(client)
    for name, doc in documents:
        writer(name, doc)
    check_rows(client, uid_of_run(documents), heights)


@pytest.mark.long
def test_rows_are_named_and_read_and_nothing_is_copied(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    path, heights, documents, outside = announced_shots(announce, tmp_path)
    assert write_catalogue(tmp_path, catalogue)
    client, uid = opened(catalogue), uid_of_run(documents)
    assert "notes" not in client[uid].metadata
    check_rows(client, uid, heights)
    check_the_rest(client, uid)
    assert not list((catalogue / "arrays").rglob("*digitiser*"))
    check_what_is_not_there(client, path, heights, uid, uid_of_run(outside))
    named = [doc for _, doc in file_documents(client, uid, "shots")]
    announced = [doc for name, doc in documents if name == "stream_resource"]
    assert [(doc["data_key"], doc["uri"], doc["parameters"]["dataset"]) for doc in named] == [
        (doc["data_key"], doc["uri"], doc["parameters"]["dataset"]) for doc in announced
    ]
    CatalogueRun(client, uid).remove()  # to be written anew
    assert not list(client.search(KeysFilter([uid])))
    assert path.exists()
    check_against_the_writer_of_bluesky(client, path, heights)


@pytest.mark.long
def test_a_server_names_and_reads_rows(
    announce: Announce, tmp_path: Path, tiled_server: TiledProcess, opened: Open
) -> None:
    path, heights, documents, outside = announced_shots(announce, tmp_path)
    tiled_server.start()
    assert write_catalogue(tmp_path, tiled_server.uri)
    client, uid = opened(tiled_server.uri), uid_of_run(documents)
    check_rows(client, uid, heights)
    check_what_is_not_there(client, path, heights, uid, uid_of_run(outside))
