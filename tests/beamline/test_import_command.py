"""`trxas import`, and what list, show, reduce, figure, export and report make of imported runs."""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.outputs.export.result import read_result
from beamline.records.runs.journal_runs import JournalRuns
from reduction.documents.raw import IMPORTED
from reduction.settings import Settings
from reduction.spectra.normalise import normalise
from tests.beamline.imported_files import COUNTS, FILES, edge_spectrum, text_of, truth, written

Trxas = Callable[..., Result]


def call(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, [*arguments, "--data", str(root)])


@pytest.fixture
def trxas(tmp_path: Path) -> Trxas:
    return lambda *arguments: call(tmp_path / "data", *arguments)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the synthetic file, a spectrum without counts and a delay scan."""
    root = tmp_path_factory.mktemp("imported")
    energy, mu = edge_spectrum()
    plain = written(root, text_of({"energy": energy, "mu": mu}), "foil.dat")
    delay = np.linspace(-400, 2000, 60)
    rng = np.random.default_rng(3)
    on = 1 + 0.05 * (delay > 0) * np.exp(-delay / 900) + rng.normal(0, 2e-3, 60)
    delays = written(
        root, text_of({"delay": delay, "pumped": on, "unpumped": 1 + rng.normal(0, 2e-3, 60)}), "delays.dat"
    )
    assert call(root, "import", str(plain), "--sample", "foil").exit_code == 0
    assert call(root, "import", str(delays)).exit_code == 0
    assert call(root, "import", str(COUNTS)).exit_code == 0
    return root


def result_of(root: Path, file: str) -> object:
    store = JournalRuns(root)
    runs = store.runs()
    run = next(each for each in runs if each.raw_uid is None and each.start[IMPORTED]["file"] == file)
    return read_result(store, runs, run.uid)


def through_the_chain(settings: Settings) -> np.ndarray:
    """True transients of all phases, normalised as the spectra are."""
    known = truth()
    nothing = np.zeros(known["energy_keV"].size)
    off = normalise(known["static"], nothing, known["energy_keV"], settings).value
    on = [known["static"] + each * known["shape"] for each in known["amplitude"]]
    return np.array([normalise(each, nothing, known["energy_keV"], settings).value - off for each in on])


def test_transients_of_all_slots_agree_with_the_truth(imported: Path) -> None:
    """2,548 pulls; their width is known to 0.015 if they were independent."""
    result = result_of(imported, COUNTS.name)
    settings = Settings.from_mapping(result.start["settings"])
    slots = np.arange(52)
    expected = through_the_chain(settings)[(16 + slots) % 52]
    pulls = (result.data["transient"] - expected) / result.data["transient_stddev"]
    assert abs(pulls.mean()) < 0.1 and pulls.std() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(pulls[:36].std(), 1, atol=0.1)
    np.testing.assert_allclose(pulls[36:].std(), 1, atol=0.1)
    turn = 1e6 * 1296 / 352.055282
    np.testing.assert_allclose(result.slot_delays, slots * turn / 2, rtol=1e-9)
    assert "2 detectors agree" in result.data["notes"] and result.data["reference"] == "before the pump"


def test_without_pile_up_correction_the_truth_would_be_missed(imported: Path) -> None:
    """The test above can fail: the hits themselves, as rates, are off by many errors."""
    result = result_of(imported, COUNTS.name)
    static = np.asarray(result.data["static"])
    known = truth()
    settings = Settings.from_mapping(result.start["settings"])
    expected = normalise(known["static"], np.zeros(49), known["energy_keV"], settings).value
    pulls = (static - expected) / result.data["static_stddev"]
    table = np.loadtxt(COUNTS)
    hits = table[:, 56:72].mean(axis=1) / table[:, 4:20].mean(axis=1)
    uncorrected = normalise(hits, np.zeros(49), known["energy_keV"], settings).value
    assert np.std(pulls) < 1.5 < 5 < np.std((uncorrected - expected) / result.data["static_stddev"])


def test_the_start_document_says_where_a_run_comes_from(imported: Path) -> None:
    result = result_of(imported, COUNTS.name)
    entry = result.start[IMPORTED]
    assert entry["sha256"] == hashlib.sha256(COUNTS.read_bytes()).hexdigest()
    assert (entry["reader"], entry["part"], entry["errors"]) == ("spec", "scan 1", "counting")
    assert result.start["mode"] == "imported" and not result.simulated


def test_a_spectrum_without_counts_has_errors_from_scatter_and_says_so(imported: Path) -> None:
    result = result_of(imported, "foil.dat")
    assert "errors are from the scatter" in result.data["notes"]
    variance = np.asarray(result.data["rate_covariance"])[0, 0, 0]
    assert np.sqrt(variance.mean()) == pytest.approx(1e-3, rel=0.25)  # of the noise that was added


def test_a_delay_scan_has_a_trace(imported: Path) -> None:
    result = result_of(imported, "delays.dat")
    delay, value = np.asarray(result.data["laser_delay"]), np.asarray(result.data["transient"])[0]
    np.testing.assert_allclose(value[delay > 20], 0.05 * np.exp(-delay[delay > 20] / 900), atol=0.012)
    stddev = np.asarray(result.data["transient_stddev"])[0]
    assert stddev[40] == pytest.approx(2e-3 * np.sqrt(2), rel=0.4)


def test_a_delay_scan_by_channel_orbit_and_bunch_has_counting_errors(tmp_path: Path) -> None:
    """The bunch after the pump decays with 9 ns from 3 orbits of ground state; photons beyond one a pulse count."""
    rng, gates = np.random.default_rng(8), 2_000_000
    delay = np.concatenate([np.linspace(-20, -2, 10), np.linspace(1, 40, 30)])
    share = 0.05 * (delay > 0) * np.exp(-np.maximum(delay, 0) / 9)
    columns = {"laser_delay_ns": delay, "gates": np.full(40, float(gates))}
    for channel, mu in ((0, np.full(40, 2.0)), (1, np.full(40, 0.8))):
        for phase in range(8):
            pumped = mu * (1 + share) if (channel, phase) == (1, 2) else mu
            columns[f"c{channel}o{phase // 2}b{phase % 2}"] = rng.binomial(gates, 1 - np.exp(-pumped)) / gates
    head = "#F phases\n\n#S 1 delay scan\n#N {}\n#L {}\n".format(len(columns), "  ".join(columns))
    rows = "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in zip(*columns.values(), strict=True))
    path = written(tmp_path, head + rows, "delays.spec")
    assert call(tmp_path, "import", str(path), "--pump", "o1b0").exit_code == 0
    result = result_of(tmp_path, "delays.spec")
    at = np.searchsorted(delay * 1e3, np.asarray(result.data["laser_delay"]) - 1e-6)
    value, stddev = (np.asarray(result.data[name])[0] for name in ("transient", "transient_stddev"))
    pull = (value - share[at]) / stddev
    assert abs(pull.mean()) < 4.5 / np.sqrt(pull.size)
    assert abs(pull.std() - 1) < 4.5 / np.sqrt(2 * pull.size)


def test_list_and_show_name_the_file(imported: Path) -> None:
    listed = call(imported, "list").output
    assert listed.count("reduced at import") == 3 and "from foil.dat" in listed
    shown = call(imported, "show", "last").output
    assert "imported.sha256" in shown and "spec" in shown and "49 events" in shown


def test_reduce_gives_the_stored_numbers_again_and_others_with_other_windows(imported: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(imported, root)
    assert "agree to the bit with the stored reduced run" in call(root, "reduce", "last").output
    changed = call(root, "reduce", "last", "--set", "integral=7.13,7.188")
    assert changed.exit_code == 0 and "new reduced run" in changed.output
    left_out = call(root, "reduce", "last", "--set", "integral=7.13,7.188", "--leave-out", f"{uid_of_last(root)}:3")
    assert "differ" in left_out.output


def uid_of_last(root: Path) -> str:
    return [run.uid for run in JournalRuns(root).runs() if run.raw_uid is None][-1]


@pytest.mark.parametrize("name", ["foil.dat", COUNTS.name])
def test_exports_of_imported_runs_say_so(imported: Path, tmp_path: Path, name: str) -> None:
    uid = result_of(imported, name).start["uid"]
    exported = call(imported, "export", uid, "--format", "csv,xdi,nexus,png", "--out", str(tmp_path))
    assert exported.exit_code == 0, exported.output
    text = next(tmp_path.glob("*.csv")).read_text()
    assert "# kind: imported data" in text and f"# imported_file: {name}" in text
    assert "Facility.name" not in next(tmp_path.glob("*.xdi")).read_text()
    assert imread(next(tmp_path.glob("*.png"))).std() > 0.05


def test_our_own_export_comes_back_to_the_bit(imported: Path, tmp_path: Path) -> None:
    first = result_of(imported, COUNTS.name)
    call(imported, "export", first.start["uid"], "--format", "nexus,csv,xdi", "--out", str(tmp_path))
    for suffix, exact in ((".nxs", True), (".csv", False), (".xdi", False)):
        root = tmp_path / suffix[1:]
        path = next(tmp_path.glob(f"*{suffix}"))
        done = call(root, "import", str(path))
        assert done.exit_code == 0, done.output
        again = result_of(root, path.name)
        for key in ("static", "transient", "transient_stddev", "on", "off"):
            np.testing.assert_allclose(
                again.data[key], first.data[key], rtol=0 if exact else 2e-9, atol=0 if exact else 1e-12
            )
        if exact:
            assert again.start["settings"] == first.start["settings"]
            np.testing.assert_allclose(again.slot_delays, first.slot_delays, atol=0.06)  # ps, as the header has them
            np.testing.assert_array_equal(again.covariance(0), first.covariance(0))


def test_a_file_is_imported_once(trxas: Trxas, tmp_path: Path) -> None:
    energy, mu = edge_spectrum()
    path = written(tmp_path, text_of({"energy": energy, "mu": mu}))
    assert "run " in trxas("import", str(path)).output
    assert "imported before as run" in trxas("import", str(path)).output
    assert "imported before" not in trxas("import", str(path), "--again").output
    assert "imported before" not in trxas("import", str(path), "--sample", "another").output


def test_a_bad_file_among_good_ones_imports_none(trxas: Trxas, tmp_path: Path) -> None:
    energy, mu = edge_spectrum()
    good = written(tmp_path, text_of({"energy": energy, "mu": mu}), "good.dat")
    bad = written(tmp_path, b"", "bad.dat")
    refused = trxas("import", str(good), str(bad))
    assert refused.exit_code == 1 and "bad.dat: it is empty" in str(refused.exception)
    assert "No runs" in trxas("list").output
    assert trxas("import", str(good)).exit_code == 0  # and goes on


def test_a_spectrum_that_ends_before_its_edge_is_kept_and_says_why_it_has_no_result(trxas: Trxas) -> None:
    done = trxas("import", str(FILES / "APS13ID_2019.dat"))
    assert done.exit_code == 0 and "no spectrum: fewer than two points in the edge-integral window" in done.output


def test_a_scan_of_a_motor_is_kept_as_a_table(trxas: Trxas, tmp_path: Path) -> None:
    done = trxas("import", str(FILES / "SampleScan.mda"))
    assert "kept as a table" in done.output
    exported = trxas("export", "last", "--out", str(tmp_path / "out"))
    assert exported.exit_code == 0, exported.output
    rows = [line for line in next((tmp_path / "out").glob("*.csv")).read_text().splitlines() if line[0] != "#"]
    assert len(list(csv.DictReader(rows))) == 41
    assert "nothing to reduce" in str(trxas("reduce", "last").exception)


@pytest.mark.parametrize("name", ["foil.dat", COUNTS.name, "delays.dat"])
def test_the_live_figure_shows_an_imported_run_as_complete(imported: Path, tmp_path: Path, name: str) -> None:
    scan_set = str(result_of(imported, name).start["scan_set"])
    path = tmp_path / "figure.png"
    shown = call(imported, "figure", "--once", "--png", str(path), "--scan-set", scan_set)
    assert shown.exit_code == 0 and imread(path).std() > 0.05


def test_the_report_has_figure_and_numbers_of_imported_runs(imported: Path, tmp_path: Path) -> None:
    done = call(imported, "report", "--out", str(tmp_path / "report.html"))
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64") == 3 and "slot 0, 0 ps" in page


@pytest.mark.long
def test_a_map_of_many_slots_has_those_that_a_covariance_is_kept_of(imported: Path, tmp_path: Path) -> None:
    """The truth of the file is one shape, which decays: one component, and the same shape early and late."""
    uid = str(result_of(imported, COUNTS.name).start["uid"])
    done = call(imported, "map", uid, "--late", "25000000", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    delays = int(re.search(r"(\d+) delays and 49 energies", done.output)[1])  # type: ignore[index]
    assert 12 <= delays <= 24 and "1 significant component " in done.output
    assert float(re.search(r"the late one is [\d.-]+ \+- ([\d.]+)", done.output)[1]) < 0.2  # type: ignore[index]
    few = call(imported, "map", uid, "--slots", "0,1,5")
    assert few.exit_code == 0 and "3 delays" in few.output
    refused = call(imported, "map", uid, "--slots", "0,40")
    assert "slot 40 has no covariance with the others: of 52 slots, a map can have 0,1,2" in str(refused.exception)


def test_simulated_results_stay_simulated(imported: Path, tmp_path: Path) -> None:
    first = result_of(imported, COUNTS.name)
    call(imported, "export", first.start["uid"], "--format", "nexus", "--out", str(tmp_path))
    path = next(tmp_path.glob("*.nxs"))
    with h5py.File(path, "r+") as file:
        del file["entry/provenance/mode"]
        file["entry/provenance/mode"] = "sim"
    call(tmp_path / "sim", "import", str(path))
    assert result_of(tmp_path / "sim", path.name).simulated
