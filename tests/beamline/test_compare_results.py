"""`trxas compare`, `figure --with` and `export --with`, with the truth of files that the tests make."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.outputs.comparison.find import result_of
from beamline.outputs.live_figure.reference import Reference
from beamline.outputs.live_figure.scan import LiveScan
from beamline.records.runs.journal_runs import JournalRuns
from tests.beamline.imported_files import COUNTS, edge_spectrum, text_of, written


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


def spectrum_file(
    folder: Path, name: str, seed: int = 0, shift: float = 0.0, factor: float = 1.0, points: int = 120
) -> Path:
    energy, mu = edge_spectrum(seed, points)
    return written(folder, text_of({"energy": energy + shift, "mu": factor * mu}), name)


def uid_in(root: Path) -> str:
    return next(run.uid for run in JournalRuns(root).runs() if run.raw_uid is None)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two data roots with one spectrum each; the second is 0.8 eV higher, three times as strong, on another grid."""
    folder = tmp_path_factory.mktemp("roots")
    files = spectrum_file(folder, "one.dat"), spectrum_file(folder, "other.dat", 1, 0.8e-3, 3.0, 250)
    for path in files:
        assert call("import", path, "--data", folder / path.stem).exit_code == 0
    return folder / "one", folder / "other"


def test_two_roots_are_compared_on_one_scale_with_the_shift_of_the_truth(roots: tuple[Path, Path]) -> None:
    done = call("compare", "last", "last", "--data", roots[0], "--data", roots[1])
    assert done.exit_code == 0, done.output
    found = re.search(r"lies ([+-][\d.]+) \+- ([\d.]+) eV above .*95 %: ([+-][\d.]+) to ([+-][\d.]+) eV", done.output)
    assert found is not None and "both over their edge integral 7.1034-7.2320 keV" in done.output
    value, stddev, low, high = map(float, found.groups())
    assert value == pytest.approx(-0.8, abs=4 * stddev) and stddev < 0.1
    assert (low, high) == pytest.approx((value - 1.96 * stddev, value + 1.96 * stddev), abs=2e-3)
    assert "one.dat" in done.output and "other.dat" in done.output


def test_a_file_is_compared_without_being_stored(roots: tuple[Path, Path], tmp_path: Path) -> None:
    before = len(JournalRuns(roots[0]).runs())
    path = spectrum_file(tmp_path, "third.dat", 5, factor=0.5)
    done = call("compare", uid_in(roots[0])[:8], path, "--data", roots[0])
    assert done.exit_code == 0 and len(JournalRuns(roots[0]).runs()) == before
    p_value = float(re.search(r"degrees of freedom, p-value ([\d.e-]+)", done.output)[1])  # type: ignore[index]
    assert p_value > 1e-3  # the same spectrum, other noise, another scale


def test_the_table_of_a_comparison_has_both_spectra_and_their_difference(
    roots: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "both.csv"
    assert call("compare", "last", "last", path, "--data", roots[0], "--data", roots[1]).exit_code == 0
    rows = list(csv.DictReader(line for line in path.read_text().splitlines() if line[0] != "#"))
    columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    np.testing.assert_allclose(columns["difference"], columns["one"] - columns["other"], atol=1e-12)
    stddev = np.hypot(columns["one_stddev"], columns["other_stddev"])
    np.testing.assert_allclose(columns["difference_stddev"], stddev, rtol=1e-9)
    figure = tmp_path / "both.png"
    assert call("compare", "last", "last", figure, "--data", roots[0], "--data", roots[1]).exit_code == 0
    assert imread(figure).std() > 0.05


def test_transients_are_compared_by_shape(tmp_path: Path) -> None:
    """Slot 0 is exp(1.8412 / 14) times slot 1 and has the same shape, by the truth of the file."""
    done = call("compare", COUNTS, COUNTS, "--slots", "0,1", "--data", tmp_path)
    assert done.exit_code == 0, done.output
    found = re.search(r"is ([\d.]+) \+- ([\d.]+) times .*p-value ([\d.e-]+)$", done.output.strip())
    assert found is not None
    value, stddev, p_value = map(float, found.groups())
    assert value == pytest.approx(np.exp(1.8412 / 14), abs=4 * stddev) and stddev < 0.1 and p_value > 1e-3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("last", "nobody"), "no run or scan set has a uid that begins with 'nobody'"),
        (("last", "last", "both.doc"), "written as .csv, .png, .pdf"),
        (("last", COUNTS, "--edge", "Mn_K"), "no point in the pre-edge window"),
        (("last", "manganese.dat"), "is Fe_K, manganese.dat"),
        (("last", "last", "--slots", "1"), "--slots takes two slots"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    roots: tuple[Path, Path], arguments: tuple[object, ...], sentence: str
) -> None:
    energy, mu = edge_spectrum(e0=6.539)
    path = written(roots[0], text_of({"energy": energy, "mu": mu}), "manganese.dat")
    given = [path if each == path.name else each for each in arguments]
    done = call("compare", *given, "--data", roots[0])
    assert done.exit_code != 0 and sentence in f"{done.output}{done.exception}"


def test_export_writes_the_comparison_beside(roots: tuple[Path, Path], tmp_path: Path) -> None:
    done = call("export", "last", "--with", uid_in(roots[1]), "--format", "csv,png", "--out", tmp_path,
                "--data", roots[0], "--data", roots[1])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert sorted(path.suffix for path in tmp_path.glob("*_with_*")) == [".csv", ".png"]
    refused = call("export", "last", "--with", "last", "--format", "xdi", "--out", tmp_path / "no", "--data", roots[0])
    assert "--with writes csv, png and pdf, not xdi" in str(refused.exception) and not (tmp_path / "no").exists()


def test_the_live_figure_draws_the_reference_on_the_scale_of_the_scan(roots: tuple[Path, Path], tmp_path: Path) -> None:
    pngs = [tmp_path / "alone.png", tmp_path / "with.png"]
    more = ["--with", uid_in(roots[1]), "--data", roots[1]]
    for path, further in zip(pngs, ([], more), strict=True):
        assert call("figure", "--once", "--png", path, "--data", roots[0], *further).exit_code == 0
    assert (imread(pngs[0]) != imread(pngs[1])).any()


def test_a_reference_of_another_edge_says_why_it_is_not_drawn(roots: tuple[Path, Path]) -> None:
    scan, store = LiveScan(), JournalRuns(roots[0])
    for run in store.runs():
        for name, doc in store.documents(run.uid):
            scan.take(name, doc)
    reference = Reference(result_of([JournalRuns(roots[1])], "last"))
    energy, value, label = reference.static(scan)
    assert energy.size == 250 and value[-50:].mean() == pytest.approx(1, abs=0.1) and "edge integral" in label
    manganese, mu = edge_spectrum(e0=6.539)
    path = written(roots[0], text_of({"energy": manganese, "mu": mu}), "other_edge.dat")
    energy, _, label = Reference(result_of([], str(path))).static(scan)
    assert not energy.size and "another edge" in label
