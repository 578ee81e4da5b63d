"""A server that hangs or is killed: reported by name, no stale value passes as fresh, and what follows works."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import bluesky.plans as bp
import pytest
from bluesky import RunEngine
from ophyd.utils.errors import DisconnectedError

from beamline.station.build import Beamline
from devices.base.health import problems
from devices.base.heartbeat import ASK_TIMEOUT, StaleError
from devices.base.server_watch import ServerWatch
from tests.devices.builds import PATIENCE, WITHIN, connected_beamline, record, reported, until
from tests.helpers.ioc_process import IocPool, RunningIoc, StartIoc

WAIT = 20.0


@pytest.fixture
def own_ioc(start_ioc: StartIoc) -> RunningIoc:
    return start_ioc()


@pytest.fixture
def own(own_ioc: RunningIoc) -> Iterator[Beamline]:
    """A beamline of its own, for a test that stops or kills it."""
    with connected_beamline(own_ioc.prefix) as beamline:
        yield beamline


@contextmanager
def frozen(ioc: RunningIoc) -> Iterator[float]:
    """The server stands still for the time of the block; the moment it stopped."""
    os.kill(ioc.process.pid, signal.SIGSTOP)
    try:
        yield time.monotonic()
    finally:
        os.kill(ioc.process.pid, signal.SIGCONT)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:ca.get")  # pyepics warns of each get without a reply
@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_a_frozen_server_is_reported_and_no_old_value_passes_as_fresh(
    own: Beamline, own_ioc: RunningIoc, engine: RunEngine, seconds: float
) -> None:
    # Timing and stage have nothing but monitored values: only the age of the heartbeat can show it.
    quiet = (own.mono, own.laser, own.laser_fluence, own.laser_delay, own.jet, own.timing, own.stage, own.xray_shutter)
    assert own.station_server.longest_silence.get() + ASK_TIMEOUT < WITHIN
    events: list[Any] = []
    engine.subscribe(lambda name, doc: events.append(doc) if name == "event" else None)
    with frozen(own_ioc) as stopped:
        while (found := problems(own.jet)) == []:
            assert time.monotonic() - stopped < PATIENCE
            time.sleep(0.05)
        assert found[0].startswith(f"jet: {own_ioc.prefix}7idd:Heartbeat has not counted for ")
        while time.monotonic() - stopped < seconds:
            for device in quiet:
                with pytest.raises((StaleError, TimeoutError, DisconnectedError)) as error:
                    device.read()
                assert own_ioc.prefix in str(error.value)
            time.sleep(0.2)
        with pytest.raises((StaleError, TimeoutError, DisconnectedError), match=f"jet.*{own_ioc.prefix}7idd"):
            engine(bp.count([own.jet]))
        with pytest.raises((TimeoutError, DisconnectedError)):
            own.ring.read()
    assert events == []
    until(lambda: problems(own.jet) == [], "the server counts again")
    engine(bp.count([own.jet]))
    assert len(events) == 1


def test_a_server_replies_again_when_all_its_channels_are_back(sim: Beamline) -> None:
    """After a circuit was given up the heartbeat may be connected seconds before a shutter is."""
    nobody: Any = None
    watch = ServerWatch(sim.devices().values(), nobody, print)
    watch.stage()
    try:
        probe, away = next(iter(watch._probes)), SimpleNamespace(connected=False)
        watch._probes[probe].append(away)  # type: ignore[attr-defined]
        watch._silent[probe] = began = time.monotonic()
        until(lambda: watch.has_asked_since(began), "it has been asked")
        assert watch.silent() == [f"no reply from {probe.pvname}"]
        away.connected = True
        until(lambda: watch.silent() == [], "it is back")
        assert watch.silences(began) == [f"no reply from {probe.pvname}"]
    finally:
        watch.close()


def test_a_killed_server_is_reported_and_its_successor_found(
    own: Beamline, own_ioc: RunningIoc, ioc_pool: IocPool
) -> None:
    own_ioc.process.kill()
    assert reported(own.mono, f"{own_ioc.prefix}7ida:BraggEAO is not connected") < WITHIN
    until(lambda: len(problems(own.mono)) == 6, "the loss of every record of the axis is known")
    with pytest.raises(DisconnectedError, match=f"mono_setpoint: record {own_ioc.prefix}7ida:BraggEAO is not conn"):
        own.mono.set(13.5)
    ioc_pool.stop(own_ioc)
    again = ioc_pool.start(prefix=own_ioc.prefix)
    try:
        until(lambda: problems(own.mono) == [] and problems(own.laser) == [], "everything is connected again")
        own.mono.set(13.46).wait(WAIT)
        assert record(f"{own_ioc.prefix}7ida:BraggEAO") == 13.46
    finally:
        ioc_pool.stop(again)
