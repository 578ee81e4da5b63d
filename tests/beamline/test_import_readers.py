"""Readers of files, against Larch, silx and numpy reading the same ones."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.beamline.imported_files import (
    COUNTS,
    FILES,
    edge_spectrum,
    scan_of,
    tables_of,
    tables_of_file,
    text_of,
    written,
)
from tests.helpers.ioc_process import ROOT

BY_LARCH = """
import json, sys
from larch.io import read_ascii
for path in sys.argv[1:]:
    group = read_ascii(path)
    print(json.dumps([path, list(group.array_labels), group.data.tolist()]))
"""
"""Run in a process of its own: Larch changes warnings and takes ten seconds to import."""
OF_BEAMLINES = ["APS10BM_2019", "APS12BM_2019", "APS13ID_2019", "ESRF_BM08_LISA_2021", "SSRL1_2006"]


@pytest.mark.long  # Larch takes ten seconds and more to import
def test_files_of_beamlines_have_the_columns_that_larch_reads() -> None:
    paths = [str(FILES / f"{name}.dat") for name in OF_BEAMLINES]
    command = [sys.executable, "-W", "ignore", "-c", BY_LARCH, *paths]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for line in lines:
        path, labels, data = json.loads(line)
        (table,) = tables_of_file(Path(path))
        assert list(table.columns) == labels
        np.testing.assert_array_equal(np.stack(list(table.columns.values())), data, strict=True)
    assert len(lines) == len(OF_BEAMLINES)


@pytest.mark.parametrize(
    ("name", "edge", "what", "ends"),
    [
        ("APS10BM_2019.dat", "Mn_K", "ln(io / it)", (6.3899975, 7.6011)),
        ("APS12BM_2019.dat", "Mn_K", "mu01", (6.339, 6.98474)),
        ("APS13ID_2019.dat", "Mn_K", "mn_ka_mca / i0", (6.389001866, 6.537)),
        ("APS9BM_2006.dat", "S_K", "Lytle / i0", (2.46, 2.5)),
        ("ESRF_BM08_LISA_2021.dat", "Ge_K", "mu_ref", (10.906925, 11.505616)),
        ("PF9A_2022.dat", "Fe_K", "if / i0", (6.60616738, 8.2109)),
        ("SSRL1_2006.dat", "Ag_K", "ln(i0 / i1)", (25.284998, 26.534926)),
    ],
)
def test_signal_and_energies_are_found_by_the_labels(
    name: str, edge: str, what: str, ends: tuple[float, float]
) -> None:
    scan = scan_of(FILES / name)
    assert (scan.found.kind, scan.found.what) == ("static", what)
    np.testing.assert_allclose(scan.found.grid[[0, -1]], ends, rtol=2e-3)
    assert (np.diff(scan.found.grid) > 0).all()


LABVIEW = """# 1-D Scan File created by LabVIEW Control Panel  1/2/2018  3:04:05 PM; Scan time 0 hrs 1 min 0 sec.
#
# Beamline 20 ID
#
# Scan config:
#                 E0: 7112.00 eV   120 points
#
# Column Headings:
#HEADINGS
"""
BMM = """# XDI/1.0 BlueSky/1.5.0
# Beamline.name: BMM (06BM) -- Beamline for Materials Measurement
# Element.symbol: Fe
# Element.edge: K
# Mono.d_spacing: 3.1356369 A
# Column.1: energy eV
# Column.2: requested_energy eV
# Column.3: measurement_time seconds
# Column.4: xmu
# Column.5: I0 nA
# Column.6: It nA
# ///
# transmission
# ------------
# energy  requested_energy  measurement_time  xmu  I0  It
"""
SECTOR_13 = "; Epics Scan 1 dimensional scan\n; P1 = {Energy} --> 13BMA:E\n; D1 = {I0} --> 13BMD:s.VAL\n"
SECTOR_13 += "; D2 = {I1} --> 13BMD:t.VAL\n;--------\n; P1 D1 D2\n"
QAS = "# Facility: NSLS-II\n# Beamline: ISS (8-ID)\n# Element: Fe\n#\n# # energy  i0  ir  it\n"


@pytest.mark.parametrize(
    ("head", "columns", "what"),
    [
        (LABVIEW, "Mono Energy (alt) *,Scaler preset time *,PreKB-I0,IT,XMAP4:FeKa_Sum", "xmap4_feka_sum / prekb_i0"),
        (LABVIEW, "Mono Energy *,Scaler preset time *,I0-32,It-32", "ln(i0_32 / it_32)"),
        (BMM, "energy,requested_energy,measurement_time,xmu,I0,It", "xmu"),
        (SECTOR_13, "energy,I0,I1", "ln(i0 / i1)"),
        (QAS, "energy,i0,ir,it", "ln(i0 / it)"),
    ],
    ids=["APS 20-ID", "APS 9-BM", "BMM", "APS 13-BM until 2010", "NSLS-II 8-ID"],
)
def test_synthetic_files_in_the_layout_of_further_beamlines(head: str, columns: str, what: str, tmp_path: Path) -> None:
    """Made here after the description of each format: no file of these stations is packaged."""
    energy, mu = edge_spectrum()
    sign = -1.0 if head == QAS else 1.0  # currents of its chambers are negative
    known = {"energy": 1e3 * energy, "i0": np.full(mu.size, sign), "i1": sign * np.exp(-mu), "sum": mu, "xmu": mu}
    if "XMAP4" in columns:  # no light behind the sample
        known["i1"] = np.ones(mu.size)
    meaning = {"mono energy": "energy", "requested_energy": "energy", "prekb-i0": "i0", "it": "i1", "xmap4": "sum"}
    names = columns.split(",")
    rows = []
    for name in names:
        low = name.lower()
        key = next((value for begin, value in meaning.items() if low.startswith(begin)), low.split("-")[0])
        rows.append(known.get(key, np.ones(mu.size)))
    lines = "".join(" ".join(f"{value:.12g}" for value in row) + "\n" for row in np.transpose(rows))
    path = written(tmp_path, head.replace("HEADINGS", "".join(f"{name:<21}" for name in names)) + lines)
    found = scan_of(path).found
    assert found.what == what
    np.testing.assert_allclose(found.grid, energy, rtol=1e-9)
    np.testing.assert_allclose(found.data["static"], mu, atol=1e-9)


def test_the_photon_factory_s_angles_are_energies() -> None:
    """Its header gives the first energy in the table of blocks, and d = 3.13551 angstrom: 12.39842 / (2 d sin)."""
    scan = scan_of(FILES / "PF9A_2022.dat")
    angle = 17.41440
    assert scan.found.grid[0] == pytest.approx(12.398419843 / (2 * 3.13551 * np.sin(np.radians(angle))), rel=1e-9)
    assert scan.found.grid[0] == pytest.approx(6.60620, abs=2e-4)


def test_spec_columns_are_those_that_numpy_and_silx_read() -> None:
    from silx.io.specfile import SpecFile

    for name in (COUNTS, FILES / "APS9BM_2006.dat"):
        (table,) = tables_of_file(name)
        by_silx = SpecFile(str(name))[0]
        assert [label.removesuffix("_col36") for label in table.columns] == by_silx.labels  # Seconds twice
        np.testing.assert_allclose(np.stack(list(table.columns.values())), by_silx.data, rtol=1e-15)
        np.testing.assert_array_equal(np.stack(list(table.columns.values()), axis=1), np.loadtxt(name))


def test_a_spec_file_gives_all_its_scans_with_rows() -> None:
    scan = "#S {n} ascan energy 7 8\n#D now\n#N 2\n#L Two Words  I0\n{rows}"
    text = "#F x\n\n" + scan.format(n=1, rows="7 1\n8 2\n#C note\n9 3\n") + "\n" + scan.format(n=2, rows="") + "\n"
    text += scan.format(n=3, rows="@A 1 2 3\n1 4\n")
    one, three = tables_of(text.encode())
    assert (one.part, three.part) == ("scan 1", "scan 3") and list(one.columns) == ["Two Words", "I0"]
    np.testing.assert_array_equal(one.columns["I0"], [1, 2, 3])
    assert one.lines.tolist() == [7, 8, 10] and three.columns["Two Words"].tolist() == [1]


def test_spec_labels_one_space_apart_are_told_by_their_number() -> None:
    (table,) = tables_of(b"#S 1 scan\n#N 3\n#L a  b c\n1 2 3\n4 5 6\n")
    assert list(table.columns) == ["a", "b", "c"]


def test_an_mda_scan_has_the_positions_of_its_header() -> None:
    (table,) = tables_of_file(FILES / "SampleScan.mda")
    position = table.columns["13IDA:m59.RBV"]
    assert (table.part, table.units["13IDA:m59.RBV"], position.size) == ("scan 502", "mm", 41)
    np.testing.assert_allclose(np.diff(position), 5e-4, atol=2e-4)  # 20 um in 40 steps
    raw = (FILES / "SampleScan.mda").read_bytes()
    counts = np.frombuffer(raw, ">f4", 41, raw.index(table.columns["13IDD:scaler1.S5"].astype(">f4").tobytes()))
    np.testing.assert_array_equal(counts, table.columns["13IDD:scaler1.S5"])


PROJECT = """# Athena project file -- Demeter version 0.9.26
# a comment with @x = ('9');
$old_group = 'aaaa';
@args = ('annotation','','label','It\\'s \\"iron\\"','bkg_e0','7112.0','atsym','Fe','edge','K');
@x = ({x});
@y = ({y});
@i0 = ({x});
[record]

@journal = {{}};
1;
"""


def test_an_athena_project_has_the_spectra_that_were_written(tmp_path: Path) -> None:
    energy, mu = edge_spectrum()
    text = PROJECT.format(x=",".join(f"'{1e3 * e:.4f}'" for e in energy), y=",".join(f"'{m:.6f}'" for m in mu))
    for data in (text.encode(), gzip.compress(text.encode())):
        (table,) = tables_of(data)
        np.testing.assert_allclose(table.columns["energy"], 1e3 * energy, atol=1e-4)
        np.testing.assert_allclose(table.columns["mu"], mu, atol=1e-6)
        assert table.part == 'group It\'s "iron"' and (table.about["element"], table.about["shell"]) == ("Fe", "K")


def test_a_json_athena_project_is_read_too() -> None:
    energy, mu = edge_spectrum(points=10)
    group = {"args": {"label": "foil"}, "x": [str(1e3 * e) for e in energy], "y": mu.tolist()}
    (table,) = tables_of(json.dumps({"_____header1": "# Athena project file -- Larch", "abcd": group}).encode())
    np.testing.assert_array_equal(table.columns["mu"], mu)


def test_the_measured_athena_project_has_all_its_spectra() -> None:
    path = ROOT / "tests" / "data" / "bromoadamantane.prj"
    tables = tables_of_file(path)
    assert len(tables) == gzip.decompress(path.read_bytes()).count(b"\n@x = (") == 18
    table = tables[0]
    transmitted = np.log(table.columns["i0"] / table.columns["signal"])
    np.testing.assert_allclose(table.columns["mu"] - transmitted, 0, atol=1e-4)


def test_xdi_has_its_units_element_and_errors(tmp_path: Path) -> None:
    energy, mu = edge_spectrum()
    columns = {"energy": 1e3 * energy, "mutrans": mu, "mutrans_stddev": np.full(mu.size, 1e-3)}
    entries = ["XDI/1.0 GSE/1.0", "Column.1: energy eV", "Column.2: mutrans", "Column.3: mutrans_stddev"]
    entries += ["Element.symbol: Fe", "Element.edge: K", "Mono.d_spacing: 3.13553", "Sample.name: a foil", "///"]
    head = "".join(f"# {entry}\n" for entry in entries) + "# said\n#----\n# {}\n"
    scan = scan_of(written(tmp_path, text_of(columns, head, "{:.10g}")))
    assert (scan.source.reader, scan.found.errors, scan.source.table.about["sample"]) == ("xdi", "given", "a foil")
    np.testing.assert_allclose(scan.found.grid, energy, rtol=1e-9)
    np.testing.assert_allclose(scan.found.data["static_stddev"], 1e-3)


@pytest.mark.parametrize("newer", [False, True])
def test_nxxas_of_both_definitions(tmp_path: Path, newer: bool) -> None:
    energy, mu = edge_spectrum()
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        if newer:
            entry["energy"], entry["intensity"], entry["intensity_errors"] = 1e3 * energy, mu, np.full(mu.size, 1e-3)
            entry["energy"].attrs["units"] = "eV"
        else:
            entry["instrument/monochromator/energy"] = energy
            entry["instrument/incoming_beam/data"] = np.full(mu.size, 1e6)
            entry["instrument/absorbed_beam/data"] = 1e6 * np.exp(-mu)
            entry["data/mode"] = "Transmission"
            entry["data/energy"] = h5py.SoftLink("/entry/instrument/monochromator/energy")
    scan = scan_of(tmp_path / "a.nxs")
    np.testing.assert_allclose(scan.found.grid, energy, rtol=1e-12)
    np.testing.assert_allclose(scan.found.data["static"], mu, rtol=1e-9)
    assert scan.found.errors == ("given" if newer else "scatter")
