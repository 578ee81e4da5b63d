"""The noise-free expectation as a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim_ioc.expect import main
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import load_scenario
from tests.helpers.ioc_process import ROOT

REQUEST = {"energies_keV": [13.043, 13.45, 13.472], "delay_ps": 10100.0, "fluence_mJ_cm2": 8.8}


def ask(folder: Path, request: Any, scenario: str = "demo") -> tuple[int, Path]:
    (folder / "request.json").write_text(request if isinstance(request, str) else json.dumps(request))
    out = folder / "answer.npz"
    return main(["--scenario", scenario, "--request", str(folder / "request.json"), "--out", str(out)]), out


def test_answer_is_that_of_the_forward_model(tmp_path: Path) -> None:
    status, out = ask(tmp_path, REQUEST)
    assert status == 0
    model = ForwardModel(load_scenario("demo"))
    with np.load(out, allow_pickle=False) as answer:
        assert answer["mu_on"].shape == answer["mu_off"].shape == (3, 120)
        assert np.array_equal(answer["mu_on"][2], model.mu(13.472, 10100.0, 8.8, True))
        assert np.array_equal(answer["mu_off"][0], model.mu(13.043, 10100.0, 8.8, False))
        assert answer["i0_rate"] == pytest.approx([1.002e6] * 3)
        assert answer["white_line_keV"].tolist() == [13.043, 13.472, 13.472]
        assert [int(answer[k]) for k in ("num_bunches", "divider", "laser_phase")] == [24, 5, 0]
        assert float(answer["i0_dark"]) == 1e3
        assert float(answer["bunch_rate_hz"]) == pytest.approx(351.933984e6 / 54)
        # slot 0 at 10.1 ns, by the closed form of the decay: 0.28 of the transient at 100 ps, which is 2 %
        change = (answer["mu_on"][2] - answer["mu_off"][2])[::5] - 1e-4
        assert (change / answer["mu_off"][2, ::5]).mean() == pytest.approx(-0.02 * 0.278 * 1.42 / 1.92, rel=0.01)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answer.npz", "request.json"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "energies_keV: Field required"),
        (REQUEST | {"more": 1}, "more"),
        (REQUEST | {"energies_keV": []}, "energies_keV"),
        (REQUEST | {"fluence_mJ_cm2": -1}, "fluence_mJ_cm2"),
        (REQUEST | {"delay_ps": "soon"}, "delay_ps"),
        ("{", "request.json"),
    ],
)
def test_bad_requests_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request_: Any, message: str
) -> None:
    status, out = ask(tmp_path, request_)
    assert status == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_an_old_answer_survives_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out = ask(tmp_path, REQUEST)
    before = out.read_bytes()
    status, _ = ask(tmp_path, REQUEST, scenario=str(tmp_path / "absent.toml"))
    assert status == 2
    assert "absent.toml" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_command_line(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(REQUEST))
    command = [
        sys.executable,
        "-m",
        "sim_ioc.expect",
        "--scenario",
        "area_factor",
        "--request",
        str(tmp_path / "r.json"),
    ]
    done = subprocess.run([*command, "--out", str(tmp_path / "o.npz")], cwd=ROOT, check=False)
    assert done.returncode == 0
    assert (tmp_path / "o.npz").exists()


def test_a_powder_is_expected_at_temperatures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {**REQUEST, "energies_keV": [13.472, 13.57], "temperatures_degC": [25.0, 120.0]}
    status, out = ask(tmp_path, wanted, scenario="superxas")
    assert status == 0
    with np.load(out, allow_pickle=False) as answer:
        cold, hot = answer["powder"]
        # the features at 13.472 and 13.4685 keV of the scenario; the edge moves by 5.6 meV, and is flat far above
        assert hot[0] - cold[0] == pytest.approx(-0.024 - 0.013 * 2 ** (-4 * (3.5 / 2.5) ** 2), abs=5e-4)
        assert hot[1] == pytest.approx(cold[1], abs=1e-5)
        assert answer["rings_0"].shape == (13, 2)
        cubic = answer["rings_1"]
        assert cubic[2].tolist() == pytest.approx([4 * np.pi / (5.874 * (1 + 3.5e-5 * 3)), 105])
    status, _ = ask(tmp_path, wanted)
    assert status == 2 and "need a scenario with a powder" in capsys.readouterr().err
