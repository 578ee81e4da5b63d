"""Findings on a cold simulated beamline: threshold and gate are found, set and kept; the truth is the scenario's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beamline.outputs.report.content import gather
from beamline.outputs.report.shift import shift_between
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.persistent.state import read_state
from beamline.session.session import Session, start
from sim_ioc.scenario.scenario import Scenario, load_scenario
from tests.beamline.configurations import configuration
from tests.beamline.session_runs import documents, events
from tests.helpers.ioc_process import StartIoc, write_scenario

SPEEDUP = 400.0
TICK_NS = 4.0
FEW = [5.0, 8.0, 12.0, 18.0, 25.0, 35.0, 50.0, 65.0, 80.0, 100.0, 120.0, 150.0, 190.0, 250.0, 330.0, 450.0]


def check_threshold(session: Session, truth: Scenario) -> None:
    """In the plateau: five widths of the noise above zero, and three of one photon below its height."""
    detector = truth.detector
    spread = detector.photon_mV * detector.photon_fwhm / 2.355
    assert 5 * detector.noise_mV < session.beamline.apd.threshold.position < detector.photon_mV - 3 * spread


def check_gate(session: Session, truth: Scenario) -> None:
    """The gate holds the pulse of its own bunch, whenever within a tick it opens."""
    counter, pulse = session.beamline.fpga, truth.detector.pulse_arrival_ns
    opens, width = TICK_NS * counter.gate_delay.get(), TICK_NS * counter.gate_width.get()
    assert opens + TICK_NS <= pulse and pulse + truth.detector.pulse_length_ns <= opens + width


def finding_of(session: Session, uid: str) -> dict[str, Any]:
    """The finding of a run, by key."""
    (event,) = events(documents(session, uid), "finding")
    return {key.removeprefix("finding_"): value for key, value in event["data"].items()}


def test_findings_are_set_kept_and_recorded(start_ioc: StartIoc, tmp_path: Path, capsys: Any) -> None:
    """The threshold is set; the gate is only shown. The state file keeps both."""
    file = write_scenario({"seed": 3, "cold": {}}, tmp_path / "cold.toml")
    truth, ioc = load_scenario(file), start_ioc(file, SPEEDUP)
    config, said = configuration(tmp_path, ioc.prefix, SPEEDUP), list[str]()
    with start(config, fill_catalogue=False, notify=said.append) as session:
        assert isinstance(session, Session)
        plans, counter = session.names(), session.beamline.fpga
        before = counter.gate_delay.get(), counter.gate_width.get()
        (uid,) = session.RE(plans["find_threshold"](apply=True, thresholds=FEW, dwell=1.0)).run_start_uids
        check_threshold(session, truth)
        found = finding_of(session, uid)
        assert found["outcome"] == "set" and found["verdict"] == "good"
        assert abs(found["value"] - 0.5 * truth.detector.photon_mV) < 4.5 * found["stddev"]
        (shown,) = session.RE(plans["find_gate"](passes=1)).run_start_uids
        assert (counter.gate_delay.get(), counter.gate_width.get()) == before
        middle = truth.detector.pulse_arrival_ns + 0.5 * truth.detector.pulse_length_ns
        assert abs(finding_of(session, shown)["value"] - middle) < 1.0
        (scan,) = session.RE(session.energy_scan(energies=[13.46, 13.472], dwell=1.0, passes=1)).run_start_uids
        assert documents(session, scan)[0][1]["findings"] == {"threshold": uid}
        plans["findings"]()
    assert any(line.startswith("threshold: ") and "good, set" in line for line in said)
    state = read_state(config.data.root)  # as the next session reads it
    assert state is not None and {name: each.uid for name, each in state.findings_in_use.items()} == {"threshold": uid}
    listed = capsys.readouterr().out
    assert uid[:8] in listed and shown[:8] in listed and "min ago" in listed
    store = JournalRuns(config.data.root)
    report = gather(store, store.runs(), shift_between(store.runs(), None, None), config.data.root)
    reported = {each.title.split(", ")[0]: each for each in report.measurements if ": find_" in each.title}
    assert set(reported) == {"scan 1: find_threshold", "scan 2: find_gate"}
    assert all(each.figure.startswith("data:image/png") for each in reported.values())
    assert reported["scan 1: find_threshold"].numbers[0].name == "threshold / mV"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 20))
def test_threshold_and_gate_of_a_cold_beamline(start_ioc: StartIoc, tmp_path: Path, seed: int) -> None:
    file = write_scenario({"seed": seed, "cold": {}}, tmp_path / "cold.toml")
    truth, ioc = load_scenario(file), start_ioc(file, SPEEDUP)
    config = configuration(tmp_path, ioc.prefix, SPEEDUP)
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.RE(session.names()["find_threshold"](apply=True))
        check_threshold(session, truth)
        (uid,) = session.RE(session.names()["find_gate"](apply=True)).run_start_uids
        assert finding_of(session, uid)["outcome"] == "set"
        check_gate(session, truth)


@pytest.mark.long
@pytest.mark.parametrize("seed", [3, 4])
def test_time_zero_of_a_cold_beamline(start_ioc: StartIoc, tmp_path: Path, seed: int) -> None:
    """With threshold, gate and energy right: t0 is off by up to three bunches, and right afterwards."""
    right = {"threshold_mV": [40.0, 40.0], "photon_mV": [100.0, 100.0], "gate_delay_ticks": [9, 9]}
    right |= {"gate_width_ticks": [4, 4], "pulse_arrival_ns": [40.0, 40.0]}
    right |= {f"steering_{name}_um": [0.0, 0.0] for name in ("along", "across")}
    right |= {"offset_eV": [0.0, 0.0], "crystal_urad": [0.0, 0.0]}
    file = write_scenario({"seed": seed, "cold": right, "delay": {"drift_ps_per_h": 0.0}}, tmp_path / "cold.toml")
    truth, ioc = load_scenario(file), start_ioc(file, SPEEDUP)
    config, said = configuration(tmp_path, ioc.prefix, SPEEDUP), list[str]()
    with start(config, fill_catalogue=False, notify=said.append) as session:
        assert isinstance(session, Session)
        (uid,) = session.RE(session.names()["find_time_zero"](apply=True, target=5.0)).run_start_uids
        found = finding_of(session, uid)
        assert found["outcome"] == "set", said
        period = 5e3 * truth.ring.harmonic / truth.ring.num_bunches / truth.ring.rf_MHz * 1e3
        off = (found["value"] - 1e3 * truth.delay.t0_ns + 0.5 * period) % period - 0.5 * period
        assert abs(off) < 4.5 * found["stddev"]
        assert abs(1e12 * session.beamline.laser_delay.t0.get() - found["value"]) < 20.0
