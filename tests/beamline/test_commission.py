"""Cold starts: everything is wrong at first, and right after one plan; the truth is the scenario's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beamline.session.commissioning.check import QUICK
from beamline.session.session import Session, start
from sim_ioc.scenario.scenario import Scenario, load_scenario
from tests.beamline.session_runs import documents, events
from tests.beamline.station_files import CHAMBERS, load_station
from tests.beamline.test_findings_session import check_gate, check_threshold
from tests.helpers.ioc_process import StartIoc, write_scenario

SPEEDUP = 300.0
DETECTORS = f"""{CHAMBERS}[detectors.apd]
kind = "counter"
device = "fpga"
"""
READ = '"ring", "jet", "apd"]'
LONGEST = 30 * 60.0
"""Beamline seconds of all counts and moves."""
MESSAGE = 0.02
"""Seconds of a count's messages at a real beamline."""


def cold_session(
    start_ioc: StartIoc, folder: Path, seed: int, said: list[str], **changes: Any
) -> tuple[Session, Scenario]:
    """A session on a beamline that is wrong in every respect, and the truth."""
    file = write_scenario({"seed": seed, "cold": {}, "transmission": {}, **changes}, folder / "cold.toml")
    ioc = start_ioc(file, SPEEDUP)
    more, read = DETECTORS.replace('"sim:', f'"{ioc.prefix}'), {READ: READ.replace("]", ', "it", "ifoil"]')}
    config = load_station(folder, "simulated", ioc.prefix, SPEEDUP, more, **read)
    session = start(config, fill_catalogue=False, notify=said.append)
    assert isinstance(session, Session)
    return session, load_scenario(file)


def check_right(session: Session, truth: Scenario) -> None:
    """Each setting is that of the truth within what a spectrum can bear."""
    beamline = session.beamline
    check_threshold(session, truth)
    check_gate(session, truth)
    period = 5e6 * truth.ring.harmonic / truth.ring.num_bunches / truth.ring.rf_MHz
    off = (1e12 * beamline.laser_delay.t0.get() - 1e3 * truth.delay.t0_ns + 0.5 * period) % period - 0.5 * period
    assert abs(off) < 6.0
    assert abs(1e3 * beamline.mono.calibration_offset.get() - truth.monochromator.offset_eV) < 0.05
    assert abs(beamline.steering.along.position - truth.laser.steering_along_um) < 3.0
    assert abs(beamline.steering.across.position - truth.laser.steering_across_um) < 3.0


def beam_time(session: Session, uids: tuple[str, ...]) -> dict[str, float]:
    """Beamline seconds of each run: dwells, and messages as at a real beamline."""
    found: dict[str, float] = {}
    for uid in uids:
        docs = documents(session, uid)
        name = docs[0][1]["plan_name"]
        seconds = [event["data"].get("fpga_elapsed_time", 0.0) + MESSAGE for event in events(docs, "primary")]
        found[name] = found.get(name, 0.0) + sum(seconds)
    return found


@pytest.mark.long
def test_every_finding_against_the_simulator_and_a_check_of_all(
    start_ioc: StartIoc, tmp_path: Path, capsys: Any
) -> None:
    """Short counts where everything but windows, energy and laser is right; set, then checked against each other."""
    right = {"threshold_mV": [45.0, 45.0], "photon_mV": [100.0, 100.0], "gate_delay_ticks": [9, 9]}
    right |= {"gate_width_ticks": [4, 4], "pulse_arrival_ns": [40.0, 40.0], "t0_bunches": [0.0, 0.0]}
    said: list[str] = []
    session, truth = cold_session(start_ioc, tmp_path, 5, said, cold=right)
    with session:
        plans, beamline = session.names(), session.beamline
        session.RE(plans["find_threshold"](apply=True, **QUICK["threshold"]))
        session.RE(plans["find_crystal"](apply=True))
        assert abs(beamline.crystal.position - truth.monochromator.crystal_urad) < 1.0
        session.RE(plans["find_windows"](apply=True))
        period = 5e3 * truth.ring.harmonic / truth.ring.num_bunches / truth.ring.rf_MHz
        opens = beamline.boxcar.box1.window_start.get() / 360 * period
        assert opens == pytest.approx(truth.detector.pulse_arrival_ns, abs=2.5)
        session.RE(plans["find_energy"](apply=True, most_passes=2))
        assert abs(1e3 * beamline.mono.calibration_offset.get() - truth.monochromator.offset_eV) < 0.1
        session.RE(plans["find_overlap"](apply=True, target=3.0, dwell=4.0))
        assert abs(beamline.steering.along.position - truth.laser.steering_along_um) < 9.0
        assert abs(beamline.steering.across.position - truth.laser.steering_across_um) < 9.0
        session.RE(plans["find_flux"](counts=16, dwell=0.2))
        session.RE(plans["find_jet"](counts=48, dwell=0.2))
        found = [line.split(":")[0] for line in said if " good, set" in line]
        assert found == ["threshold", "crystal", "windows", "energy", "overlap"], said
        capsys.readouterr()
        session.RE(plans["check_all"]())
    rows = {line.split()[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:6]}
    assert rows.keys() == {"crystal", "threshold", "windows", "energy", "overlap"} and "bad" not in rows.values(), rows


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_cold_beamline_is_right_after_commissioning(start_ioc: StartIoc, tmp_path: Path, seed: int) -> None:
    said: list[str] = []
    still = {"drift_ps_per_h": 0.0}  # the messages of a session take hours of a beamline that is 300 times faster
    session, truth = cold_session(start_ioc, tmp_path, seed, said, delay=still)
    with session:
        uids = session.RE(session.names()["commission"]()).run_start_uids
        print("\n".join(said), beam_time(session, uids), truth)
        check_right(session, truth)
        assert sum(beam_time(session, uids).values()) < LONGEST
