"""Results as files, read back by programs that others wrote: Larch, nexusformat, h5py, csv."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from beamline import cli
from beamline.export.about import edge_energy, pieces
from beamline.export.errors import ExportError
from beamline.export.names import file_in, safe_name, written_whole
from beamline.export.place import Place
from beamline.export.result import read_result
from beamline.export.write import write_results
from beamline.runs.store import open_runs
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import Documents
from tests.beamline.raw_scans import GATES, MODEL, acquire, scan_set_of

PLACE = Place("Some Ring", "undulator", "diamond(111)", 2.0593)
SAMPLE = "../../x'); print `id`; ('"
ABOUT = {"beamline_name": "7-ID-D", "dwell": 6.0, "configuration_hash": "c0ffee", "versions": {"numpy": "2.4.6"}}


@dataclass(frozen=True)
class Shift:
    """A journal with an energy scan of two passes, a delay scan and a fluence scan."""

    root: Path
    raw: dict[str, list[Documents]]
    reduced: dict[str, Documents]

    def scan_set(self, kind: str) -> str:
        return str(self.raw[kind][0][0][1]["scan_set"])

    def data(self, kind: str, stream: str) -> dict[str, Any]:
        """What the live reducer published at the end."""
        documents = self.reduced[self.raw[kind][-1][0][1]["uid"]]
        of_stream = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == stream}
        return dict([doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in of_stream][-1])

    def result(self, kind: str):
        store = open_runs("journal", self.root, "")
        return read_result(store, store.runs(), self.scan_set(kind))


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Shift:
    root = tmp_path_factory.mktemp("shift")
    raw = {
        "energy": scan_set_of(2, sample=SAMPLE, **ABOUT),
        "delay": two_passes("laser_delay"),
        "fluence": two_passes("laser_fluence"),
    }
    raw["energy"][0][2 + 7][1]["data"]["quality"] = "beam lost"
    reduced: dict[str, Documents] = {}
    for passes in raw.values():
        reduced |= acquire(root, passes)
    return Shift(root, raw, reduced)


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
    import gzip

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


def test_nexus_keeps_the_whole_result_and_where_it_comes_from(shift: Shift, export: Callable[..., list[Path]]) -> None:
    (path,) = export("energy", "nexus")
    live = shift.data("energy", "spectrum")
    with h5py.File(path) as file:
        plot = file["entry"][file["entry"].attrs["default"]]
        plot = plot[plot.attrs["default"]]
        np.testing.assert_array_equal(plot[plot.attrs["signal"]], live["transient"][0])
        np.testing.assert_array_equal(plot["transient_errors"], live["transient_stddev"][0])
        np.testing.assert_array_equal(plot["transient_covariance"], live["transient_covariance"][0])
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
    said = " ".join(line for line in lines if line.startswith("#"))
    assert all(documents[0][1]["uid"] in said for documents in shift.raw[kind]) and "settings_hash" in said
    with h5py.File(nexus) as file:
        group = file["entry/process/slot0"]
        np.testing.assert_array_equal(group[group.attrs["axes"]], live[axis])
        np.testing.assert_array_equal(group["transient_errors"], live["transient_stddev"][0])
    if kind == "delay":
        fit = shift.data("delay", "kinetics")
        assert f"{fit['lifetimes'][0]:.4g} +- {fit['lifetimes_stddev'][0]:.2g} ps" in said
        with h5py.File(nexus) as file:
            np.testing.assert_array_equal(file["entry/process/kinetics/lifetimes"], fit["lifetimes"])


def test_an_unused_point_stays_out_of_xdi_and_is_told(shift: Shift, tmp_path: Path) -> None:
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
def test_pieces_put_together_are_the_text(text: str) -> None:
    cut = pieces(text.strip(), 10)
    assert "".join(cut) == text.strip() and all(len(each) <= 10 and each == each.strip() for each in cut)


def test_figures_have_error_bars_and_are_marked_as_simulated(shift: Shift, tmp_path: Path) -> None:
    from beamline.export.paper import paper_figure

    for kind in ("energy", "delay", "fluence"):
        result = shift.result(kind)
        figure = paper_figure([result], fluence_used=8.8)
        assert any("SIMULATED" in text.get_text() for text in figure.texts), kind
        assert all(axes.containers for axes in figure.axes), kind  # error bars
        real = paper_figure([replace(result, start={**result.start, "mode": "real"})])
        assert not any("SIM" in text.get_text() for text in real.texts)
    png, pdf = write_results([shift.result("energy")], ["png", "pdf"], tmp_path, PLACE)
    assert min(Image.open(png).size) > 1000 and pdf.read_bytes().startswith(b"%PDF")


def test_transients_of_a_figure_are_over_their_area(shift: Shift) -> None:
    from beamline.export.paper import paper_figure

    result = shift.result("energy")
    static, transients = paper_figure([result]).axes
    drawn = [container.lines[0].get_ydata() for container in transients.containers]
    live = shift.data("energy", "spectrum")
    steps = np.diff(1e3 * live["energy"])
    for slot, values in enumerate(drawn):
        size = np.abs(live["transient"][slot])
        shape = live["transient"][slot] / (steps * (size[1:] + size[:-1]) / 2).sum()
        np.testing.assert_allclose(np.diff(values), np.diff(shape), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(static.containers[0].lines[0].get_ydata(), live["static"] / live["static"][-1])


def test_slots_of_a_figure_may_be_chosen(shift: Shift) -> None:
    from beamline.export.paper import paper_figure

    result = shift.result("energy")
    assert len(paper_figure([result], slots=[0, 1]).axes[1].containers) == 2
    with pytest.raises(ExportError, match="no transient in slots 9"):
        paper_figure([result], slots=[9])


def test_edges_stand_side_by_side_and_a_delay_keeps_its_colour(shift: Shift) -> None:
    from beamline.export.paper import paper_figure

    bromine = shift.result("energy")
    lead = replace(bromine, start={**bromine.start, "edge": "Pb_L3"}, slot_delays=(10_100.0, *bromine.slot_delays[1:]))
    axes = paper_figure([bromine, lead], slots=[0, 1]).axes
    colours = [[container.lines[0].get_color() for container in panel.containers] for panel in axes[2:]]
    assert [panel.get_title("left")[-5:] for panel in axes[:2]] == [" Br K", "Pb L3"]
    (first, second), (other, same) = colours
    assert second == same and len({first, second, other}) == 3


def test_a_fit_is_drawn_with_its_chi_square(shift: Shift) -> None:
    from beamline.export.paper import paper_figure

    (axes,) = paper_figure([shift.result("delay")]).axes
    fit = shift.data("delay", "kinetics")
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(f"chi-square {fit['chi_square']:.0f} for {fit['freedom']}" in each for each in words)


def test_figures_refuse_what_does_not_go_together(shift: Shift) -> None:
    from beamline.export.paper import paper_figure

    energy, delay = shift.result("energy"), shift.result("delay")
    with pytest.raises(ExportError, match="do not go into one figure"):
        paper_figure([energy, delay])
    with pytest.raises(ExportError, match="simulated and measured"):
        paper_figure([energy, replace(energy, start={**energy.start, "mode": "real"})])


@pytest.mark.parametrize(
    "text",
    ["../../x", "/etc/passwd", "..", "", "a/b\\c", "-rf", ".hidden", "C:\\con", "x\0y\nz", "\u202egpj", "é" * 300],
)
def test_names_from_metadata_stay_in_the_folder(tmp_path: Path, text: str) -> None:
    name = safe_name(text)
    assert name and name.isascii() and not set(name) & set('/\\\0\n:"') and name[0] not in ".-" and len(name) <= 40
    assert file_in(tmp_path, text, text, suffix=".csv").resolve().parent == tmp_path.resolve()


def test_a_sample_called_dot_dot_slash_is_written_into_the_folder(
    export: Callable[..., list[Path]], tmp_path: Path
) -> None:
    paths = export("energy", "csv", "png")
    assert {path.parent for path in paths} == {tmp_path / "out"}
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a.csv"
    path.symlink_to(victim)
    with written_whole(file_in(tmp_path / "out", "a", suffix=".csv")) as draft:
        draft.write_text("new")
    assert victim.read_text() == "keep" and path.read_text() == "new" and not path.is_symlink()


def test_a_failure_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a.csv") as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.fixture
def trxas(shift: Shift, tmp_path: Path) -> Callable[..., Result]:
    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(shift.root)])

    return call


def test_the_command_writes_what_is_asked_for(trxas: Callable[..., Result], shift: Shift, tmp_path: Path) -> None:
    out = tmp_path / "for a friend"
    done = trxas("export", shift.scan_set("energy"), "--format", "csv,xdi", "--out", str(out))
    assert done.exit_code == 0, done.output
    written = [Path(line) for line in done.output.splitlines()]
    assert [path.suffix for path in written] == [".csv", ".xdi"] and all(path.is_file() for path in written)
    assert shift.result("energy").start["accumulates"] == [
        shift.raw["energy"][0][0][1]["uid"]
    ]  # the sum of both passes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("last", "--format", "docx"), "docx: no such format; known are csv, xdi"),
        (("{delay}", "--format", "xdi"), "xdi holds spectra"),
        (("nothing",), "no run and no scan set"),
        (("{energy}", "{delay}", "--format", "png"), "do not go into one figure"),
        (("last", "--out", "/proc/nowhere"), "cannot be written"),
    ],
)
def test_the_command_says_what_is_wrong(
    trxas: Callable[..., Result], shift: Shift, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    named = [each.format(delay=shift.scan_set("delay"), energy=shift.scan_set("energy")) for each in arguments]
    done = trxas("export", "--out", str(tmp_path / "out"), *named)
    assert done.exit_code != 0 and words in str(done.exception), done.output


def test_without_larch_one_line_says_the_way_out(shift: Shift, tmp_path: Path) -> None:
    hide = "import sys; sys.modules['larch'] = None; from beamline.cli import main; main()"
    arguments = [
        "export",
        shift.scan_set("energy"),
        "--format",
        "athena",
        "--out",
        str(tmp_path),
        "--data",
        str(shift.root),
    ]
    done = subprocess.run([sys.executable, "-c", hide, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "written by Larch" in done.stderr and "extra 'files'" in done.stderr and not list(tmp_path.iterdir())


def test_a_scan_without_a_result_says_so(tmp_path: Path) -> None:
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


def test_the_run_table_is_written_as_csv(trxas: Callable[..., Result], shift: Shift, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    done = trxas("list", "--csv", str(path))
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert len(rows) == 12 and {row["kind"] for row in rows} == {"raw", "reduced"}
    by_uid = {row["uid"]: row for row in rows}
    second = shift.raw["energy"][1]
    row = by_uid[second[0][1]["uid"]]
    assert (row["pass"], row["passes"], row["ended"], row["sample"]) == ("2", "2", "success", SAMPLE)
    assert row["events"] == str(sum(name == "event" for name, _ in second))
    reduced = [each for each in rows if each["raw_uid"] == row["uid"]]
    assert [each["passes"] for each in reduced] == ["2"]


def test_a_cell_is_never_a_formula(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, sample="=cmd|' /C calc'!A0")
    acquire(tmp_path / "data", [documents])
    CliRunner().invoke(cli.app, ["list", "--csv", str(tmp_path / "runs.csv"), "--data", str(tmp_path / "data")])
    rows = list(csv.DictReader((tmp_path / "runs.csv").open(encoding="utf-8")))
    assert rows and all(row["sample"].startswith("'=") for row in rows)
