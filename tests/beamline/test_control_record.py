"""The record in an IOC that names the controlling session: other machines keep off, and what is left over does not."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import epics
import pytest
from caproto.sync.client import write

from beamline.app.doctor.control import check_control_record
from beamline.app.doctor.finding import BAD, GOOD, NOTE, Finding
from beamline.config.models import Configuration
from beamline.session import control_record
from beamline.session.control_record import ControlRecord
from beamline.session.lock import ControlLostError
from beamline.session.read_only import ReadOnlySession
from beamline.session.session import Session, start
from beamline.station.build import build
from beamline.station.connect import connect
from tests.beamline.configurations import configuration, without
from tests.devices.builds import until
from tests.helpers.ioc_process import RunningIoc

RECORD = "sim:7idd:Controller"
ELSEWHERE = "eve@elsewhere 77 7-ID-D (simulated) 2026-01-01 08:00:00"


@pytest.fixture
def config(simulated_beamline: RunningIoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.setattr(control_record, "PERIOD", 0.2)
    monkeypatch.setattr(control_record, "LEFT_OVER", 2.0)
    return configuration(tmp_path / "data")


@pytest.fixture
def name() -> Iterator[Callable[[str], None]]:
    """Puts a name into the record as another machine does: its channel outlives the sessions of this process."""

    def put(text: str) -> None:
        write(RECORD, [*text.encode(), 0], notify=True, timeout=10, repeater=False)

    yield put
    put("nobody")


@contextmanager
def living(name: Callable[[str], None], text: str) -> Iterator[None]:
    """A session of another machine names itself, again and again."""
    ended = threading.Event()

    def again() -> None:
        while not ended.wait(0.3):
            name(text)

    name(text)
    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def shown() -> str:
    return str(epics.caget(RECORD, as_string=True, use_monitor=False))


def started(config: Configuration, said: list[str]) -> Any:
    return start(config, fill_catalogue=False, notify=said.append)


def scan(session: Session) -> str:
    return str(session.RE(session.energy_scan(energies=[13.46, 13.472], dwell=1.0, passes=1)).exit_status)


def found(config: Configuration) -> Finding:
    devices = build(config).devices()
    connect({"controller": devices["controller"]}, 40)
    (finding,) = check_control_record(config, devices["controller"])
    return finding


def test_the_controlling_session_is_named_until_it_ends(config: Configuration) -> None:
    assert found(config).state == GOOD and found(config).message == f"{RECORD} names no session"
    with started(config, []) as session:
        assert shown().startswith(f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()} {config.name} 20")
        finding = found(config)
        assert finding.state == GOOD and finding.message == f"{RECORD} names the session that has the lock: {shown()}"
        assert scan(session) == "success"
    until(lambda: shown() == "nobody", "the record names nobody")


def test_a_session_of_another_machine_keeps_control(config: Configuration, name: Callable[[str], None]) -> None:
    said: list[str] = []
    with living(name, ELSEWHERE):
        with started(config, said) as second:
            assert isinstance(second, ReadOnlySession)
        assert said == [
            f"READ ONLY: {config.name} is controlled by {ELSEWHERE} ({RECORD}). End that session to take over."
        ]
        assert shown() == ELSEWHERE
        finding = found(config)
        assert (
            finding.state == NOTE
            and finding.message == f"{ELSEWHERE} controls this beamline from another machine ({RECORD})"
        )
    finding = found(config)  # it was killed
    assert finding.state == NOTE and finding.message == f"{RECORD} names a session that is no more: {ELSEWHERE}"
    with started(config, said) as session:
        assert isinstance(session, Session)
        assert scan(session) == "success"


def test_a_server_that_goes_while_the_name_is_put_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_record, "PERIOD", 0.01)
    controller = Mock()
    controller.text.get.return_value = ""
    controller.text.put.side_effect = epics.ca.CASeverityException("put", "Virtual circuit disconnect")
    record = ControlRecord(controller, "7-ID-D")
    record.take(lambda _: None)
    until(lambda: controller.text.put.call_count > 3, "the name is put again")
    record.release()


def test_what_a_killed_session_of_this_machine_left_is_replaced(
    config: Configuration, name: Callable[[str], None]
) -> None:
    name(f"{getpass.getuser()}@{socket.gethostname()} 1 {config.name} 2026-01-01 08:00:00")
    assert found(config).message.startswith(f"{RECORD} names a session that is no more")
    with started(config, []) as session:
        assert scan(session) == "success"
        assert f" {os.getpid()} " in shown()


def test_control_that_was_taken_meanwhile_is_noticed(config: Configuration, name: Callable[[str], None]) -> None:
    said: list[str] = []
    with started(config, said) as session:
        with living(name, ELSEWHERE):
            while not said:
                threading.Event().wait(0.05)
            assert said == [f"{ELSEWHERE} has taken control ({RECORD}); no more scan starts here."]
            with pytest.raises(ControlLostError, match=r"eve@elsewhere 77 .* has taken control"):
                scan(session)
            finding = found(config)
            assert finding.state == BAD and f"process {os.getpid()} of this machine has the lock" in finding.message
        name("nobody")
        until(lambda: session.beamline.controller.text.get() == "nobody", "the session knows")
        assert scan(session) == "success"
    until(lambda: shown() == "nobody", "the record names nobody")


def test_without_the_record_nothing_is_different(config: Configuration, name: Callable[[str], None]) -> None:
    bare = without(config, "controller")
    with living(name, ELSEWHERE), started(bare, []) as session:
        assert isinstance(session, Session)
        assert scan(session) == "success"
        assert check_control_record(bare, session.beamline.find("controller")) == []
    assert shown() == ELSEWHERE
