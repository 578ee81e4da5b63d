"""`trxas diffraction`: images with rings that the tests make, written by fabio, with a geometry of pyFAI."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from beamline.app import cli
from tests.reduction.test_diffraction import GEOMETRY, RINGS, image

fabio = pytest.importorskip("fabio", reason="fabio is not installed (extra 'thermal')")

PONI = """poni_version: 2
Detector: Detector
Detector_config: {{"pixel1": 0.000172, "pixel2": 0.000172, "max_shape": [195, 487], "orientation": 3}}
Distance: {dist}
Poni1: {poni1}
Poni2: {poni2}
Rot1: 0
Rot2: 0
Rot3: 0
Wavelength: 1e-10
"""


def trxas(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["diffraction", *map(str, arguments)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    (folder / "camera.poni").write_text(PONI.format(**GEOMETRY))
    for name, rings in (
        ("cold.tif", {2.15: 800.0, 2.172: 700.0}), ("hot.tif", {2.16: RINGS[2.16]}), ("windows.tif", {1.83: 900.0}),
    ):  # fmt: skip
        fabio.tifimage.tifimage(data=image(rings, 1).astype(np.int32)).write(str(folder / name))
    both = image({1.80: 600.0, 1.83: 900.0}, 7, level=100.0)
    fabio.tifimage.tifimage(data=both.astype(np.int32)).write(str(folder / "both.tif"))
    (folder / "words.tif").write_text("no image")
    (folder / "words.h5").write_text("no image")
    with h5py.File(folder / "other.h5", "w") as file:
        file["measured"] = np.zeros(3)
    return folder


def test_peaks_and_their_splitting_are_printed_and_written(files: Path, tmp_path: Path) -> None:
    given = [files / "cold.tif", files / "hot.tif", "--geometry", files / "camera.poni", "--peaks", "2.05-2.27"]
    done = trxas(*given, "--polarisation", 0, "--out", tmp_path / "patterns.csv")
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    cold, hot = (
        next(line for line in done.output.splitlines() if f"{name}.tif: 2." in line) for name in ("cold", "hot")
    )
    assert "; split, p-value" in cold and "not split" in hot
    positions = [float(each) for each in re.findall(r"([\d.]+) \+- [\d.]+ 1/A, width", cold)]
    assert positions[1:] == pytest.approx([2.15, 2.172], abs=1e-3)
    assert float(re.search(r"([\d.]+) \+-", hot)[1]) == pytest.approx(2.16, abs=1e-3)  # type: ignore[index]
    rows = list(csv.DictReader(line for line in (tmp_path / "patterns.csv").read_text().splitlines() if line[0] != "#"))
    assert {row["image"] for row in rows} == {"cold.tif", "hot.tif"} and len(rows) > 400
    picture = tmp_path / "patterns.png"
    assert trxas(files / "hot.tif", "--geometry", files / "camera.poni", "--out", picture).exit_code == 0
    assert imread(picture).std() > 0.05


def test_a_line_below_the_windows_is_found_with_the_windows_out_of_the_way(files: Path, tmp_path: Path) -> None:
    """The ring of the windows lies on a line of the sample: without it the position is that of both."""
    given = [files / "both.tif", "--geometry", files / "camera.poni", "--peaks", "1.70-1.95", "--polarisation", 0]
    windows = ["--windows", files / "windows.tif"]
    plain, fitted = (trxas(*given, *more) for more in ([], [*windows, "--background", "fit"]))
    assert fitted.exit_code == 0, f"{fitted.output}{fitted.exception}"
    at = [float(re.search(r"([\d.]+) \+- [\d.]+ 1/A, width", each.output)[1]) for each in (plain, fitted)]  # type: ignore[index]
    assert abs(at[0] - 1.80) > 5e-3 and at[1] == pytest.approx(1.80, abs=1e-3)
    amount = re.search(r"and ([\d.]+) \+- ([\d.]+) of the windows", fitted.output)
    assert amount is not None and float(amount[1]) == pytest.approx(1.0, abs=0.03)  # the line is below the ring
    out = tmp_path / "patterns.csv"
    done = trxas(files / "both.tif", files / "hot.tif", *given[1:3], *windows, "--background", "si", "--out", out)
    levels = re.findall(r"all: background of ([\d.]+) \+-", done.output)
    assert done.exit_code == 0 and len(levels) == 1, done.output
    rows = list(csv.DictReader(line for line in out.read_text().splitlines() if line[0] != "#"))
    far = [float(row["intensity"]) for row in rows if row["image"] == "hot.tif" and float(row["q_per_angstrom"]) > 2.3]
    assert np.mean(far) / float(levels[0]) == pytest.approx(60 / 100 - 1, abs=0.06)


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("nothing.tif", (), "nothing.tif: No such file or directory"),
        ("words.tif", (), "words.tif is no image that fabio reads"),
        ("words.h5", (), "words.h5 is no image that h5py reads"),
        ("other.h5", (), "other.h5 has no image: none of the datasets entry/data/data"),
        ("hot.tif", ("--geometry", "none.poni"), "none.poni: no such file; pyFAI's calibration"),
        ("hot.tif", ("--geometry", "words.tif"), "words.tif is no geometry of pyFAI"),
        ("hot.tif", ("--peaks", "2.05"), "--peaks takes ranges like 1.43-1.63"),
        ("hot.tif", ("--peaks", "2.2-2.0"), "does not go from a lower to a higher"),
        ("hot.tif", ("--peaks", "8-9"), "0 points between 8 and 9 1/A: the pattern goes from"),
        (
            "hot.tif",
            ("--peaks", "2.3-2.5"),
            "no line between 2.3 and 2.5 1/A stands out of the noise: the ring is lost",
        ),
        ("hot.tif", ("--mask", "hot.tif"), "every pixel is masked"),
        ("hot.tif", ("--background", "both"), "--background is one of none, fit, si, not 'both'"),
        ("hot.tif", ("--background", "fit", "--windows", "words.tif"), "words.tif is no image that fabio reads"),
        ("hot.tif", ("--out", "a.doc"), "written as .csv, .png or .pdf"),
    ],
)
def test_bad_files_and_ranges_are_named(files: Path, name: str, more: tuple[str, ...], sentence: str) -> None:
    given = [files / each if each.endswith((".tif", ".poni")) else each for each in more]
    geometry = [] if "--geometry" in more else ["--geometry", files / "camera.poni"]
    done = trxas(files / name, *geometry, *given)
    assert sentence in " ".join(f"{done.output}{done.exception}".replace("│", " ").split())


@pytest.mark.parametrize(
    ("library", "sentence"), [("fabio", "images are read by fabio"), ("pyFAI", "integrated by pyFAI")]
)
def test_a_missing_library_is_named(files: Path, monkeypatch: pytest.MonkeyPatch, library: str, sentence: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    done = trxas(files / "hot.tif", "--geometry", files / "camera.poni")
    said = " ".join(f"{done.output}{done.exception}".replace("│", " ").split())
    assert f"{sentence}, which is not installed here: install the extra 'thermal'" in said
