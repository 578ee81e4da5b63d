"""A frozen IOC in the middle of a scan: it is waited for, the dwell is taken again, and then the next scan."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky.utils import Msg

from beamline.session.session import Session, start
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import RunningIoc, StartIoc

GRID = [13.460, 13.472, 13.4725]
DWELLS = 4 * len(GRID)
SPEEDUP = 200.0
Moment = Callable[[Msg], bool]


@pytest.fixture
def ioc(start_ioc: StartIoc) -> RunningIoc:
    return start_ioc(speedup=SPEEDUP)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def session(ioc: RunningIoc, tmp_path: Path, said: list[str]) -> Iterator[Session]:
    config = configuration(tmp_path / "data", ioc.prefix, SPEEDUP)
    with start(config, fill_catalogue=False, notify=said.append) as running:
        assert isinstance(running, Session)
        yield running


class Freezer:
    """Freezes a process at the n-th message of a kind, each time for a while."""

    def __init__(self, pid: int, *when: tuple[Moment, int, float]) -> None:
        self._pid, self._when = pid, list(when)
        self._seen = 0

    def __call__(self, message: Msg) -> None:
        if not self._when or not self._when[0][0](message):
            return
        self._seen += 1
        _, number, seconds = self._when[0]
        if self._seen == number:
            self._seen = 0
            del self._when[0]
            os.kill(self._pid, signal.SIGSTOP)
            threading.Timer(seconds, os.kill, [self._pid, signal.SIGCONT]).start()

    @property
    def is_done(self) -> bool:
        return not self._when


def of(command: str, device: str) -> Moment:
    return lambda message: message.command == command and getattr(message.obj, "name", "") == device


SHUTTER_PUT = of("set", "laser_shutter")
COUNT = of("set", "scan_state")
MOVE = of("wait", "")
READ = of("read", "jet")
PRESET = of("set", "fpga_preset_time")
"""COUNT: the label is set after the counters have been triggered; PRESET: once a pass."""


def scan(session: Session) -> list[dict[str, Any]]:
    """Scan; the data of its events."""
    events: list[dict[str, Any]] = []

    def take(name: str, doc: dict[str, Any]) -> None:
        if "laser_on" in doc["data"]:
            events.append(doc["data"])

    token = session.RE.subscribe(take, "event")
    try:
        assert session.RE(session.energy_scan(energies=GRID, dwell=40.0, passes=1)).exit_status == "success"
    finally:
        session.RE.unsubscribe(token)
    return events


def is_complete(events: list[dict[str, Any]]) -> bool:
    good = [(each["point_index"], each["segment"]) for each in events if each["quality"] == "good"]
    return len(good) == DWELLS == len(set(good))


@pytest.mark.filterwarnings("ignore:ca.get")
@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (SHUTTER_PUT, 6.5),
        pytest.param(SHUTTER_PUT, 2.3, marks=pytest.mark.long),
        pytest.param(COUNT, 2.3, marks=pytest.mark.long),
        pytest.param(COUNT, 20.0, marks=pytest.mark.long),
        pytest.param(COUNT, 45.0, marks=pytest.mark.long, id="circuit given up"),
        pytest.param(READ, 8.0, marks=pytest.mark.long),
        pytest.param(of("set", "mono"), 8.0, marks=pytest.mark.long),
        pytest.param(PRESET, 3.0, marks=pytest.mark.long),
        pytest.param(of("create", ""), 3.0, marks=pytest.mark.long),
    ],
)
def test_a_frozen_server_is_waited_for(
    session: Session, ioc: RunningIoc, said: list[str], moment: Moment, seconds: float
) -> None:
    number = 1 if moment is PRESET else 2
    session.RE.msg_hook = freezer = Freezer(ioc.process.pid, (moment, number, seconds))
    events = scan(session)
    assert freezer.is_done
    assert is_complete(events), [each["quality"] for each in events]
    lines = [line for line in said if "no reply from" in line]
    if seconds > 6:
        waiting, over = lines
        assert waiting.startswith(f"WAITING: no reply from {ioc.prefix}7id") and "Heartbeat" in waiting
        assert over.startswith("Resumed after") and "Heartbeat is over" in over
    session.RE.msg_hook = None
    assert is_complete(scan(session))


@pytest.mark.filterwarnings("ignore:ca.get")
def test_a_killed_server_is_not_waited_for(session: Session, ioc: RunningIoc) -> None:
    def kill(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] == 3:
            ioc.process.kill()

    session.RE.subscribe(kill, "event")
    begun = time.monotonic()
    with pytest.raises(Exception, match=ioc.prefix):
        session.RE(session.energy_scan(energies=GRID, dwell=40.0, passes=1))
    assert time.monotonic() - begun < 30
