"""A server that dies in the middle of a scan, is started again, and the next scan."""

from __future__ import annotations

from typing import Any

import pytest
from bluesky import RunEngine

from beamline.station.build import Beamline, instruments
from beamline.station.connect import epics_signals
from plans.scans.energy import energy_scan
from tests.devices.builds import connected_beamline, until
from tests.helpers.ioc_process import StartIoc
from tests.plans.conftest import Documents

GRID = [13.460, 13.472, 13.4725]
SPEEDUP = 200.0


def scan(engine: RunEngine, beamline: Beamline, **changes: Any) -> None:
    engine(energy_scan(instruments(beamline, SPEEDUP), energies=GRID, dwell=1.5, delay=100.0, **changes))


def test_after_a_lost_server_the_next_scan_is_taken(
    start_ioc: StartIoc, engine: RunEngine, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    ioc = start_ioc()
    with connected_beamline(ioc.prefix) as beamline:

        def kill(name: str, doc: dict[str, Any]) -> None:
            if doc["seq_num"] == 3:
                ioc.process.kill()

        token = engine.subscribe(kill, "event")
        with pytest.raises(Exception, match=ioc.prefix):
            scan(engine, beamline)
        engine.unsubscribe(token)
        assert documents.all("stop")[-1]["exit_status"] == "fail"
        for counter in (beamline.fpga, beamline.i0, beamline.boxcar):
            assert f"{counter.name} may still be counting" in caplog.text

        start_ioc(prefix=ioc.prefix)
        lost = [device for name, device in beamline.devices().items() if name != "scan_state"]
        channels = [signal._read_pv for device in lost for signal in epics_signals(device)]
        # ophyd reports a signal as connected a moment before its channel can be read
        until(lambda: all(each.connected for each in (*lost, *channels)), "the records are back")
        documents.seen.clear()
        scan(engine, beamline)
        assert [data["quality"] for data in documents.events()] == ["good"] * 12


def test_what_a_halted_scan_left_staged_is_unstaged(own: Beamline, engine: RunEngine, documents: Documents) -> None:
    """A halt runs no clean-up."""
    for counter in (own.fpga, own.i0, own.boxcar):
        counter.stage()
    own.fpga.preset_time.set(3000.0).wait(5)
    own.fpga.trigger()
    scan(engine, own)
    assert [data["quality"] for data in documents.events()] == ["good"] * 12
