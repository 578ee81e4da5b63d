"""`trxas thermal`: spectra at several temperatures that were imported."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.records.runs.journal_runs import JournalRuns
from tests.beamline.imported_files import text_of, written
from tests.reduction.test_thermal import absorption

SHIFTS = {25: 0.0, 60: 3.5e-4, 140: -5e-4}


def trxas(root: Path, *arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [*map(str, arguments), "--data", str(root)])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("thermal")
    energy = np.arange(13.445, 13.5602, 0.0005)
    rng = np.random.default_rng(2)
    for temperature, shift in SHIFTS.items():
        mu = absorption(energy - shift, temperature) + 1e-3 * rng.standard_normal(energy.size)
        columns = {"energy": energy, "mu": mu, "mu_stddev": np.full(energy.size, 1e-3)}
        path = written(folder, text_of(columns), f"heated_{temperature}.dat")
        done = trxas(folder, "import", path, "--edge", "Br_K")
        assert done.exit_code == 0, done.output
    raw = [run for run in JournalRuns(folder).runs() if run.raw_uid is None]
    return folder, [run.uid[:10] for run in sorted(raw, key=lambda run: run.start["time"])]


def test_shifts_differences_and_c_are_those_of_the_truth(runs: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, names = runs
    table, picture = tmp_path / "series.csv", tmp_path / "series.png"
    given = ("thermal", *names, "--temperatures", "25,60,140")
    done = trxas(root, *given, "--out", table)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    moved = re.findall(r"moved by ([+-][\d.]+) \+- ([\d.]+) eV", done.output)
    assert [float(value) for value, _ in moved] == pytest.approx([-0.35, 0.5], abs=0.05)
    assert "expected +6.5 meV higher" in done.output and "C the same at all temperatures" in done.output
    rows = list(csv.DictReader(line for line in table.read_text().splitlines() if line[0] != "#"))
    energy, difference = (np.array([float(row[key]) for row in rows]) for key in ("energy_keV", "difference_140degC"))
    line = np.abs(energy - 13.4735) < 5e-4
    assert difference[line].mean() == pytest.approx(-0.05, abs=0.015)  # normalised by an edge integral near 1
    assert trxas(root, *given, "--out", picture).exit_code == 0
    assert imread(picture).std() > 0.05


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ((), "has no temperature: give all with --temperatures"),
        (("--temperatures", "25,60"), "2 temperatures for 3 results"),
        (("--temperatures", "25,60,hot"), "takes numbers, comma-separated, not '25,60,hot'"),
        (("--temperatures", "25,60,140", "--varshni", "1"), "takes alpha and beta, or none"),
        (("--temperatures", "25,60,-300"), "temperatures 25, 60, -300: degC above -273.15"),
        (("--temperatures", "25,60,140", "--reference", "300"), "no spectrum within 10 K of the reference, 300 degC"),
        (("--temperatures", "25,60,140", "--out", "a.doc"), "written as .csv, .png, .pdf"),
    ],
)
def test_what_is_missing_is_named(runs: tuple[Path, list[str]], more: tuple[str, ...], sentence: str) -> None:
    done = trxas(runs[0], "thermal", *runs[1], *more)
    assert done.exit_code != 0
    assert " ".join(sentence.split()) in " ".join(f"{done.output}{done.exception}".replace("│", " ").split())
