"""Baseline, provenance, log of puts and persistent values of a session on the simulated beamline."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import MsgGenerator
from ophyd import EpicsSignal
from ophyd.utils import LimitError

from beamline.records.journal import read, run_file
from beamline.session.baseline import SlowSettings
from beamline.session.session import Session, start
from beamline.station.connect import epics_signals
from devices.base.settings import Setting
from tests.beamline.configurations import configuration
from tests.beamline.desk import ENERGIES, USERS, empty_run, first_raw
from tests.beamline.desk import session as session
from tests.helpers.ioc_process import StartIoc
from tests.helpers.logs import log_text
from tests.plans.conftest import Documents


@pytest.fixture
def documents(session: Session) -> Iterator[Documents]:
    documents = Documents()
    token = session.RE.subscribe(documents)
    yield documents
    session.RE.unsubscribe(token)


def puts(session: Session) -> list[str]:
    return log_text(session.config.data.root, "puts").splitlines()


def test_every_run_has_a_baseline_at_its_start_and_end(session: Session, documents: Documents) -> None:
    session.RE(empty_run())
    (descriptor,) = documents.all("descriptor")
    first, last = documents.events("baseline")
    keys = descriptor["data_keys"]
    assert first.keys() == last.keys() == keys.keys()
    assert {"mono_energy", "laser_delay_t0", "apd_threshold", "stage_across", "timing_num_bunches"} <= keys.keys()
    assert keys["stage_across"]["units"] == "mm" and keys["mono_energy"]["source"].startswith("PV:sim:7ida:")
    assert all(entry["shape"] == [] for entry in keys.values())


def test_results_of_counts_commands_and_indices_are_not_in_the_baseline(session: Session) -> None:
    names = {signal.name for signal in SlowSettings(session.beamline.devices()).signals}
    taken = {"fpga_counts", "fpga_gates", "fpga_elapsed", "i0", "i0_time", "boxcar_box1", "laser_phase"}
    commands = {"fpga_acquire", "i0_count", "laser_shutter_command", "digitiser_capture", "xray_shutter_open_command"}
    statuses = {"point_index", "segment", "attempt", "quality", "laser_on", "optics_server"}
    assert not names & (taken | commands | statuses)


def test_a_run_that_fails_keeps_its_cause(session: Session, documents: Documents) -> None:
    def failing() -> MsgGenerator[None]:
        yield from bps.mv(session.beamline.stage.across, 99.0)

    import bluesky.preprocessors as bpp

    with pytest.raises(LimitError):
        session.RE(bpp.run_wrapper(failing()))
    (stop,) = documents.all("stop")
    assert stop["exit_status"] == "fail" and "stage_across cannot go to 99 mm" in stop["reason"]
    assert stop["num_events"] == {"baseline": 1}


def test_raw_and_reduced_start_documents_have_their_provenance(session: Session) -> None:
    starts = [next(iter(read(path)))[1] for path in sorted(session.journal.directory.glob("*.trxas"))]
    raw = next(doc for doc in starts if "scan_axis" in doc and "analysis_of" not in doc)
    reduced = next(doc for doc in starts if doc.get("analysis_of") == raw["uid"])
    for doc in (raw, reduced):
        assert doc["proposal"] == "GUP-1" and tuple(doc["users"]) == USERS and doc["sample"] and doc["cycle"]
        assert doc["configuration_hash"] == session.config.digest() and doc["mode"] == "sim"
        assert {"bluesky", "numpy", "trxas"} <= doc["versions"].keys()
    path = session.config.data.root / "pv_maps" / f"{raw['pv_map']}.json"
    assert reduced["pv_map"] == raw["pv_map"] == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    records = json.loads(path.read_text())
    assert records["mono"]["setpoint"] == "sim:7ida:BraggEAO"
    assert records["laser"]["shutter.command"] == "sim:7idd:Laser:Shutter"


def test_every_put_is_logged_with_the_value_before_and_by_whom(session: Session) -> None:
    across = session.beamline.stage.across
    here = across.target
    before = len(puts(session))
    across.set(here + 0.25).wait(timeout=10)
    with pytest.raises(LimitError):
        across.set(77.0)
    (line,) = puts(session)[before:]
    assert re.search(rf", between scans: sim:7idd:m2\.VAL {here:g} -> {here + 0.25:g}$", line)
    number = next(iter(read(run_file(session.config.data.root, first_raw(session)))))[1]["scan_id"]
    of_scan = [line for line in puts(session) if f"scan {number} energy_scan: " in line]
    assert any("sim:7ida:BraggEAO 13.45 -> 13.46" in line for line in of_scan)
    assert sum("FPGA1:Acquire" in line for line in of_scan) == 4 * len(ENERGIES)  # each dwell starts a count


def test_every_kind_of_put_is_logged(session: Session) -> None:
    """Texts, puts with a wait and the stop of a motor included; puts refused by limits are not."""
    devices = session.beamline.devices()
    writable = [s for device in devices.values() for s in epics_signals(device) if isinstance(s, EpicsSignal)]
    assert len(writable) > 30 and all(isinstance(signal, Setting) for signal in writable)
    before = len(puts(session))
    stage, digitiser = session.beamline.stage, session.beamline.digitiser
    assert digitiser is not None
    digitiser.file_name.set("shots").wait(timeout=10)
    stage.across.motor_stop.put(1, wait=True)
    with pytest.raises(LimitError):
        stage.across.user_setpoint.put(1e6, wait=True)
    with pytest.raises(LimitError):
        stage.across.user_setpoint.put(1e6, wait=False)
    name, stop = puts(session)[before:]
    assert re.search(r"between scans: sim:7idd:DIG1:FileName \S* -> shots$", name)
    assert re.search(r"between scans: sim:7idd:m2\.STOP \S* -> 1$", stop)


def test_t0_and_scan_numbers_continue_in_the_next_session(start_ioc: StartIoc, tmp_path: Path) -> None:
    config = configuration(tmp_path, start_ioc().prefix)  # another session of this file controls the shared beamline
    numbers = []
    for t0 in (1.7e-7, None):
        with start(config, fill_catalogue=False, notify=lambda _: None) as running:
            assert isinstance(running, Session)
            signal = running.beamline.laser_delay.t0
            if t0 is not None:
                signal.put(t0)
                running.beamline.mono.calibration_offset.put(2e-4)
                running.about(sample="water")
            running.RE(empty_run())
            numbers.append((running.RE.md["scan_id"], signal.get(), running.beamline.mono.calibration_offset.get()))
            assert running.RE.md["sample"] == "water"
    assert numbers == [(1, 1.7e-7, 2e-4), (2, 1.7e-7, 2e-4)]
    looking = start(config, read_only=True, notify=lambda _: None)
    assert looking.beamline.laser_delay.t0.get() == 1.7e-7
