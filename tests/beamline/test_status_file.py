"""What a session reports about itself, for readers outside of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from beamline.config.entries import SuspenderEntry
from beamline.outputs.web.parts.status import last_dwell, status
from beamline.session.session import start
from beamline.session.status_file import ENDED, FILE, SessionStatus, StatusThread, read_status, write_status
from plans.compilation.quality import Check
from tests.beamline.configurations import configuration
from tests.beamline.figures import wait_for

CHECKS = [Check(**entry.model_dump()) for entry in configuration(Path("unused")).checks]


def readings_of(root: Path) -> dict[str, Any]:
    """Readings of the last status by their names."""
    found = read_status(root)
    return {each["name"]: each for each in (found.readings if found is not None else ())}


def test_it_is_replaced_as_a_whole_and_closed_at_the_end(tmp_path: Path) -> None:
    states = iter(["idle", "running"])
    thread = StatusThread(tmp_path, lambda: SessionStatus(next(states, "running"), [("beam lost", 5.0)]))
    wait_for(lambda: (found := read_status(tmp_path)) is not None and found.state == "running")
    assert list(read_status(tmp_path).waits) == [("beam lost", 5.0)]
    thread.close()
    assert read_status(tmp_path).state == ENDED
    assert [path.name for path in (tmp_path / "log").iterdir()] == [FILE.name]


def test_a_disk_that_fails_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("no folder")
    thread = StatusThread(tmp_path, lambda: SessionStatus("idle"))
    thread.close()
    assert read_status(tmp_path) is None


def test_a_file_that_is_no_status_is_none(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for text in ("", "[]", "{", '{"state": 1}', '{"state": "idle", "waits": 1, "readings": [], "pid": 1, "time": 1}'):
        (tmp_path / FILE).write_text(text)
        assert read_status(tmp_path) is None, text


def test_only_a_fresh_status_of_a_living_session_is_shown() -> None:
    readings = [{"name": "ring.current", "value": 3.0, "low": 20.0, "high": None, "reason": "beam lost"}]
    found = SessionStatus("running", [("beam lost", 90.0)], readings, time=100.0)
    shown = status("held", found, 101.0)
    assert shown["waits"] == [{"reason": "beam lost", "since": 90.0}]
    assert shown["readings"] == [{"name": "ring current", "text": "3", "state": "bad", "why": "beam lost"}]
    for session, now in (("held", 110.0), ("gone", 101.0), ("none", 101.0)):
        old = status(session, found, now)
        assert old["waits"] == old["readings"] == [] and old["seen"] == 100, session


def test_readings_of_a_dwell_are_held_against_the_checks_that_apply() -> None:
    data = {"ring_current": 5.0, "laser_on": 0, "laser_locked": 0, "jet_running": 1, "i0": 1e5, "i0_time": 2.0}
    found = {each["name"]: each for each in last_dwell(data, CHECKS, 1.0)["readings"]}
    assert found["ring current"]["state"] == "bad" and found["ring current"]["why"] == "beam lost"
    assert found["jet running"]["text"] == "yes" and "laser locked" not in found
    assert found["i0"]["text"] == "5e+04 /s" and found["i0"]["state"] == "good"
    assert last_dwell({}, CHECKS, 1.0) == {}


def test_a_session_reports_its_readings_and_shutters_and_what_a_scan_waits_for(
    simulated_beamline, tmp_path: Path
) -> None:
    """While the laser is unlocked the status has the reason; afterwards the scan ends and the status is idle."""
    entry = SuspenderEntry(signal="laser.locked", low=1, high=1, wait=0.0, reason="laser unlocked")
    config = configuration(tmp_path, suspenders=(entry.model_dump(),))
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        wait_for(lambda: readings_of(tmp_path).get("laser.locked", {}).get("value") == 1)  # a monitor may be under way
        assert readings_of(tmp_path)["laser_shutter"]["words"] == "shut" and len(readings_of(tmp_path)) == 3
        session.scans.suspension_log.begin("laser unlocked", "laser_locked is 0")
        wait_for(lambda: [reason for reason, _ in read_status(tmp_path).waits] == ["laser unlocked"])
        session.scans.suspension_log.end(session.scans.suspension_log.suspensions[-1])
        wait_for(lambda: list(read_status(tmp_path).waits) == [])
        assert read_status(tmp_path).state == "idle" and abs(time.time() - read_status(tmp_path).time) < 30
    assert read_status(tmp_path).state == ENDED


def test_a_value_that_is_no_number_is_not_known(tmp_path: Path) -> None:
    write_status(tmp_path, SessionStatus("idle", (), [{"name": "a.b", "value": None, "low": 1, "high": 2}]))
    assert json.loads((tmp_path / FILE).read_text())["state"] == "idle"
    (reading,) = status("held", read_status(tmp_path), time.time())["readings"]
    assert (reading["text"], reading["state"]) == ("not known", "unknown")
