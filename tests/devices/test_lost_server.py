"""A server that hangs or disconnects during a get."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from ophyd.utils.errors import DisconnectedError

from beamline.station.build import Beamline
from devices.base.bulk_read import fetch
from tests.devices.builds import connected_beamline, until
from tests.helpers.ioc_process import RunningIoc, StartIoc

WAIT = 20.0


@pytest.fixture
def own_ioc(start_ioc: StartIoc) -> RunningIoc:
    return start_ioc()


@pytest.fixture
def own(own_ioc: RunningIoc) -> Iterator[Beamline]:
    """A beamline of its own, for a test that breaks it."""
    with connected_beamline(own_ioc.prefix) as beamline:
        yield beamline


@pytest.mark.filterwarnings("ignore:ca.get")  # pyepics warns of each get without a reply
def test_a_hung_server_is_reported_by_the_name_of_the_record(own: Beamline, own_ioc: RunningIoc) -> None:
    own.fpga.trigger().wait(WAIT)
    before = own.fpga.read()["fpga_gates"]["value"]
    os.kill(own_ioc.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError, match=r"fpga_counts: record .*FPGA1:Counts did not answer within 0\.2 s"):
            fetch([own.fpga.counts, own.fpga.gates], timeout=0.2)
    finally:
        os.kill(own_ioc.process.pid, signal.SIGCONT)
    own.fpga.preset_time.set(3.0).wait(WAIT)
    own.fpga.trigger().wait(WAIT)
    after = own.fpga.read()["fpga_gates"]["value"]
    assert after.min() > 2 * before.max()  # 3 s after 1 s: not the answer to the question that was given up


def test_a_server_that_died_is_reported_by_the_name_of_the_record(own: Beamline, own_ioc: RunningIoc) -> None:
    own.fpga.preset_time.set(3600.0).wait(WAIT)
    count = own.fpga.trigger()
    own_ioc.process.kill()
    with pytest.raises(RuntimeError, match=r"^fpga_acquire: record .*FPGA1:Acquire has not processed 1: .*disconnect"):
        count.wait(WAIT)
    lost = [device for name, device in own.devices().items() if name != "scan_state"]
    until(lambda: not any(device.connected for device in lost), "the loss is known")
    with pytest.raises(DisconnectedError, match=r"fpga_counts: record .*FPGA1:Counts is not connected"):
        own.fpga.read()
    with pytest.raises(DisconnectedError, match=r"mono_setpoint: record .*7ida:BraggEAO is not connected"):
        own.mono.set(13.5)


def test_a_pause_reports_what_a_lost_server_may_still_do(
    own: Beamline, own_ioc: RunningIoc, caplog: pytest.LogCaptureFixture
) -> None:
    """And does not fail: the plan has to be able to end."""
    own_ioc.process.kill()
    until(lambda: not own.fpga.counts.connected and not own.laser.shutter.status.connected, "the loss is known")
    for device in (own.fpga, own.i0, own.laser.shutter):
        device.pause()
    assert "fpga may still be counting" in caplog.text
    assert "i0 may still be counting" in caplog.text
    assert "laser_shutter may still be open" in caplog.text
