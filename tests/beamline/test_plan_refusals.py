"""Plans of a session refuse what they cannot do when they are compiled: also in a preview and with ``--dry-run``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.config.models import Reduction, load
from beamline.session.scans.bind import BoundPlan
from beamline.session.scans.dry_run import DryRunContext

SETTINGS: list[tuple[Any, str]] = [
    ({"i0_nose": 1e-3}, r"^settings: unknown reduction settings: i0_nose"),
    ({"i0_noise": -1.0}, r"^settings: i0_noise must lie between 0 and 1"),
    ({"i0_noise": "1e-3"}, r"^settings: i0_noise must be a number, not '1e-3'"),
    ({"i0_noise": True}, r"^settings: i0_noise must be a number, not True"),
    ({"i0_dark": "dark"}, r"^settings: i0_dark must be a number, not 'dark'"),
    ({"before_zero": 100.0}, r"^settings: before_zero must be a number of ps up to 0"),
    ({"pre_edge": [13.46, 13.45]}, r"^settings: pre_edge must go from a lower to a higher energy"),
    ({"integral": [13.46]}, r"^settings: integral must hold two energies in keV"),
    ({"integral": 13.46}, r"^settings: integral must hold two energies in keV"),
    ({"integral": ["a", "b"]}, r"^settings: integral must hold two energies in keV"),
    ({"background_on": 1e-4}, r"^settings: background_on must hold photons a pulse by phase"),
    ({"background_on": ["a"]}, r"^settings: background_on must hold photons a pulse by phase"),
    ({"reference": "best"}, r"^settings: reference must be one of paper"),
    ({"after_effects": "yes"}, r"^settings: after_effects must be true or false"),
    ("i0_noise=1", r"^settings must map names to values, not 'i0_noise=1'"),
]

OTHERS: list[tuple[str, dict[str, Any], str]] = [
    ("energy_scan", {"target": {"C(slot=0)": "5 %"}}, r"^target with quantities needs forecast"),
    ("energy_scan", {"target": {}, "forecast": "a.toml"}, r"^target must be a relative error above 0, or quantities"),
    ("energy_scan", {"target": 1e-3, "forecast": "a.toml"}, r"^target with quantities needs forecast"),
    ("energy_scan", {"target": {}}, r"^target must be a relative error above 0, or quantities"),
    ("delay_scan", {"edge": ["Br_K", "Pb_L3"]}, r"^edge must be one element and edge .*, not \['Br_K', 'Pb_L3'\]"),
    ("delay_scan", {"energies": 13472.0}, r"^energies must be in keV: 13472 would be eV, give 13\.472"),
    ("delay_scan", {"energies": "13.472"}, r"^energies must be a finite number of keV, not '13\.472'"),
    ("delay_scan", {"delays": [0.0, 1e-10, 1e-9]}, r"^delays must be in ps: 1e-10 would be s, give 100"),
    ("delay_series", {"delays": [1e-10, 1e-8]}, r"^delays must be in ps: 1e-10 would be s, give 100"),
    ("delay_series", {"delays": [100.0], "energies": [13.47, 13.48]}, r"^energies need a point in the pre-edge window"),
    ("delay_series", {"delays": list(range(1, 2001)), "passes": 10_000}, r"^passes: 10000 of them are .* patterns"),
    ("fluence_scan", {"energy": 13472.0}, r"^energy must be in keV: 13472 would be eV"),
    ("fluence_scan", {"delay": 1e-10}, r"^delay must be in ps: 1e-10 would be s"),
    ("fluence_scan", {"fluences": ["1", "2"]}, r"^fluences must be numbers in mJ/cm2, not text"),
    ("fluence_scan", {"edge": ["Br_K"]}, r"^edge must be one element and edge"),
    ("background_run", {"repeats": 100_000_000}, r"^repeats must be at most 10000, not 100000000"),
    ("background_run", {"dwell": "10"}, r"^dwell must be a number above 0 s, not '10'"),
    ("energy_scan", {"passes": 100_000_000}, r"^passes must be at most 10000, not 100000000"),
]


def compiled(plan: str, arguments: dict[str, Any], root: Path) -> Any:
    return BoundPlan(plan, DryRunContext(root, Reduction())).compile(**arguments)


@pytest.mark.parametrize(("settings", "message"), SETTINGS, ids=[str(each) for each, _ in SETTINGS])
@pytest.mark.parametrize("plan", ["energy_scan", "delay_scan"])
def test_reduction_settings_are_refused_by_name(tmp_path: Path, plan: str, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiled(plan, {"settings": settings}, tmp_path)


@pytest.mark.parametrize(("plan", "arguments", "message"), OTHERS, ids=[f"{plan} {each}" for plan, each, _ in OTHERS])
def test_arguments_are_refused_by_name(tmp_path: Path, plan: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiled(plan, arguments, tmp_path)


def test_what_is_right_is_taken(tmp_path: Path) -> None:
    settings = {"i0_noise": 2e-3, "pre_edge": [13.45, 13.458], "background_on": [1e-4] * 120, "after_effects": True}
    compiled_scan = compiled("energy_scan", {"settings": settings, "passes": 3, "energies": (13.45, 13.47)}, tmp_path)
    assert len(compiled_scan.passes) == 3
    assert settings.items() <= dict(compiled_scan.passes[0].start["settings"]).items()
    assert len(compiled("delay_scan", {"delays": [-200, 0, 0.5, 100]}, tmp_path).passes[0].positions) == 4


@pytest.mark.parametrize(
    ("pair", "unit"), [("energies=13460,13472", "keV"), ("delay=1e-10", "ps"), ("passes=100000000", "passes")]
)
def test_a_dry_run_refuses_as_a_scan_does(tmp_path: Path, pair: str, unit: str) -> None:
    done = CliRunner().invoke(app, ["scan", "energy_scan", pair, "--dry-run", "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert unit in f"{done.output} {done.exception}"


def test_another_data_root_leaves_the_rest_of_the_data_section_alone(tmp_path: Path) -> None:
    config = tmp_path / "station.toml"
    text = (files("beamline.config") / "configurations" / "simulated.toml").read_text(encoding="utf-8")
    changed = text.replace('root = "trxas_data"', 'root = "trxas_data"\ncatalogue = "http://tiled"\nmin_free_gb = 7.0')
    config.write_text(changed, encoding="utf-8")
    data = load(config, data={"root": str(tmp_path)}).data
    assert (data.root, data.catalogue, data.min_free_gb) == (tmp_path, "http://tiled", 7.0)
