"""A scan of a drifting jet over Channel Access, with monitor energies: the spectrum is right, and all count points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.runs.job import plan_job
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.replay import replay
from beamline.session.session import Session, start
from plans.scans.energy import compiled_energy_scan
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import load_scenario
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import write_scenario

SPEEDUP = 400.0
SCENARIO = {
    "seed": 4,
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.1},  # changes over tens of minutes; a pass takes half an hour
    "sample": {"mu_white_line": 0.6},
    "laser": {"background_per_gate": 0.0},
    "i0": {"noise": 1e-4, "nonlinearity": 0.0},
    "monochromator": {"repeatability_eV": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
}
ENERGIES = [13.450, 13.455, 13.460, 13.4675, 13.470, 13.472, 13.4745, 13.4765, 13.485, 13.497, 13.508, 13.54, 13.57]
MONITORS = (13.456, 13.49)
SCAN: dict[str, Any] = {
    "energies": ENERGIES, "delay": 100.0, "dwell": 40.0, "pattern": (1, 0), "monitor_energies": MONITORS,
    "monitor_share": 0.35,
}  # fmt: skip
WHITE_LINE = ENERGIES.index(13.472)


def truth(scenario: Path) -> np.ndarray:
    """Static spectrum of the scenario, normalised in plain numpy."""
    model, energy = ForwardModel(load_scenario(scenario)), np.array(ENERGIES)
    rate = np.array([np.mean(model.mu(each, 100.0, 8.8, laser_on=False)) for each in energy])
    before, edge = energy <= 13.4601, energy >= 13.4649
    rate = rate - rate[before].mean()
    return np.asarray(rate / (np.trapezoid(rate[edge], energy[edge]) / np.ptp(energy[edge])))


def test_a_drifting_jet_with_monitor_energies(ioc_pool: Any, tmp_path: Path, capsys: Any) -> None:
    scenario = write_scenario(SCENARIO, tmp_path / "scenario.toml")
    ioc = ioc_pool.start(scenario, SPEEDUP)
    config = configuration(tmp_path, ioc.prefix, SPEEDUP, reduction={"i0_noise": 1e-4})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.scans.preview(session.scans.plans["energy_scan"], **SCAN)
        (uid,) = session.RE(session.energy_scan(**SCAN)).run_start_uids
        found = session.reducer.spectrum()
        windows = session.reducer.settings
    ioc_pool.stop(ioc)
    assert windows.pre_edge == (13.45, 13.46)
    one = compiled_energy_scan(**SCAN).passes[0]
    preview = " ".join(capsys.readouterr().out.split())
    assert f"Monitor energies 13.456 and 13.49 keV: {one.monitor_dwells} visits a pass" in preview
    assert "35.0 % of the counting time" in preview
    runs = JournalRuns(tmp_path).runs()
    raw = next(run for run in runs if run.uid == uid)
    assert raw.stop is not None
    assert {"primary": 26, "monitor": one.monitor_dwells}.items() <= raw.stop["num_events"].items()
    assert found.drift.shape == (1, len(ENERGIES)) and np.isfinite(found.drift).all()
    (again,) = replay(JournalRuns(tmp_path), runs, plan_job(runs, uid, {}))
    assert again.agreement is not None and not again.agreement.differences
    (off,) = replay(JournalRuns(tmp_path), runs, plan_job(runs, uid, {"drift": "off"}))
    (bent,) = (doc["data"]["static"] for name, doc in off.documents if name == "event" and "static" in doc["data"])
    away = np.abs(found.static - truth(scenario))
    assert away[WHITE_LINE] < 4 * found.static_stddev[WHITE_LINE]
    assert np.abs(bent - truth(scenario)).max() > 2 * away.max()
    assert np.ptp(found.drift) > 0.05
