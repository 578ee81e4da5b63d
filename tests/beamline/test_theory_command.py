"""`trxas theory`: computed spectra beside a result, with the fraction that the tests put there."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.outputs.live_figure.theory_overlay import TheoryOverlay
from tests.beamline.figures import followed
from tests.beamline.imported_files import text_of, written
from tests.reduction.computed_spectra import absorption, computed

FRACTION, NOISE = 0.06, 4e-4
ZERO = 13.4668
THEORY = """
edge = "Br_K"
ground.files = ["ground/*.dat"]
models.polaron.files = ["polaron.dat"]
models.heat.measured = "heat.csv"
allowed = { shift = 0.6, shifts = 13, widths = 3, narrowest = 0.8, widest = 1.2 }
"""


def trxas(root: Path, *arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [*map(str, arguments), "--data", str(root)])


def xanes(state: object, factor: float = 1.0) -> str:
    """As XSpectra writes it: comments, then energy, sum, and spin up and down."""
    columns = {"e": state.energy, "s": factor * state.value, "u": state.value / 2, "d": state.value / 2}  # type: ignore[attr-defined]
    return text_of(
        columns, "# final state angular momentum: 1\n# broadening parameter (in eV): 0.1\n# Energy (eV) {}\n"
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with an imported measurement, and computed spectra beside it."""
    folder = tmp_path_factory.mktemp("theory")
    energy = np.arange(13.4502, 13.545, 0.0012)
    off, on = absorption(energy, ZERO, FRACTION)
    rng = np.random.default_rng(1)
    scale = NOISE * off.max()
    columns = {"energy": energy, "pumped": on, "pumpederr": 0 * on, "unpumped": off, "unpumpederr": 0 * off}
    for name in ("pumped", "unpumped"):
        columns[name] = columns[name] + scale * rng.standard_normal(energy.size)
        columns[f"{name}err"] = np.full(energy.size, scale)
    path = written(folder, text_of(columns), "measured.dat")
    done = trxas(folder, "import", path, "--edge", "Br_K")
    assert done.exit_code == 0, done.output
    (folder / "ground").mkdir()
    written(folder / "ground", xanes(computed(), 0.5), "site1_x.dat")
    written(folder / "ground", xanes(computed(), 1.5), "site2_x.dat")
    written(folder, xanes(computed(1.0)), "polaron.dat")
    heat = {"energy_keV": np.arange(13.44, 13.56, 0.001)}
    heat["difference"] = 0.05 * np.exp(-(((heat["energy_keV"] - 13.48) / 0.004) ** 2))
    heat["difference_stddev"] = np.full(heat["energy_keV"].size, 0.001)
    written(folder, text_of(heat, "# ours\n{}\n", apart=","), "heat.csv")
    written(folder, THEORY, "theory.toml")
    return folder


def test_the_fraction_and_the_model_are_those_that_were_put_there(root: Path, tmp_path: Path) -> None:
    table, picture = tmp_path / "both.csv", tmp_path / "both.png"
    done = trxas(root, "theory", "last", root / "theory.toml", table)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    found = re.search(
        r"polaron: fraction ([\d.]+) \+- ([\d.]+), .*p-value ([\d.e-]+); by chance .*most likely", done.output
    )
    assert found is not None, done.output
    fraction, stddev, p_value = map(float, found.groups())
    assert fraction == pytest.approx(FRACTION, abs=4 * stddev) and 0 < stddev < 0.1 * FRACTION and p_value > 1e-3
    assert re.search(r"heat: .*likelihood against polaron exp\(-\d+", done.output), done.output
    zero = re.search(r"at ([\d.]+) \+- ([\d.]+) keV", done.output)
    assert zero is not None and float(zero[1]) == pytest.approx(ZERO, abs=max(4 * float(zero[2]), 3e-5))
    rows = list(csv.DictReader(line for line in table.read_text().splitlines() if line[0] != "#"))
    fit, transient = (np.array([float(row[key]) for row in rows]) for key in ("fit_polaron", "transient"))
    assert np.std(transient - fit) < 0.5 * np.std(transient)
    assert trxas(root, "theory", "last", root / "theory.toml", picture).exit_code == 0
    assert imread(picture).std() > 0.05


def test_the_live_figure_has_the_fitted_model_behind_the_scan(root: Path, tmp_path: Path) -> None:
    scan = followed(root)
    overlay = TheoryOverlay.from_file(root, root / "theory.toml")
    energy, ground, label = overlay.static(scan)
    at, transient = overlay.transient(scan)
    off, on = absorption(energy, ZERO, FRACTION)
    assert np.corrcoef(ground, off)[0, 1] > 0.999 and np.corrcoef(transient, on - off)[0, 1] > 0.99
    assert np.array_equal(at, energy) and re.match(r"computed ground state; polaron: [56]\.\d+ \+- 0\.", label), label
    assert overlay.transient(scan)[1] is not None and overlay.static(scan)[1] is ground  # not fitted again
    png = tmp_path / "live.png"
    done = trxas(root, "figure", "--once", "--png", png, "--theory", root / "theory.toml")
    assert done.exit_code == 0 and imread(png).std() > 0.05, f"{done.output}{done.exception}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Br_K", "Pb_L3", "is Br_K, the computed spectra are Pb_L3"),
        ("polaron.dat", "nowhere.dat", "nowhere.dat: no such file"),
        ('"ground/*.dat"]', '"ground/*.dat"]\nground.weights = [1]', "1 weights for 2 files (site1_x.dat, site2"),
        ("polaron.dat", "in_keV.dat", "in_keV.dat: energies -0.005 to 0.1198: they are eV"),
        ("polaron.dat", "in_rydberg.dat", "in_rydberg.dat: energies -0.367493 to 8.80514: they are eV"),
        ("polaron.dat", "backwards.dat", "backwards.dat: energies do not ascend"),
        ("polaron.dat", "words.dat", "words.dat: it has no rows of numbers"),
        ("heat.csv", "measured.dat", "no column energy_keV"),
        ("heat.csv", "pipe", "pipe: it is no file"),
        ("heat.csv", "nothing.csv", "nothing.csv: no such file"),
        ('models.polaron.files = ["polaron.dat"]', "models.polaron = {}", "polaron: name either files or measured"),
        ("shift = 0.6", "shift = -1", "allowed.shift: Input should be greater than or equal to 0"),
        ('edge = "Br_K"', "edge = [", "is not a TOML file"),
        ("ground.files", "grund.files", "grund: is not a known entry"),
    ],
)  # fmt: skip
def test_bad_files_are_named(root: Path, tmp_path: Path, old: str, new: str, sentence: str) -> None:
    state = computed(1.0)
    written(root, text_of({"e": state.energy / 1e3, "s": state.value}), "in_keV.dat")
    written(root, text_of({"e": state.energy / 13.605693, "s": state.value}), "in_rydberg.dat")
    written(root, text_of({"e": state.energy[::-1], "s": state.value}), "backwards.dat")
    written(root, "no numbers\n", "words.dat")
    if not (root / "pipe").exists():
        os.mkfifo(root / "pipe")
    path = written(root, THEORY.replace(old, new), f"{tmp_path.name}.toml")
    done = trxas(root, "theory", "last", path)
    assert done.exit_code != 0 and sentence in f"{done.output}{done.exception}", f"{done.output}{done.exception}"


def test_a_missing_theory_and_a_slot_without_a_transient_are_named(root: Path) -> None:
    done = trxas(root, "theory", "last", root / "none.toml")
    assert "none.toml: No such file or directory; it is a TOML file" in str(done.exception)
    done = trxas(root, "theory", "last", root / "theory.toml", "--slot", "3")
    assert "has no transient in slot 3" in str(done.exception)
