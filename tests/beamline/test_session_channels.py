"""A session that has ended leaves no Channel Access channel in its process, however it ended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from beamline.session.session import start
from beamline.station.connect import NotConnectedError
from tests.beamline.configurations import configuration, with_records
from tests.helpers.ioc_process import RunningIoc, StartIoc

ESTABLISHED = "01"
"""State of a socket in /proc/net/tcp."""
WITHIN = 10.0


def circuits(ioc: RunningIoc) -> int:
    """Circuits to a simulator; libca closes that to a server when its last channel is gone."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(state == ESTABLISHED and int(remote[-4:], 16) == ioc.port for _, _, remote, state, *_ in rows)


def test_sessions_that_have_ended_leave_no_channel(start_ioc: StartIoc, tmp_path: Path) -> None:
    ioc = start_ioc("demo")
    config = configuration(tmp_path, ioc.prefix)
    for read_only in (False, True, False):
        with start(config, fill_catalogue=False, read_only=read_only, notify=lambda _: None) as session:
            assert circuits(ioc) == 1
            assert session.beamline.find("laser_shutter").position == 0
        require_none(ioc)
    absent = with_records(config, "jet", prefix=f"{ioc.prefix}absent:").model_copy(update={"connect_timeout": 1.0})
    with pytest.raises(NotConnectedError, match="jet"):
        start(absent, fill_catalogue=False)
    require_none(ioc)


def require_none(ioc: RunningIoc) -> None:
    deadline = time.monotonic() + WITHIN
    while circuits(ioc) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert circuits(ioc) == 0
