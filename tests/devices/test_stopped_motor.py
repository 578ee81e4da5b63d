"""A motor that is stopped at its panel, or moved by another client, has not arrived; the next move is as any other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import bluesky.plan_stubs as bps
import epics
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus

from beamline.station.build import Beamline
from tests.devices.builds import connected_beamline, until
from tests.helpers.ioc_process import RunningIoc, StartIoc

WAIT = 20.0
FAR = 10.0
"""mm; some seconds of beamline time away."""


@pytest.fixture
def slow_ioc(start_ioc: StartIoc) -> RunningIoc:
    return start_ioc(speedup=4.0)


@pytest.fixture
def slow(slow_ioc: RunningIoc) -> Iterator[Beamline]:
    with connected_beamline(slow_ioc.prefix) as beamline:
        yield beamline


@pytest.mark.parametrize(("field", "value"), [("STOP", 1), ("VAL", -1.0)], ids=["stopped", "moved elsewhere"])
def test_a_motor_that_did_not_arrive_names_both_places(
    slow: Beamline,
    slow_ioc: RunningIoc,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    field: str,
    value: float,
) -> None:
    motor, engine = slow.stage.across, RunEngine({}, context_managers=[])
    raised: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    status = motor.set(FAR)
    until(lambda: 0.5 < motor.position < FAR - 0.5, "the motor is on its way")
    epics.caput(slow_ioc.name(f"7idd:m2.{field}"), value, wait=True, timeout=WAIT)
    with pytest.raises(RuntimeError, match=r"^stage_across: is at -?\d.* mm, not at 10 mm: .*7idd:m2\.RBV"):
        status.wait(WAIT)

    here = motor.position
    with caplog.at_level(logging.ERROR):
        engine(bps.mv(motor, here + 0.2))  # as %mov does
    assert motor.position == pytest.approx(here + 0.2, abs=0.005)
    moving = threading.Timer(0.1, lambda: epics.caput(slow_ioc.name("7idd:m2.STOP"), 1))
    moving.start()
    with pytest.raises(FailedStatus) as failed:
        engine(bps.mv(motor, -FAR))
    moving.join()
    assert "not at -10 mm" in str(failed.value.__cause__)
    engine(bps.mv(motor, 0.0))
    assert motor.position == pytest.approx(0.0, abs=0.005)
    assert "InvalidState" not in caplog.text
    assert raised == []
