"""Half a grid: the word "provisional" stands in the result and in every file, and is gone with the whole grid."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import pytest

from beamline.outputs.export.paper import paper_figure
from beamline.outputs.export.result import read_result
from beamline.outputs.export.write import write_results
from beamline.outputs.report.content import gather
from beamline.outputs.report.shift import shift_of
from beamline.records.runs.store import open_runs
from tests.beamline.raw_scans import DWELLS, Acquisition, scan_set_of
from tests.beamline.shift import PLACE

HALF = 4 * 9
"""Dwells of the points up to the second maximum above the edge."""


@pytest.mark.parametrize("whole", [False, True])
def test_every_output_names_a_provisional_result(tmp_path: Path, whole: bool) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path / "data") as session:
        session.take([*documents[: 2 + (DWELLS if whole else HALF)], documents[-1]])
        assert session.reducer.spectrum().provisional == int(not whole)
    store = open_runs("journal", tmp_path / "data", "")
    runs = store.runs()
    result = read_result(store, runs, "last")
    paths = write_results([result], ["csv", "xdi", "nexus", "athena"], tmp_path / "out", PLACE)
    texts = {path.suffix: path.read_bytes() for path in paths if path.suffix != ".nxs"}
    texts[".prj"] = gzip.decompress(texts[".prj"])
    with h5py.File(next(path for path in paths if path.suffix == ".nxs")) as file:
        assert bool(file["entry/process/reduced/provisional"][()]) != whole
        texts[".nxs"] = bytes(file["entry/provenance/notes"][()]) if not whole else b""
    texts["figure"] = paper_figure([result]).get_supxlabel().encode()
    (measured,) = gather(store, runs, shift_of(runs, ["last"]), tmp_path / "data").measurements
    texts["report"] = measured.remark.encode()
    missing = [name for name, text in texts.items() if (b"rovisional" in text) == whole]
    assert not missing
