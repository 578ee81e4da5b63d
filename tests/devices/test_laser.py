"""Laser shutter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import epics
import pytest
from ophyd.utils import ReadOnlyError
from ophyd.utils.errors import DisconnectedError

from beamline.station.build import Beamline
from devices.instruments import laser
from devices.instruments.laser import Laser
from tests.devices.builds import record, until
from tests.devices.conftest import SOFT, Make

WAIT = 20.0
STATUS = "sim:7idd:Laser:ShutterStatus_RBV"
STUCK = "sim:Fault:LaserShutterStuck"


@pytest.fixture
def stuck(sim: Beamline) -> Iterator[None]:
    """The shutter does not move, for one test."""
    epics.caput(STUCK, 1, wait=True)
    yield
    epics.caput(STUCK, 0, wait=True)


def test_a_set_is_done_when_the_shutter_has_followed(sim: Beamline) -> None:
    for value in (1, 1, 0, 0, 1, 0, True, False):
        sim.laser.shutter.set(value).wait(WAIT)
        assert record(STATUS) == value


def test_the_same_on_another_server(soft: Make) -> None:
    laser = soft(Laser, "laser:")
    for value in (1, 0, 0, 1, 0):
        laser.shutter.set(value).wait(WAIT)
        assert record(f"{SOFT}laser:ShutterStatus_RBV") == value


@pytest.mark.parametrize("value", [2, -1, 0.5, "Open", None, float("nan")])
def test_anything_but_open_and_shut_is_refused(sim: Beamline, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^laser_shutter takes 1 \(open\) or 0 \(shut\)"):
        sim.laser.shutter.set(value)


def test_a_stuck_shutter_fails_by_name_within_its_timeout(sim: Beamline, stuck: None) -> None:
    sim.laser.shutter.timeout.put(0.2)
    try:
        with pytest.raises(TimeoutError, match=r"^laser_shutter did not open within 0\.2 s"):
            sim.laser.shutter.set(1).wait(WAIT)
    finally:
        sim.laser.shutter.timeout.put(5.0)
    assert record(STATUS) == 0


def test_the_default_timeout_is_a_few_seconds(sim: Beamline) -> None:
    assert 1 <= sim.laser.shutter.timeout.get() <= 10


def test_a_stale_monitor_is_not_taken_for_the_shutter(soft: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shutter has just shut, and the monitor still shows it open."""
    shutter = soft(Laser, "laser:").shutter
    shutter.set(0).wait(WAIT)
    ask_record = shutter.status.get
    monkeypatch.setattr(shutter.status, "get", lambda **how: ask_record(**how) if "use_monitor" in how else 1)
    status = shutter.set(1)
    assert not status.done
    monkeypatch.undo()
    status.wait(WAIT)
    assert record(f"{SOFT}laser:ShutterStatus_RBV") == 1
    shutter.set(0).wait(WAIT)


def test_a_pause_shuts_it_and_going_on_opens_it_again(sim: Beamline) -> None:
    shutter = sim.laser.shutter
    shutter.set(1).wait(WAIT)
    shutter.pause()
    assert record(STATUS) == 0
    shutter.resume()
    until(lambda: record(STATUS) == 1, "the shutter is open again")


def test_a_prepared_shutter_has_arrived_when_it_is_set(sim: Beamline) -> None:
    shutter = sim.laser.shutter
    shutter.set(0).wait(WAIT)
    for value in (1, 0):
        assert shutter.prepare(value).success
        until(lambda value=value: record(STATUS) == value == shutter.status.get(), "the shutter has moved")
        shutter.set(value).wait(WAIT)
        assert record(STATUS) == value


def test_preparing_the_present_state_sends_nothing(sim: Beamline) -> None:
    shutter = sim.laser.shutter
    shutter.set(0).wait(WAIT)
    until(lambda: shutter.command.get() == 0 == shutter.status.get(), "the monitors agree")
    sent = command_stamp()
    assert shutter.prepare(0).success
    assert shutter.set(0).done
    assert command_stamp() == sent
    shutter.set(0).wait(WAIT)  # without prepare
    assert command_stamp() > sent


def command_stamp() -> float:
    """When the command record was written last."""
    found = epics.PV("sim:7idd:Laser:Shutter", auto_monitor=False, form="time").get_with_metadata(timeout=WAIT)
    return float(found["timestamp"])


@pytest.mark.parametrize("interruption", ["pause", "stop"])
def test_an_interruption_drops_a_prepared_command(
    sim: Beamline, monkeypatch: pytest.MonkeyPatch, interruption: str
) -> None:
    """Another client has shut it meanwhile, and the monitor still shows it open."""
    shutter = sim.laser.shutter
    shutter.set(1).wait(WAIT)
    shutter.prepare(1)
    getattr(shutter, interruption)()
    epics.caput("sim:7idd:Laser:Shutter", 0, wait=True)
    until(lambda: record(STATUS) == 0, "the shutter is shut")
    monkeypatch.setattr(shutter.status, "get", lambda **_: 1)
    status = shutter.set(1)
    monkeypatch.undo()
    status.wait(WAIT)
    assert record(STATUS) == 1
    shutter.set(0).wait(WAIT)


def test_a_command_of_another_client_is_overridden_by_the_set(sim: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blade is still where it was: it begins to move."""
    shutter = sim.laser.shutter
    shutter.set(1).wait(WAIT)
    until(lambda: shutter.command.get() == 1 == shutter.status.get(), "the monitors agree")
    shutter.prepare(1)
    epics.caput("sim:7idd:Laser:Shutter", 0, wait=True)
    until(lambda: shutter.command.get() == 0, "the command is known")
    monkeypatch.setattr(shutter.status, "get", lambda **_: 1)
    status = shutter.set(1)
    monkeypatch.undo()
    status.wait(WAIT)
    until(lambda: record(STATUS) == 1, "the shutter is open again")
    shutter.set(0).wait(WAIT)


def test_an_old_prepared_command_is_checked_again(sim: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan may wait for its beam between the two, and the server may hang meanwhile."""
    shutter = sim.laser.shutter
    shutter.set(0).wait(WAIT)
    shutter.prepare(0)
    monkeypatch.setattr(laser, "RECENT", 0.0)
    sent = command_stamp()
    shutter.set(0).wait(WAIT)
    assert command_stamp() > sent


def test_a_set_to_another_state_overrides_a_prepared_command(sim: Beamline) -> None:
    shutter = sim.laser.shutter
    shutter.prepare(1)
    shutter.set(0).wait(WAIT)
    assert record(STATUS) == 0


def test_a_failing_command_raises_in_the_set_and_not_in_prepare(sim: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    shutter = sim.laser.shutter
    shutter.set(0).wait(WAIT)

    def gone(*_: Any, **__: Any) -> None:
        raise DisconnectedError("the record has gone")

    monkeypatch.setattr(shutter.command, "put", gone)
    assert shutter.prepare(1).success
    with pytest.raises(DisconnectedError):
        shutter.set(1)
    with pytest.raises(ValueError, match=r"^laser_shutter takes 1 \(open\) or 0 \(shut\)"):
        shutter.prepare(2)


def test_going_on_leaves_a_shutter_shut_that_was_shut(sim: Beamline) -> None:
    shutter = sim.laser.shutter
    shutter.set(1).wait(WAIT)
    shutter.pause()
    shutter.resume()
    shutter.set(0).wait(WAIT)
    shutter.pause()
    shutter.resume()
    assert record("sim:7idd:Laser:Shutter") == 0
    assert record(STATUS) == 0


def test_a_pause_ends_a_travel_that_is_under_way(soft: Make) -> None:
    """A set that timed out later, because the pause has shut the shutter, would end the scan after it went on."""
    shutter = soft(Laser, "laser-stuck-shut:").shutter
    opening = shutter.set(1)
    shutter.stop(success=True)  # what a RunEngine does first when it pauses
    opening.wait(WAIT)


@pytest.mark.parametrize("refusal", [RuntimeError("put refused"), ReadOnlyError("no write access")])
def test_a_put_that_is_refused_at_a_pause_ends_no_scan(
    soft: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    """Nor when the scan goes on; after that the shutter works as before."""
    shutter = soft(Laser, "laser:").shutter
    shutter.set(1).wait(WAIT)

    def refuse(*_: Any, **__: Any) -> None:
        raise refusal

    with monkeypatch.context() as refusing:
        refusing.setattr(shutter.command, "put", refuse)
        shutter.pause()
        assert "probe_shutter may still be open while the plan is paused" in caplog.text
        shutter.resume()
        assert "probe_shutter was not reopened" in caplog.text
    shutter.set(1).wait(WAIT)
    shutter.pause()
    assert shutter.position == 0
    shutter.resume()
    until(lambda: shutter.position == 1, "it is open again")
    shutter.set(0).wait(WAIT)


def test_a_pause_reports_when_it_cannot_shut(soft: Make, caplog: pytest.LogCaptureFixture) -> None:
    shutter = soft(Laser, "laser-stuck-open:").shutter
    shutter.timeout.put(0.2)
    shutter.pause()
    assert "probe_shutter may still be open while the plan is paused" in caplog.text
