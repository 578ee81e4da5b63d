"""Edges other than those of the paper: a whole scan of iron against the simulator, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ophyd.utils import LimitError

from beamline.app.doctor.edges import check_edges
from beamline.app.doctor.finding import BAD
from beamline.config.edges import EdgeFileError, configured_edge
from beamline.config.models import ConfigurationError
from beamline.outputs.export.beamline_info import BeamlineInfo
from beamline.outputs.export.result import read_result
from beamline.outputs.export.write import write_results
from beamline.outputs.report.numbers import numbers_of
from beamline.records.runs.store import open_runs
from beamline.session.session import Session, start
from beamline.studies.expectation import ask_expectation, expected_spectrum
from plans.compilation.edges import find_edge
from reduction.spectra.spectrum import Spectrum
from tests.beamline.configurations import configuration

SPEEDUP = 400.0
QUIET = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "monochromator": {"start_keV": 7.1, "repeatability_eV": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
    "delay": {"drift_ps_per_h": 0.0},
}
IRON = Path(__file__).parents[2] / "sim_ioc" / "scenarios" / "iron.toml"
PLACE = BeamlineInfo("Some Ring", "undulator", "diamond(111)", 2.0593)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged scenario of iron on a quiet beamline."""
    path: Path = tmp_path_factory.mktemp("scenario") / "iron.toml"
    own = IRON.read_text(encoding="utf-8").split("[monochromator]")[0]
    tables = [
        f"[{name}]\n" + "\n".join(f"{key} = {value}" for key, value in table.items()) for name, table in QUIET.items()
    ]
    path.write_text("\n".join([own, *tables]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def iron(ioc_pool: Any, scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session after one whole scan of Fe_K."""
    folder: Path = tmp_path_factory.mktemp("iron")
    ioc = ioc_pool.start(scenario, SPEEDUP)
    config = configuration(folder, ioc.prefix, SPEEDUP, limits={"mono": (6.5, 15.0)}, sample="iron")
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.RE(session.scans.plans["energy_scan"](edge="Fe_K", dwell=3.0, pattern=(1, 0)))
        yield session
    ioc_pool.stop(ioc)


@pytest.fixture(scope="module")
def truth(iron: Session, scenario: Path) -> Spectrum:
    """The scenario's spectrum through the same chain, without noise."""
    expectation = ask_expectation(scenario, find_edge("Fe_K").grid(), 100.0, 8.8)
    return expected_spectrum(expectation, iron.reducer.settings)


def test_a_whole_scan_of_iron_gives_the_scenario_back(iron: Session, truth: Spectrum) -> None:
    spectrum, settings = iron.reducer.spectrum(), iron.reducer.settings
    edge = find_edge("Fe_K")
    np.testing.assert_array_equal(spectrum.energy, edge.grid())
    assert (settings.pre_edge, settings.integral) == (edge.pre_edge, edge.integral)
    pull = ((spectrum.transient - truth.transient) / spectrum.transient_stddev)[0]
    assert abs(np.mean(pull**2) - 1) < 4 * np.sqrt(2 / pull.size)
    top = int(np.argmax(np.abs(truth.transient[0])))
    assert abs(spectrum.transient[0, top]) > 10 * spectrum.transient_stddev[0, top]


def test_a_delay_scan_measures_at_the_largest_transient(iron: Session, truth: Spectrum) -> None:
    at = truth.energy[int(np.argmax(np.abs(truth.transient[0])))]
    plans = iron.scans.plans
    probed = plans["delay_scan"].compile(edge="Fe_K").passes[0].start
    assert probed["probe_energy"] == pytest.approx(at, abs=1.3e-3)  # two points: the top is flat
    assert probed["absorption_edge"]["main_feature"] == probed["probe_energy"]
    fluences = plans["fluence_scan"].compile("Fe_K").passes[0].start
    assert fluences["probe_energy"] == probed["probe_energy"]
    given = plans["delay_scan"].compile(edge="Fe_K", energies=7.13).passes[0].start
    assert given["probe_energy"] == 7.13
    iron.RE.md["sample"] = "another"
    try:
        with pytest.raises(ValueError, match=r"^the main feature of Fe_K is not known, and no energy scan of another"):
            iron.RE(plans["delay_scan"](edge="Fe_K"))
    finally:
        iron.RE.md["sample"] = "iron"


def test_energies_out_of_reach_move_nothing(iron: Session) -> None:
    before = iron.beamline.mono.position
    with pytest.raises(LimitError, match=r"cannot go to .* keV: it is kept within 6\.5 to 15 keV"):
        iron.RE(iron.scans.plans["energy_scan"](edge="U_L3"))
    with pytest.raises(ValueError, match=r"^edge U_L3 needs energies from 17\.116 to 17\.266 keV, and the mono"):
        iron.scans.preview(iron.scans.plans["energy_scan"], edge="U_L3")
    assert iron.beamline.mono.position == before


def test_the_preview_shows_the_edge_and_a_coarse_grid(iron: Session, capsys: pytest.CaptureFixture[str]) -> None:
    iron.scans.preview(iron.scans.plans["energy_scan"], edge="Fe_K", energies=np.arange(7.07, 7.2, 0.005))
    printed = capsys.readouterr().out
    assert "Fe_K: E0 7.112 keV, core-hole width 1.25 eV, pre_edge 7.062 to 7.1 keV" in printed
    assert "Fe_K: the grid is too coarse: steps of up to 5 eV at E0" in printed


def test_a_scan_of_a_coarse_grid_says_so_first(iron: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(iron.scans, "notify", said.append)
    scan = iron.scans.plans["energy_scan"]
    scan(edge="Fe_K", energies=np.arange(7.07, 7.2, 0.005)).close()
    scan(edge="Fe_K", energies=[7.07, 7.08]).close()
    assert said.pop(0).startswith("Fe_K: the grid is too coarse: steps of up to 5 eV at E0, 7.112 keV")
    assert said.pop(0).startswith("Fe_K: the grid is too coarse: 0 points in the integral window")
    scan(edge="Fe_K").close()
    scan(edge=["Fe_K", "Br_K"]).close()
    iron.scans.plans["delay_scan"](edge="Fe_K", energies=7.13).close()
    assert not said


def test_a_session_gives_its_result_as_a_dataset(iron: Session) -> None:
    spectrum, found = iron.reducer.spectrum(), iron.result()
    np.testing.assert_array_equal(found.transient.sel(detector="fpga"), spectrum.transient)
    np.testing.assert_array_equal(found.energy, find_edge("Fe_K").grid())
    assert (found.attrs["edge"], found.attrs["sample"]) == ("Fe_K", "iron")


def test_exports_and_report_know_the_edge(iron: Session, tmp_path: Path) -> None:
    store = open_runs("journal", iron.config.data.root, "")
    result = read_result(store, store.runs(), "last")
    (xdi,) = write_results([result], ["xdi"], tmp_path, PLACE)
    header = xdi.read_text(encoding="utf-8")
    assert "# Element.symbol: Fe\n# Element.edge: K\n" in header
    assert "# trxas.tabulated_e0_keV: 7.112\n# trxas.core_hole_width_eV: 1.25\n" in header
    numbers = {each.name: each for each in numbers_of(result, {})}
    (largest,) = [each for name, each in numbers.items() if name.startswith("slot 0") and "transient at" in name]
    assert "the largest of this scan" in largest.remark
    assert not [name for name in numbers if name.endswith(": C")]  # without windows of C


def test_the_doctor_names_edges_that_are_out_of_reach(iron: Session) -> None:
    entries = configuration(iron.config.data.root, edges={"U_L3": {}, "Fe_K": {"e0": 7.113}}).edges
    config = iron.config.model_copy(update={"edges": entries})
    found = {each.what: each for each in check_edges(config, iron.beamline.devices())}
    assert found["edge U_L3"].message == "its grid, 17.116 to 17.266 keV, is outside of [limits], 6.5 to 15 keV"
    assert set(found) == {"edge U_L3", "edges"}
    assert "Br_K, Pb_L3, U_L3 of the configuration, Fe_K of the configuration" in found["edges"].message
    wrong = config.data.root / "edges.toml"
    wrong.write_text("[edges.Fe_K", encoding="utf-8")
    try:
        (finding,) = check_edges(config, iron.beamline.devices())
    finally:
        wrong.unlink()
    assert finding.state == BAD and "edges.toml cannot be read" in finding.message


def test_the_file_of_a_proposal_overrides_the_configuration(tmp_path: Path) -> None:
    config = configuration(tmp_path, edges={"Fe_K": {"e0": 7.120, "main_feature": 7.125}})
    root = config.data.root
    assert configured_edge("Fe_K", config.edges, root).main_feature == 7.125
    (root / "edges.toml").write_text("[edges.Fe_K]\ne0 = 7.118\n[edges.Br_K]\nmain_feature = 13.4675\n")
    moved = configured_edge("Fe_K", config.edges, root)
    assert (moved.e0, moved.main_feature) == (7.118, None)
    bromine = configured_edge("Br_K", config.edges, root)
    assert bromine.main_feature == 13.4675 and bromine.energies == find_edge("Br_K").energies
    (root / "edges.toml").write_text("[edges.Fe_K]\neo = 7.118\n")
    with pytest.raises(EdgeFileError, match=r"edges\.toml: edges\.Fe_K\.eo: is not a known entry"):
        configured_edge("Br_K", config.edges, root)


def test_a_wrong_entry_of_the_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"edge Fe_K: pre_edge ends at 7\.11 keV, above 7\.102 keV"):
        configuration(tmp_path, edges={"Fe_K": {"pre_edge": [7.07, 7.11]}})
    with pytest.raises(ConfigurationError, match=r"edges\.Fe_K\.e0: the energy must be in keV: 7112 would be eV"):
        configuration(tmp_path, edges={"Fe_K": {"e0": 7112}})
