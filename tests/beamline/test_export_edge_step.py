"""`trxas export --edge-step`: the spectrum divided by its edge step, in each format that has columns."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import with_edge_step
from beamline.outputs.export.write import write_results
from tests.beamline.shift import PLACE, Shift


def test_the_files_have_the_spectrum_and_its_edge_step(shift: Shift, tmp_path: Path) -> None:
    pytest.importorskip("larch")
    result = with_edge_step(shift.result("energy"))
    csv, xdi, nexus = write_results([result], ["csv", "xdi", "nexus"], tmp_path, PLACE)
    table = np.genfromtxt(csv, delimiter=",", names=True, skip_header=_comments(csv))
    rate = shift.data("energy", "spectrum")["rate"][0].mean(axis=0)
    used = np.isfinite(table["norm"])
    slope = np.polyfit(rate[used], table["norm"][used], 1)[0]  # of a line below the edge only the slope is left
    assert slope > 0 and np.corrcoef(rate[used], table["norm"][used])[0, 1] > 0.99
    step = result.edge_step
    assert step is not None and slope * step["edge_step"] == pytest.approx(1, abs=0.1)
    header = xdi.read_text(encoding="utf-8")
    assert "norm edge_steps" in header and "norm_stddev edge_steps" in header
    assert "# trxas.edge_step: " in header and "larch.xafs.pre_edge, E0 13.474 keV, line 13.45 to 13.46 keV" in header
    with h5py.File(nexus) as file:
        np.testing.assert_array_equal(file["entry/process/edge_step/norm_stddev"][()], step["norm_stddev"])


def _comments(path: Path) -> int:
    return sum(line.startswith("#") for line in path.read_text(encoding="utf-8").splitlines())


def test_only_a_spectrum_has_an_edge_step(shift: Shift) -> None:
    with pytest.raises(ExportError, match=r"is a scan of laser_delay: only a spectrum has an edge step"):
        with_edge_step(shift.result("delay"))


def test_without_larch_the_extra_is_named(shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "larch.xafs.pre_edge", None)
    with pytest.raises(ExportError, match=r"not installed here .*; install the extra 'files' of this package"):
        with_edge_step(shift.result("energy"))
