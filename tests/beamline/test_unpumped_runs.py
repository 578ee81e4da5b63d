"""A scan without the laser from its documents to files, figure, report, dataset and the commands."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import beamline
from beamline.app import cli
from beamline.outputs.export.result import Result, read_result
from beamline.outputs.export.write import write_results
from beamline.outputs.report.numbers import numbers_of
from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.store import open_runs
from beamline.session.scans.edges import largest_transient
from tests.beamline.example_runs import Documents
from tests.beamline.figures import drawn, followed, words_of
from tests.beamline.raw_scans import ENERGIES, MU, SEGMENTS, SETTINGS, acquire, scan_set_of
from tests.beamline.shift import PLACE

OFF = [segment for segment, laser in enumerate(SEGMENTS) if not laser]


def unpumped(documents: Documents) -> Documents:
    """The laser-off dwells of a pass, as of a scan without the laser."""
    found: Documents = []
    for name, doc in documents:
        if name == "start":
            doc = {**doc, "pattern": [0] * len(OFF), "num_events": len(OFF) * ENERGIES.size}
            del doc["pump_delay"]
        elif name == "event":
            if doc["data"]["segment"] not in OFF:
                continue
            doc["data"]["segment"] = OFF.index(doc["data"]["segment"])
            doc["seq_num"] = sum(kind == "event" for kind, _ in found) + 1
        elif name == "stop":
            doc["num_events"] = {"primary": len(OFF) * ENERGIES.size}
        found.append((name, doc))
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpumped")
    acquire(folder, [unpumped(documents) for documents in scan_set_of(2)])
    return folder


@pytest.fixture
def result(root: Path) -> Result:
    store = open_runs("journal", root, "")
    return read_result(store, store.runs(), "last")


@pytest.fixture
def trxas(root: Path) -> Callable[..., str]:
    """Output of a command on the data root, which must succeed."""

    def call(*arguments: object, code: int = 0) -> str:
        done = CliRunner().invoke(cli.app, [*map(str, arguments), "--data", str(root)])
        assert done.exit_code == code, done.output
        return " ".join(f"{done.output} {done.exception}".split())

    return call


def truth() -> Any:
    """The laser-off spectrum of the scenario, normalised by the windows."""
    signal = MU[:, OFF[0]].mean(axis=1)
    (low, high), (start, end) = SETTINGS["pre_edge"], SETTINGS["integral"]  # type: ignore[misc]
    above = signal - signal[(low <= ENERGIES) & (high >= ENERGIES)].mean()
    inside = (start <= ENERGIES) & (end >= ENERGIES)
    at, value = ENERGIES[inside], above[inside]
    return above / (np.trapezoid(value, at) / np.ptp(at))


def test_the_dataset_has_the_static_spectrum_and_no_slot(root: Path) -> None:
    found = beamline.results("last", data=root)
    assert found.static.dims == ("detector", "energy")
    assert set(found.data_vars) == {"static", "static_stddev", "dwells"}
    pull = (found.static.values[0] - truth()) / found.static_stddev.values[0]
    assert np.abs(pull).max() < 4
    assert found.attrs["reference"] == "no laser" and "pump_delay" not in found.attrs
    assert len(repr(found).splitlines()) < 40


def test_the_edge_step_is_that_of_larch(root: Path) -> None:
    assert beamline.results("last", data=root, edge_step=True).norm.max() > 1.0


def test_files_have_the_spectrum_alone(result: Result, tmp_path: Path) -> None:
    table, nexus, xdi, athena, png = write_results(
        [result], ["csv", "nexus", "xdi", "athena", "png"], tmp_path, PLACE
    )  # fmt: skip
    assert "no-laser" in table.name and png.stat().st_size > 10_000
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["energy_keV", "static", "static_stddev"]
    np.testing.assert_array_equal([float(row["static"]) for row in rows], result.data["static"])
    assert "nan" not in table.read_text() and "nan" not in xdi.read_text()
    with h5py.File(nexus) as file:
        assert [name for name in file["entry/process"] if name.startswith("slot")] == []
        np.testing.assert_array_equal(file["entry/intensity"], result.data["static"])
    from larch.io import read_athena, read_xdi

    np.testing.assert_allclose(read_xdi(str(xdi)).normfluor, result.data["static"], rtol=1e-9)
    assert list(read_athena(str(athena)).keys())


def test_the_report_has_its_numbers(result: Result, trxas: Callable[..., str], tmp_path: Path) -> None:
    numbers = {each.name: each.value for each in numbers_of(result, {})}
    assert numbers["laser off: half of the maximum at"].startswith("13.4")
    page = tmp_path / "shift.html"
    trxas("report", "last", "--out", page)
    assert "no laser" in page.read_text() and "half of the maximum" in page.read_text()


def test_the_figure_shows_the_spectrum(root: Path) -> None:
    scan = followed(root)
    figure, _ = drawn(scan)
    assert scan.complete and scan.message == ""
    assert "no laser" in words_of(figure)


def test_the_commands_read_it(root: Path, trxas: Callable[..., str], tmp_path: Path) -> None:
    listed = trxas("list")
    assert "Br_K no laser 1/2 12/12 success" in listed and "reduced live" in listed
    assert "no laser" in trxas("show", "last")
    assert "agree to the bit" in trxas("reduce", "last")
    assert "transients: not both have a transient" in trxas("compare", "last", "last")
    assert "the laser" in trxas("map", "last", "--out", tmp_path, code=1)


def test_a_replay_agrees_to_the_bit(root: Path) -> None:
    store = open_runs("journal", root, "")
    runs = store.runs()
    found = replay(store, runs, plan_job(runs, str(runs[0].scan_set), {}))
    assert [each.agreement is not None and each.agreement.exact for each in found] == [True, True]


def test_it_is_no_scan_in_which_the_main_feature_is_looked_for(root: Path) -> None:
    with pytest.raises(ValueError, match=r"no energy scan of test sample is there to find it in"):
        largest_transient(root, "Br_K", "test sample")


def test_a_scan_with_the_laser_after_it_has_its_transient(tmp_path: Path) -> None:
    acquire(tmp_path, [unpumped(documents) for documents in scan_set_of(1)])
    acquire(tmp_path, scan_set_of(1, seed=3))
    found = beamline.results("last", data=tmp_path)
    assert np.isfinite(found.transient).any() and found.sizes["slot"] == 5
