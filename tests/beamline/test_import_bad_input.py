"""Bad files are refused in one sentence that names the line, and files that are only odd are read rightly."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from beamline.records.importing import content
from beamline.records.importing.choices import Choices
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.files import read_file
from tests.beamline.imported_files import COUNTS, edge_spectrum, scan_of, tables_of, text_of, written

ENERGY, MU = edge_spectrum(points=20, noise=0)
PLAIN = text_of({"energy": 1e3 * ENERGY, "mu": MU})


def changed(line: int, old: str, new: str) -> str:
    """The plain file with a change in one line, from 1."""
    lines = PLAIN.splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    return "\n".join(lines) + "\n"


def cell(line: int, column: int) -> str:
    return PLAIN.splitlines()[line - 1].split()[column]


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a missing cell": (changed(7, " " + cell(7, 1), ""), "line 7: 1 cells where 2 are expected"),
    "a cell too many": (changed(7, cell(7, 1), "1 2"), "line 7: 3 cells where 2 are expected"),
    "a cut-off row": (PLAIN + cell(9, 0) + "\n", "line 22: 1 cells where 2 are expected"),
    "a bad first cell": (changed(7, cell(7, 0), "x7"), "line 7: cell 1 'x7'"),
    "a word instead of a row": (changed(7, f"{cell(7, 0)} {cell(7, 1)}", "aborted"), "line 7: 1 cells where 2"),
    "two tables": (PLAIN + PLAIN, "line 22: the header comes again"),
    "an unreadable number": (changed(7, cell(7, 1), "0.3x"), "line 7: cell 2 '0.3x' is missing or no number"),
    "digits with underscores": (changed(7, cell(7, 1), "1_0"), "line 7: cell 2 '1_0'"),
    "a value that is no number": (changed(7, cell(7, 1), "nan"), "line 7: mu is nan"),
    "an infinite energy": (changed(7, cell(7, 0), "inf"), "line 7: energy is inf"),
    "an energy of zero": (changed(7, cell(7, 0), "0"), "line 7: energy is 0 keV"),
    "no rows": ("# energy mu\n", "no rows of numbers"),
    "few points": ("".join(PLAIN.splitlines(True)[:5]), "4 points, and 8 are needed"),
    "nothing": (b"", "empty"),
    "binary junk": (bytes(range(256)) * 40, "neither text nor a binary format"),
    "a long line": ("# energy mu\n" + "1 " * 60_000, "line 2: it has 120000 characters"),
    "a huge header": ("#\n" * 20_100 + PLAIN, "line 20001: the header has 20101 lines"),
    "a cut-off unicode file": (b"\xff\xfe" + PLAIN.encode("utf-16-le") + b"\x00", "no UTF-16-LE"),
    "a cut-off HDF5 file": (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5 file is damaged"),
    "a cut-off gzip": (gzip.compress(b"# Athena project file " + os.urandom(5000))[:900], "content is cut off"),
    "a damaged gzip": (b"\x1f\x8b\x08\x00" + bytes(40), "compressed content"),
    "a pickle": (pickle.dumps(os.getpid) * 3, "neither text nor"),
    "an intensity of zero": (
        text_of({"energy": ENERGY, "i0": np.r_[1, 0, np.ones(18)], "it": np.ones(20)}),
        "line 3: i0 is 0, not above zero",
    ),
    "unknown columns": (text_of({"energy": ENERGY, "foo": MU}), "no absorption is recognised among energy, foo"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    data, sentence = REFUSED[case]
    with pytest.raises(ImportRefusedError) as refused:
        (scan,) = read_file(written(tmp_path, data, "bad.dat"), Choices())
        scan.write(lambda *_: None)
    assert (
        sentence in str(refused.value) and str(refused.value).startswith("bad.dat") and "\n" not in str(refused.value)
    )


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


RIGHT: dict[str, bytes] = {
    "as it is": PLAIN.encode(),
    "CRLF": PLAIN.replace("\n", "\r\n").encode(),
    "old Mac line ends": PLAIN.replace("\n", "\r").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": b"\xff\xfe" + utf16(PLAIN),
    "UTF-16 big-endian": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": utf16(PLAIN),
    "Latin-1": "# 20 °C, 5 µm\n".encode("latin-1") + PLAIN.encode(),
    "decimal commas": PLAIN.replace(".", ",").encode(),
    "decimal commas and semicolons": PLAIN.replace(".", ",").replace(" ", ";").replace("#;", "# ").encode(),
    "commas between": PLAIN.replace(" ", ", ").replace("#, ", "# ").encode(),
    "tabs": PLAIN.replace(" ", "\t").replace("#\t", "# ").encode(),
    "keV": text_of({"energy": ENERGY, "mu": MU}).encode(),
    "descending": text_of({"energy": 1e3 * ENERGY[::-1], "mu": MU[::-1]}).encode(),
    "out of order": text_of({"energy": 1e3 * np.roll(ENERGY, 3), "mu": np.roll(MU, 3)}).encode(),
    "doubled": text_of(
        {"energy": 1e3 * np.repeat(ENERGY, 2), "mu": np.repeat(MU, 2) + np.tile([1e-3, -1e-3], 20)}
    ).encode(),
    "Fortran's exponents": PLAIN.replace("7052", "0.7052D+04").encode(),
    "comments and empty lines between": PLAIN.replace("\n7", "\n\n# and\n7").replace("mu\n\n# and", "mu").encode(),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_an_odd_file_is_read_rightly(case: str, tmp_path: Path) -> None:
    found = scan_of(written(tmp_path, RIGHT[case])).found
    np.testing.assert_allclose(found.grid, ENERGY, rtol=1e-7)
    np.testing.assert_allclose(found.data["static"], MU, rtol=1e-6)


def test_what_was_turned_sorted_or_averaged_is_said_with_its_line(tmp_path: Path) -> None:
    said = {
        case: " ".join(scan_of(written(tmp_path, RIGHT[case])).found.remarks)
        for case in ("descending", "out of order", "doubled")
    }
    assert "rows were turned round" in said["descending"]
    assert "1 rows were sorted by energy, the first at line 5" in said["out of order"]
    assert "20 rows repeat a value of energy and were averaged, the first at line 3" in said["doubled"]


def test_a_file_that_may_end_within_a_number_says_so(tmp_path: Path) -> None:
    for text, cut in ((PLAIN, False), (PLAIN.rstrip("\n"), True), (PLAIN[:-3], True), (PLAIN + "# end 7", False)):
        remarks = " ".join(scan_of(written(tmp_path, text)).found.remarks)
        assert ("The last line has no end" in remarks) == cut


def test_bad_rows_are_left_out_only_when_asked_and_then_named(tmp_path: Path) -> None:
    path = written(tmp_path, changed(7, " " + cell(7, 1), ""))
    (scan,) = read_file(path, Choices(), skip=True)
    np.testing.assert_allclose(scan.found.grid, np.delete(ENERGY, 5), rtol=1e-7)
    assert "1 rows were left out: line 7: 1 cells where 2" in " ".join(scan.found.remarks)


def test_rows_of_another_dwell_are_divided_by_their_seconds(tmp_path: Path) -> None:
    seconds = np.where(np.arange(20) < 10, 1.0, 4.0)
    path = written(tmp_path, text_of({"energy": ENERGY, "seconds": seconds, "if": np.rint(1e6 * MU * seconds)}))
    found = scan_of(path).found
    np.testing.assert_allclose(found.data["static"], 1e6 * MU, rtol=1e-5)
    assert found.what == "if / seconds"


def test_counts_of_another_dwell_keep_their_own_gates() -> None:
    text = COUNTS.read_text().splitlines()
    values = text[9].split()
    gates = int(values[2])
    values[2:3] = [str(2 * gates)]  # twice the gates, so half the hits a gate
    text[9] = " ".join([*values[:4], *(f"{float(each) / 2:.9g}" for each in values[4:])])
    (table,) = tables_of("\n".join(text).encode())
    from beamline.records.importing.measured import measured_of

    found, before = measured_of(table, Choices()), scan_of(COUNTS).found
    np.testing.assert_array_equal(found.data["hits"], before.data["hits"])
    assert found.data["gates"][0] == 2 * gates


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"unit": "fortnights"}, "eV, keV, deg, ps, ns, s or mJ/cm2 are known"),
        ({"unit": "keV"}, "line 2: energy is 7052 keV if its unit is keV"),
        ({"x": "theta"}, "the axis 'theta' is no column; columns are energy, mu"),
        ({"signal": "mu", "mode": "transmission"}, "name its column (--i0)"),
        ({"signal": "mu", "counts": True}, "--counts: mu holds values that are no counts"),
        ({"edge": "Fe_Q"}, "Fe_Q"),
    ],
)
def test_wrong_choices_are_refused(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError) as refused:
        scan_of(written(tmp_path, PLAIN), **change).write(lambda *_: None)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("0.887365", "0.887371", "line 10: a phase has 37004.3 hits in 41701 gates, no whole number"),
        ("0.887365", "nan", "line 10: c0o0b0 is nan"),
        (" 41701 ", " 41701.5 ", "line 10: Gates is 41701.5, no number of gates"),
        ("c1o3b1", "c1o3b7", "one is missing"),
    ],
)
def test_a_wrong_phase_is_refused(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError) as refused:
        scan_of(written(tmp_path, COUNTS.read_text().replace(old, new, 1)))
    assert sentence in str(refused.value)


def test_a_bomb_in_a_project_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGEST_UNPACKED", 100_000)
    packed = gzip.compress(b"# Athena project file\n" + bytes(1_000_000))
    with pytest.raises(ImportRefusedError, match="unpacks to more than"):
        tables_of(packed)


def test_a_project_is_never_evaluated(tmp_path: Path) -> None:
    """Larch evaluates these lists; a list that is a call has no numbers here, and is not called."""
    mark = tmp_path / "called"
    text = f"# Athena project file -- Demeter version 0.9.26\n@x = (open('{mark}','w'));\n@y = ('1','2');\n[record]\n"
    with pytest.raises(ImportRefusedError, match="no number"):
        tables_of(text.encode())
    assert not mark.exists()


def hdf5_of(fill: Any) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        fill(opened.create_group("entry"))
    return file.getvalue()


def outside(entry: h5py.Group) -> None:
    entry["energy"] = h5py.ExternalLink("/etc/passwd", "/x")
    entry["intensity"] = MU


def in_circles(entry: h5py.Group) -> None:
    entry["energy"] = h5py.SoftLink("/entry/energy")
    entry["intensity"] = MU


def virtual(entry: h5py.Group) -> None:
    layout = h5py.VirtualLayout((20,), "f8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (20,))
    entry.create_virtual_dataset("energy", layout)
    entry["intensity"] = MU


def huge(entry: h5py.Group) -> None:
    entry.create_dataset("energy", (10**12,), "f8", chunks=(1024,), compression="gzip")
    entry["intensity"] = MU


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [(outside, "leads into another file"), (in_circles, "in a circle"), (virtual, "lies in another file"),
     (huge, "1000000000000 values"), (lambda entry: None, "no NXxas entry")],
)  # fmt: skip
def test_a_hostile_hdf5_file_is_refused(fill: Any, sentence: str) -> None:
    with pytest.raises(ImportRefusedError, match=sentence):
        tables_of(hdf5_of(fill))


@pytest.mark.parametrize("cut", [20, 60, 400, 900])
def test_a_cut_off_or_hostile_mda_file_is_refused(cut: int) -> None:
    data = (COUNTS.parent / "SampleScan.mda").read_bytes()
    with pytest.raises(ImportRefusedError, match="ends at byte"):
        tables_of(data[:cut])
    hostile = data[:32] + struct.pack(">i", 2**31 - 1) + data[36:]  # a number of points beyond the file
    with pytest.raises(ImportRefusedError, match="damaged"):
        tables_of(hostile)


def test_deep_json_is_refused() -> None:
    with pytest.raises(ImportRefusedError, match="damaged"):
        tables_of(b'{"_____header1": "# Athena project file", "a": ' + b"[" * 100_000)
