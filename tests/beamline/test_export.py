"""Exported results, read back by other libraries: Larch, nexusformat, h5py, csv."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from beamline.outputs.export.about import edge_energy, pieces
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import read_result
from beamline.outputs.export.write import write_results
from beamline.records.runs.store import open_runs
from reduction.documents.covariances import covariance_of_slot
from tests.beamline.example_runs import Documents
from tests.beamline.raw_scans import GATES, MODEL, acquire, scan_set_of
from tests.beamline.shift import PLACE, Shift


@pytest.fixture
def export(shift: Shift, tmp_path: Path) -> Callable[..., list[Path]]:
    def write(kind: str, *formats: str) -> list[Path]:
        return write_results([shift.result(kind)], formats, tmp_path / "out", PLACE)

    return write


def good_dwells(passes: list[Documents], laser: int) -> list[dict[str, Any]]:
    found = [doc["data"] for documents in passes for name, doc in documents if name == "event"]
    return [data for data in found if data["quality"] == "good" and data["laser_on"] == laser]


def test_xdi_is_read_back_by_larch(shift: Shift, export: Callable[..., list[Path]]) -> None:
    from larch.io import read_xdi

    (path,) = export("energy", "xdi")
    read = read_xdi(str(path))
    live = shift.data("energy", "spectrum")
    assert (read.element, read.edge, read.dspacing) == ("Br", "K", 2.0593)
    assert path.read_text().startswith("# XDI/1.0 trxas/")
    np.testing.assert_allclose(read.energy, 1e3 * live["energy"], rtol=1e-9)
    np.testing.assert_allclose(read.normfluor, live["static"], rtol=1e-8)
    np.testing.assert_allclose(read.normfluor_stddev, live["static_stddev"], rtol=1e-8)
    np.testing.assert_allclose(read.transient_slot1, live["transient"][1], rtol=1e-8)
    np.testing.assert_allclose(read.transient_slot1_stddev, live["transient_stddev"][1], rtol=1e-8)
    raw = shift.raw["energy"]
    ours = read.attrs["trxas"]
    assert ours["raw_runs"] == ", ".join(documents[0][1]["uid"] for documents in raw)
    assert json.loads(ours["settings"])["pre_edge"] == [13.45, 13.46]
    assert ours["settings_hash"] and "numpy" in ours["raw_versions"] and "SIMULATED" in ours["kind"]
    # I0 by plain counting: what its scaler counted, without the dark.
    net = np.zeros(read.energy.size)
    for data in good_dwells(raw, 0):
        opened = data["fpga_gates"].sum() / (data["i0_time"] * MODEL.bunch_rate_hz)
        net[data["point_index"]] += (data["i0"] - data["i0_dark"] * data["i0_time"]) * opened
    np.testing.assert_allclose(read.i0, net, rtol=1e-8)
    assert "i0 counts" in path.read_text() and "mufluor photons/I0_count" in path.read_text()
    # Photons by the file's own columns against hits that were counted: more by the pile-up, at most half of mu.
    hits = np.zeros(read.energy.size)
    for data in good_dwells(raw, 0):
        hits[data["point_index"]] += data["fpga_counts"].sum()
    mu = MODEL.scenario.sample.mu_white_line
    np.testing.assert_allclose(read.ifluor / hits, 1 + mu / 4, atol=mu / 4 + 0.01)


def test_an_athena_project_is_read_back_by_larch_with_its_e0(shift: Shift, export: Callable[..., list[Path]]) -> None:
    from larch.io import read_athena

    (path,) = export("energy", "athena")
    groups = read_athena(str(path)).groups
    live = shift.data("energy", "spectrum")
    off, on = groups["laser_off_all_slots"], groups["laser_on_slot_0_100_ps"]
    np.testing.assert_allclose(off.energy, 1e3 * live["energy"])
    np.testing.assert_allclose(off.mu, live["static"])
    np.testing.assert_allclose(on.mu, live["on"][0])
    np.testing.assert_allclose(on.stddev, live["on_stddev"][0])
    difference = groups["difference_slot_0_100_ps"]
    np.testing.assert_allclose(difference.mu, live["transient"][0])
    assert difference.athena_params.is_diff == 1 and not hasattr(difference, "norm")
    energy, high = 1e3 * live["energy"], live["static"] > live["static"].max() / 2
    first = int(np.argmax(high))
    assert energy[first - 1] < off.e0 < energy[first] and off.e0 == on.e0
    assert abs(off.norm[-1] - 1) < 0.05
    titles = " ".join(off.athena_params.titles)
    assert all(documents[0][1]["uid"] in titles for documents in shift.raw["energy"]) and "SIMULATED" in titles


def test_an_athena_project_has_no_program_of_a_stranger(export: Callable[..., list[Path]]) -> None:
    (path,) = export("energy", "athena")
    text = gzip.decompress(path.read_bytes()).decode()
    assert "print" in text and "print `id`" not in text  # the sample's name is there, as words
    args = next(line for line in text.splitlines() if line.startswith("@args"))
    assert not set('`"$@\\') & set(args.removeprefix("@args"))
    assert args.count("'") % 2 == 0 and args.endswith(");")


def test_nexus_is_valid_nxxas_and_has_the_counts(shift: Shift, export: Callable[..., list[Path]]) -> None:
    import nexusformat.nexus as nexus
    from nexusformat.nexus.validate import logger, validate_application

    (path,) = export("energy", "nexus")
    logger.setLevel(logging.CRITICAL)
    assert validate_application(str(path)) == (0, 0)
    entry = nexus.nxload(str(path)).entry
    live = shift.data("energy", "spectrum")
    assert entry.definition.nxvalue == "NXxas" and entry.data.mode.nxvalue == "Fluorescence Yield"
    np.testing.assert_array_equal(entry.instrument.monochromator.energy.nxvalue, live["energy"])
    i0, hits, gates = (np.zeros(live["energy"].size) for _ in range(3))
    for data in good_dwells(shift.raw["energy"], 0):
        i0[data["point_index"]] += data["i0"]
        hits[data["point_index"]] += data["fpga_counts"].sum()
        gates[data["point_index"]] += GATES * MODEL.num_phases
    np.testing.assert_allclose(entry.instrument.incoming_beam.data.nxvalue, i0)
    np.testing.assert_array_equal(entry.data.absorbed_beam.nxvalue, hits)
    np.testing.assert_array_equal(entry.instrument.absorbed_beam.gates.nxvalue, gates)
    np.testing.assert_array_equal(entry.intensity.nxvalue, live["static"])
    np.testing.assert_array_equal(entry.intensity_errors.nxvalue, live["static_stddev"])
    assert (entry.element.name.nxvalue, entry.edge.name.nxvalue) == ("Br", "K")
    assert entry.monitor.preset.nxvalue == 6.0


def test_a_nexus_file_without_what_the_definition_requires_is_invalid(export: Callable[..., list[Path]]) -> None:
    """So that the validation above can fail."""
    from nexusformat.nexus.validate import logger, validate_application

    (path,) = export("energy", "nexus")
    with h5py.File(path, "r+") as file:
        del file["entry/instrument/absorbed_beam/data"]
    logger.setLevel(logging.CRITICAL)
    assert sum(validate_application(str(path))) > 0


def text_of(path: Path) -> str:
    """All text of a file."""
    if path.suffix == ".prj":
        return gzip.decompress(path.read_bytes()).decode()
    if path.suffix == ".nxs":
        found: list[str] = []
        with h5py.File(path) as file:
            texts = [file["entry/process/settings/data"], *file["entry/provenance"].values()]
            for each in texts:
                found += [text.decode() for text in np.atleast_1d(each[()])]
        return " ".join(found)
    if path.suffix == ".png":
        with Image.open(path) as image:
            return " ".join(str(value) for value in image.info.values())
    text = path.read_bytes().decode("latin-1")
    return re.sub(r"\\\n|\\(?=[()])", "", text)  # of a PDF: lines that go on, brackets


@pytest.mark.parametrize("kind", ["csv", "xdi", "nexus", "athena", "png", pytest.param("pdf", marks=pytest.mark.long)])
def test_every_file_has_its_provenance(shift: Shift, export: Callable[..., list[Path]], kind: str) -> None:
    (path,) = export("energy", kind)
    output = text_of(path)
    start = shift.result("energy").start
    for documents in shift.raw["energy"]:
        assert documents[0][1]["uid"] in output
    assert start["uid"] in output and start["settings_hash"] in output and "c0ffee" in output
    assert "i0_noise" in output and "pre_edge" in output  # the settings themselves
    assert "numpy" in output and "2.4.6" in output and "SIMULATED" in output


def test_nexus_keeps_the_whole_result_and_where_it_comes_from(shift: Shift, export: Callable[..., list[Path]]) -> None:
    (path,) = export("energy", "nexus")
    live = shift.data("energy", "spectrum")
    with h5py.File(path) as file:
        plot = file["entry"][file["entry"].attrs["default"]]
        plot = plot[plot.attrs["default"]]
        np.testing.assert_array_equal(plot[plot.attrs["signal"]], live["transient"][0])
        np.testing.assert_array_equal(plot["transient_errors"], live["transient_stddev"][0])
        np.testing.assert_array_equal(plot["transient_covariance"], covariance_of_slot(live, 0))
        for key, value in live.items():
            stored = file["entry/process/reduced"][key][()]
            assert stored.decode() == value if isinstance(value, str) else np.array_equal(stored, value, equal_nan=True)
        raw = [uid.decode() for uid in file["entry/provenance/raw_run_uids"]]
        settings = json.loads(file["entry/process/settings/data"][()])
        assert file["entry/provenance/kind"][()].decode().startswith("SIMULATED")
    assert raw == [documents[0][1]["uid"] for documents in shift.raw["energy"]]
    assert settings["i0_noise"] == 1e-3


@pytest.mark.parametrize(("kind", "axis"), [("delay", "laser_delay"), ("fluence", "laser_fluence")])
def test_traces_go_into_csv_and_nexus(shift: Shift, export: Callable[..., list[Path]], kind: str, axis: str) -> None:
    table, nexus = export(kind, "csv", "nexus")
    live = shift.data(kind, "trace")
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [float(row["transient_slot0"]) for row in rows] == live["transient"][0].tolist()
    output = " ".join(line for line in lines if line.startswith("#"))
    assert all(documents[0][1]["uid"] in output for documents in shift.raw[kind]) and "settings_hash" in output
    with h5py.File(nexus) as file:
        group = file["entry/process/slot0"]
        np.testing.assert_array_equal(group[group.attrs["axes"]], live[axis])
        np.testing.assert_array_equal(group["transient_errors"], live["transient_stddev"][0])
    if kind == "delay":
        fit = shift.data("delay", "kinetics")
        assert f"{fit['lifetimes'][0]:.4g} +- {fit['lifetimes_stddev'][0]:.2g} ps" in output
        with h5py.File(nexus) as file:
            np.testing.assert_array_equal(file["entry/process/kinetics/lifetimes"], fit["lifetimes"])


def test_an_unused_point_stays_out_of_xdi_and_is_reported(shift: Shift, tmp_path: Path) -> None:
    from larch.io import read_xdi

    whole = shift.result("energy")
    data = {key: np.array(value) if isinstance(value, np.ndarray) else value for key, value in whole.data.items()}
    data["used"][3] = 0
    for key in ("static", "on", "off", "transient"):
        data[key][..., 3] = np.nan
        data[f"{key}_stddev"][..., 3] = np.nan
    data["transient"][2] = np.nan  # a slot that is itself the reference
    (path,) = write_results([replace(whole, data=data)], ["xdi"], tmp_path, PLACE)
    read = read_xdi(str(path))
    assert read.energy.tolist() == np.delete(1e3 * data["energy"], 3).round(6).tolist()
    assert np.isfinite(read.data).all() and "transient_slot2" not in read.array_labels
    assert read.attrs["trxas"]["points_left_out"].startswith("1 of 12")


def test_settings_longer_than_a_line_are_whole(shift: Shift, tmp_path: Path) -> None:
    from larch.io import read_athena, read_xdi

    result = shift.result("energy")
    background = (np.random.default_rng(1).random(120) / 1e5).tolist()
    settings = {**result.start["settings"], "background_on": background}
    start = {**result.start, "settings": settings, "sample": "Caesium-Bleibromid in Wässern, 200 µm"}
    xdi, athena = write_results([replace(result, start=start)], ["xdi", "athena"], tmp_path, PLACE)
    assert max(map(len, xdi.read_text(encoding="utf-8").splitlines()[:80])) < 2048
    read = read_xdi(str(xdi))
    ours, sample = read.attrs["trxas"], read.attrs["sample"]["name"]
    parts = [ours["settings"], *(ours[f"settings_{n}"] for n in range(2, 9) if f"settings_{n}" in ours)]
    assert len(parts) > 1 and json.loads("".join(parts)) == settings and sample == start["sample"]
    titles = "".join(next(iter(read_athena(str(athena)).groups.values())).athena_params.titles)
    assert all(str(value) in titles for value in background)


@pytest.mark.parametrize("text", ["", "a b", "abc de  f" * 7, " " * 3 + "x" * 20, "x" * 10])
def test_joined_pieces_are_the_text(text: str) -> None:
    cut = pieces(text.strip(), 10)
    assert "".join(cut) == text.strip() and all(len(each) <= 10 and each == each.strip() for each in cut)


def test_a_scan_without_a_result_is_refused(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    acquire(tmp_path, [documents[:9]])
    store = open_runs("journal", tmp_path, "")
    with pytest.raises(ExportError, match="no reduced result yet"):
        read_result(store, store.runs(), "last")


def test_an_edge_of_another_name_is_refused_where_the_format_needs_the_element(shift: Shift, tmp_path: Path) -> None:
    result = shift.result("energy")
    foreign = replace(result, start={**result.start, "edge": "my edge"})
    with pytest.raises(ExportError, match="called 'my edge'"):
        write_results([foreign], ["xdi"], tmp_path, PLACE)
    assert write_results([foreign], ["csv"], tmp_path, PLACE)


def test_the_edge_energy_is_where_half_of_the_white_line_is_reached(shift: Shift) -> None:
    result = shift.result("energy")
    energy = np.linspace(13.46, 13.48, 201)
    static = np.where(energy < 13.47, 0.0, np.clip((energy - 13.47) / 0.004, 0, 1)) + 0.2 * (energy > 13.476)
    data = {"energy": energy, "static": static, "used": np.ones(energy.size, int)}
    assert edge_energy(replace(result, data=data)) == pytest.approx(13.47 + 0.6 * 0.004, abs=1e-9)
