"""Measurements for studies: their rates, their noise, their refusals."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from sim_ioc.physics.truth import ForwardModel
from sim_ioc.sample import pink_dwell_means, sample
from sim_ioc.scenario.scenario import JetTruth, parse_scenario

REQUEST = {
    "scenario": {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}, "i0": {"noise": 0.0}},
    "energies_keV": [13.45, 13.472], "delay_ps": 10_100.0, "fluence_mJ_cm2": 8.8, "pattern": [1, 0, 0, 1],
    "dwell_s": 1.0, "passes": 2, "measurements": 6, "slot_efficiency_rms": 0.004, "seed": 3,
}  # fmt: skip


def test_hits_are_those_of_the_forward_model():
    answer = sample(REQUEST)
    model = ForwardModel(parse_scenario(REQUEST["scenario"]))
    hits, gates = answer["hits"], answer["gates"]
    assert hits.shape == (6, 2, 8, 120) and gates == round(model.bunch_rate_hz / 120)
    assert answer["laser_on"].tolist() == [True, False, False, True] * 2
    assert answer["pass_of_row"].tolist() == [0] * 4 + [1] * 4 and answer["seconds_per_point"] == 8.0
    for laser in (False, True):
        mu = model.mu(REQUEST["energies_keV"], 10_100.0, 8.8, laser) * answer["slot_efficiency"][model.slot_of_phase]
        np.testing.assert_allclose(answer["mu_on" if laser else "mu_off"], mu, rtol=1e-12)
        q = -np.expm1(-mu)[None, :, None, :]
        pulls = (hits[:, :, answer["laser_on"] == laser] - gates * q) / np.sqrt(gates * q * (1 - q))
        assert abs(pulls.mean()) < 4 / np.sqrt(pulls.size) and pulls.std() == pytest.approx(1, abs=0.03)
    assert np.ptp(answer["flux"]) == 0 and answer["flux"].flat[0] == answer["expected_flux"]
    np.testing.assert_allclose(answer["slot_delays_ps"], model.slot_delays_ps(10_100.0))


def test_slot_efficiencies_have_the_rms_and_mean_1():
    efficiency = sample(REQUEST)["slot_efficiency"]
    assert efficiency.mean() == pytest.approx(1) and efficiency.std() == pytest.approx(0.004)
    assert len(set(np.round(efficiency, 9))) == 5


def test_the_same_seed_gives_the_same_measurements_and_another_others():
    one, again, other = sample(REQUEST), sample(REQUEST), sample({**REQUEST, "seed": 4})
    np.testing.assert_array_equal(one["hits"], again["hits"])
    assert (one["hits"] != other["hits"]).any()


def test_the_jet_is_common_to_all_slots_of_a_dwell_and_i0_does_not_see_it():
    jet = {"thickness_rms": 0.03, "pass_to_pass_rms": 0.0}
    answer = sample({**REQUEST, "scenario": {"jet": jet, "i0": {"noise": 1e-3}}, "measurements": 40})
    totals = answer["hits"][:, 0].astype(float).reshape(40, 8, 24, 5).sum(axis=2)
    thickness = totals / totals.mean(axis=(0, 1))
    assert np.corrcoef(thickness[..., 0].ravel(), thickness[..., 3].ravel())[0, 1] > 0.9
    flux = answer["flux"][:, 0] / answer["expected_flux"]
    assert flux.std() == pytest.approx(1e-3, rel=0.2)
    assert abs(np.corrcoef(thickness[..., 0].ravel(), flux.ravel())[0, 1]) < 0.25


def test_pink_noise_has_the_rms_about_the_mean_of_a_window_and_falls_with_the_dwell():
    """Dwells so short that nothing averages, over windows of 60 s: the configured rms."""
    jet = JetTruth(thickness_rms=0.01, low_Hz=0.01, high_Hz=100.0)
    rng = np.random.default_rng(1)
    windows = np.array([pink_dwell_means(rng, jet, 0.1 * np.arange(600), 1e-4) for _ in range(60)])
    spread = np.sqrt(((windows - windows.mean(axis=1, keepdims=True)) ** 2).mean())
    assert spread == pytest.approx(0.01, rel=0.05)
    longer = np.array([pink_dwell_means(rng, jet, 3.0 * np.arange(20), 3.0) for _ in range(150)])
    # 1/f between 0.01 and 100 Hz, counted per decade: a dwell of 3 s keeps what is below about 0.15 Hz
    assert 0.4e-2 < np.sqrt(((longer - longer.mean(axis=1, keepdims=True)) ** 2).mean()) < 0.7e-2


def test_the_mean_over_a_dwell_is_that_of_many_short_ones():
    jet = JetTruth(thickness_rms=0.01)
    short = pink_dwell_means(np.random.default_rng(5), jet, np.arange(2000) * 1e-3, 1e-3)
    whole = pink_dwell_means(np.random.default_rng(5), jet, np.array([0.0]), 2.0)
    assert short.mean() == pytest.approx(whole[0], abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nonsense": 1}, "unknown or lacks keys: nonsense"),
        ({"dwell_s": 0}, "dwell_s must be above 0"),
        ({"passes": 0}, "passes must be above 0"),
        ({"pattern": [1, 1]}, "pattern needs dwells with the laser on"),
        ({"energies_keV": []}, "energies_keV is empty"),
        ({"scenario": {"jet": {"speed": 3}}}, "unknown key 'jet.speed'"),
    ],
)
def test_impossible_requests_are_one_line(tmp_path, change, message):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({**REQUEST, **change}))
    done = subprocess.run(
        [sys.executable, "-m", "sim_ioc.sample", "--request", str(request), "--out", str(tmp_path / "out.npz")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["request.json"]


def test_the_file_holds_what_was_sampled(tmp_path):
    request, out = tmp_path / "request.json", tmp_path / "out.npz"
    request.write_text(
        json.dumps({**REQUEST, "scenario": {"kinetics": {"lifetimes_ps": [120.0, 900.0, float("inf")]}}})
    )
    command = [sys.executable, "-m", "sim_ioc.sample", "--request", str(request), "--out", str(out)]
    assert subprocess.run(command, check=False).returncode == 0
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["hits"].shape == (6, 2, 8, 120) and arrays["hits"].dtype == np.int32
    assert {path.name for path in tmp_path.iterdir()} == {"request.json", "out.npz"}
