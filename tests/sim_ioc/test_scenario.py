"""Scenarios: what comes with the package, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import SCENARIO_DIRECTORY, Scenario, ScenarioError, load_scenario, parse_scenario


def test_default_file_spells_out_the_defaults() -> None:
    assert load_scenario() == Scenario()


@pytest.mark.parametrize("path", sorted(SCENARIO_DIRECTORY.glob("*.toml")), ids=lambda path: path.stem)
def test_every_scenario_of_the_package_can_be_used(path: Path) -> None:
    assert load_scenario(path) == load_scenario(path.stem)


def test_demo_has_a_steady_jet_and_time_zero_and_is_else_the_default() -> None:
    steady = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}, "delay": {"drift_ps_per_h": 0.0}}
    assert load_scenario("demo") == parse_scenario(steady)
    assert load_scenario("demo") != Scenario()


def test_a_file_names_only_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 3\n[sample.br_k]\nbackground = 0.0\n")
    scenario = load_scenario(file)
    assert scenario.seed == 3
    assert scenario.sample.br_k.background == 0.0
    assert scenario.sample.br_k.white_line_keV == Scenario().sample.br_k.white_line_keV


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jet": {"thicknes_rms": 0.1}}, "unknown key 'jet.thicknes_rms'"),
        ({"nonsense": 1}, "unknown key 'nonsense'"),
        ({"seed": -1}, "seed = -1"),
        ({"sample": {"mu_white_line": 0.0}}, "sample.mu_white_line = 0.0"),
        ({"sample": {"br_k": {"file": "../../etc/passwd"}}}, "sample.br_k.file"),
        ({"ring": {"num_bunches": 25}}, "num_bunches must divide the harmonic number 1296"),
        ({"ring": {"topup_interval_s": [120.0, 60.0]}}, "topup_interval_s"),
        ({"laser": {"divider": 5, "phase": 5}}, "phase must be below the divider 5"),
        ({"kinetics": {"lifetimes_ps": [100.0], "amplitudes": [0.5, 0.5]}}, "same length"),
        ({"kinetics": {"lifetimes_ps": [-1.0], "amplitudes": [1.0]}}, "lifetimes_ps must be positive"),
        ({"kinetics": {"lifetimes_ps": [float("nan")], "amplitudes": [1.0]}}, "lifetimes_ps must be positive"),
        ({"jet": {"thickness_rms": float("nan")}}, "jet.thickness_rms = nan"),
        ({"detector": {"blinding": 1.5}}, "detector.blinding = 1.5"),
        ({"monochromator": {"start_keV": 5.0}}, "start_keV must lie between"),
        ({"ring": 3}, "ring"),
        ({"seed": "one"}, "seed = 'one'"),
    ],
)
def test_impossible_values_are_refused_by_name_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        parse_scenario(values, "mine.toml")
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("mine.toml: ")
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"absent\.toml cannot be read"):
        load_scenario(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("seed = = 1")
    with pytest.raises(ScenarioError, match=r"broken\.toml is not valid TOML"):
        load_scenario(broken)


def test_infinite_lifetime_is_a_constant_offset() -> None:
    """Late slots keep the offset: 0.2 of what is left at 100 ps, convolved with the response numerically."""
    kinetics = {"lifetimes_ps": [120.0, float("inf")], "amplitudes": [0.8, 0.2], "fresh_spot": True}
    late = ForwardModel(parse_scenario({"kinetics": kinetics})).slot_amplitudes(10_000.0, 8.8)
    shift = np.linspace(-400.0, 400.0, 80_001)
    response = np.exp(-(shift**2) / (2 * 45.0**2))
    decay = np.where(shift < 100, 0.8 * np.exp((np.minimum(shift, 100) - 100) / 120) + 0.2, 0.0)
    assert late == pytest.approx([0.2 * response.sum() / (response * decay).sum()] * 5, rel=1e-3)


def test_a_folder_of_the_same_name_hides_no_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_scenario("demo") == load_scenario(SCENARIO_DIRECTORY / "demo.toml")
