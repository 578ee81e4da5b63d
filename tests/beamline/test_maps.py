"""Maps of stored results: the command, its files, the report and the live page."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.outputs.live_figure.notebook import figure
from beamline.outputs.maps.content import map_of_results
from beamline.outputs.report.numbers import numbers_of
from beamline.records.runs.store import open_runs
from reduction.documents.covariances import covariance_between
from tests.beamline.axis_runs import two_passes
from tests.beamline.raw_scans import acquire, scan_set_of
from tests.beamline.shift import Shift


@pytest.fixture
def trxas(shift: Shift) -> Callable[..., Result]:
    def call(*arguments: str, data: Path = shift.root) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(data)])

    return call


def one_shape_chi_square(data: dict, early: int, late: int) -> float:
    """Least chi-square of late minus a times early, over many a, with the pseudoinverse of its covariance."""
    value, full = np.asarray(data["transient"]), covariance_between(data, range(5))
    found = []
    for a in np.linspace(-0.5, 1.5, 2001):
        mixed = full[late, early] + full[early, late]
        covariance = full[late, late] - a * mixed + a**2 * full[early, early]
        difference = value[late] - a * value[early]
        found.append(difference @ np.linalg.pinv(covariance, rcond=1e-8, hermitian=True) @ difference)
    return min(found)


def test_the_command_prints_the_p_value_and_writes_files(
    trxas: Callable[..., Result], shift: Shift, tmp_path: Path
) -> None:
    done = trxas("map", shift.scan_set("energy"), "--early", "100", "--late", "153500", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "map of 1 scan: 5 delays and 12 energies"
    assert "significant component" in lines[1]
    expected = one_shape_chi_square(shift.data("energy", "spectrum"), 0, 1)
    p_value = chi2.sf(expected, 9)  # 12 energies, of which offset and integral fix 2, and the scale 1
    assert f"chi-square {expected:.1f} for 9 degrees of freedom, p-value {p_value:.2g}" in lines[2]
    table, picture = (Path(line) for line in lines[-2:])
    rows = [row for row in csv.reader(table.read_text().splitlines()) if not row[0].startswith("#")]
    assert rows[0][0] == "energy_keV" and len(rows) == 13
    column = rows[0].index("transient_100ps")
    assert [float(row[column]) for row in rows[1:]] == pytest.approx(shift.data("energy", "spectrum")["transient"][0])
    assert picture.suffix == ".png" and picture.stat().st_size > 10_000
    quantities = {each.name: each for each in numbers_of(shift.result("energy"), {})}
    assert quantities["components of all slots"].remark == lines[1]
    assert "have a transient beyond noise" in quantities["change of shape"].remark  # this short scan has one alone


def test_delay_scans_at_several_energies_make_a_map(tmp_path: Path, trxas: Callable[..., Result]) -> None:
    """The same simulated decay three times: one component, one shape."""
    scans = [two_passes("laser_delay") for _ in range(3)]
    for number, passes in enumerate(scans):
        for documents in passes:
            documents[0][1]["probe_energy"] = 13.47 + 0.001 * number
        acquire(tmp_path, passes)
    names = [passes[0][0][1]["scan_set"] for passes in scans]
    done = trxas("map", *names, data=tmp_path)
    assert done.exit_code == 0, str(done.exception)
    assert "and 3 energies" in done.output and "global fit: " in done.output
    assert "\n1 significant component (p-value of noise beyond 0 " in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{energy}", "--slots", "0"), "a map needs at least two delays, not 1"),
        (("{energy}", "--slots", "7"), "there is no slot 7; the scan has slots 0 to 4"),
        (("{energy}", "{delay}"), "a map has one scan_axis, not laser_delay, mono_energy: choose among the scans"),
        (("{fluence}",), "a map is of energy scans"),
        (("{delay}",), "at least three energies, not 1"),
        (("nothing",), "no run or scan set"),
    ],
)
def test_what_makes_no_map_is_one_sentence(
    trxas: Callable[..., Result], shift: Shift, arguments: tuple[str, ...], words: str
) -> None:
    kinds = {kind: shift.scan_set(kind) for kind in ("energy", "delay", "fluence")}
    done = trxas("map", *(each.format(**kinds) for each in arguments))
    assert done.exit_code != 0 and words in str(done.exception), done.output


def test_the_live_map_reports_components_and_shapes_of_all_complete_scans(tmp_path: Path) -> None:
    """Two delays: the sentence follows as a scan is added."""
    acquire(tmp_path, scan_set_of(1, seed=1))

    def texts() -> str:
        return "\n".join(text.get_text() for text in figure(tmp_path, page="map").texts)

    before = texts()
    assert "significant component" in before
    acquire(tmp_path, scan_set_of(1, seed=2, pump_delay=10_100.0))
    assert "significant component" in texts() and texts() != before


def test_a_scan_of_another_sample_is_refused(tmp_path: Path) -> None:
    from beamline.outputs.export.errors import ExportError
    from beamline.outputs.export.result import read_result

    scans = [scan_set_of(1, seed=1), scan_set_of(1, seed=2, sample="another")]
    for passes in scans:
        acquire(tmp_path, passes)
    store = open_runs("journal", tmp_path, "")
    runs = store.runs()
    results = [read_result(store, runs, passes[0][0][1]["scan_set"]) for passes in scans]
    with pytest.raises(ExportError, match="a map has one sample, not another, test sample"):
        map_of_results(results)
    assert map_of_results(results[:1]).delay.size == 5
