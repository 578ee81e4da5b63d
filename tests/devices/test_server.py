"""Servers that count, and one that answers and does not."""

from __future__ import annotations

import time

import pytest
from bluesky import RunEngine
from bluesky import plans as bp

from beamline.station.build import Beamline
from devices.base.health import problems
from devices.base.heartbeat import ASK_TIMEOUT, Server, StaleError, serves
from devices.instruments.laser import Laser
from tests.devices.builds import until
from tests.devices.conftest import Make


def test_a_server_that_counts_is_fresh(sim: Beamline) -> None:
    server = sim.station_server
    before = server.heartbeat.get()
    until(lambda: server.heartbeat.get() > before, "the heartbeat counts")
    assert server.is_fresh


def test_a_late_client_reads_again_before_it_reports(sim: Beamline) -> None:
    """The age is beyond all limits, as if our own threads had been held up; the server counts once a second."""
    server = sim.station_server
    longest = server.longest_silence.get()
    server.longest_silence.put(0.5)
    try:
        until(
            lambda: server.heartbeat.age > 0.5 and server.is_fresh, "the server is found to count although it is late"
        )
    finally:
        server.longest_silence.put(longest)


def test_a_server_that_answers_and_does_not_count_is_refused_by_name(
    soft: Make, engine: RunEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = soft(Server, "server-still:")
    assert server.longest_silence.get() + ASK_TIMEOUT < 5
    server.longest_silence.put(0.2)
    laser = soft(Laser, "laser:")
    assert laser.read()["probe_locked"]["value"] == 1
    serves(server, laser)
    until(lambda: server.heartbeat.age > 0.2, "the heartbeat is late")
    asked, get = list[float](), server.heartbeat.get
    monkeypatch.setattr(server.heartbeat, "get", lambda **given: asked.append(given["timeout"]) or get(**given))
    begun = time.monotonic()
    with pytest.raises(StaleError, match=r"^probe_.*: record soft:laser:.* may be old: soft:server-still:Heartbeat"):
        laser.read()
    assert time.monotonic() - begun >= ASK_TIMEOUT  # it was given time to go on
    assert min(asked) > 0.1  # the last get too
    assert problems(laser)[0].startswith("probe: soft:server-still:Heartbeat has not counted for ")
    with pytest.raises(StaleError):
        engine(bp.count([laser]))
