"""The end of a dwell waits for the monitors of the busy records, which a server sends last."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ophyd import Signal

from beamline.config.entries import WatchEntry
from beamline.station.build import Beamline
from beamline.station.watch import make_watch
from devices.base import count_ends
from devices.base.count_ends import CountEnds
from devices.base.watch import Watch
from tests.devices.builds import as_found


@pytest.fixture
def busy() -> Any:
    record = Signal(name="acquire", value=0)
    record.pvname = "soft:Acquire"
    return record


def test_it_waits_until_the_end_of_the_count_is_reported(busy: Any) -> None:
    ends = CountEnds({"fpga": busy})
    ends.stage()

    async def dwell() -> list[str]:
        ends.begin_dwell()
        waiting = asyncio.create_task(ends.late(["fpga", "a detector without a busy record"]))
        for value in (1, 0):
            await asyncio.sleep(0.05)
            assert not waiting.done()
            busy.put(value)
        return await asyncio.wait_for(waiting, 5.0)

    assert asyncio.run(dwell()) == []
    assert asyncio.run(dwell()) == [], "the end of an earlier count does not end the next"
    ends.unstage()


def test_what_is_never_reported_is_named(busy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_ends, "LONGEST_LAG", 0.05)
    watch = Watch([], busy={"fpga": busy})
    watch.stage()
    watch.begin_dwell({}, 0)
    asyncio.run(watch.caught_up(["fpga"]))
    assert watch.changes() == ["monitors of soft:Acquire are late"]
    watch.begin_dwell({}, 0)
    assert watch.changes() == []
    watch.unstage()


def test_every_counter_of_a_beamline_reports_its_end(sim: Beamline) -> None:
    counters = [device for device in (sim.fpga, sim.i0, sim.boxcar) if device is not None]
    watch = make_watch(sim, WatchEntry(), lambda sentence: None)
    with as_found(sim):
        watch.stage()
        for counter in counters:
            counter.preset_time.set(0.7).wait(10)
        for counter in counters:
            counter.preset_time.set(1.0).wait(10)
        asyncio.run(watch.begin_run({}))
        watch.begin_dwell({}, 0)
        statuses = [counter.trigger() for counter in counters]
        asyncio.run(watch.caught_up([counter.name for counter in counters]))
        assert watch.changes() == []
        for status in statuses:
            status.wait(10)
        watch.unstage()


def test_channels_of_one_scaler_share_its_record(busy: Any) -> None:
    other = Signal(name="diode_count", value=0)
    other.pvname = busy.pvname
    ends = CountEnds({"i0": busy, "diode": other})
    ends.stage()
    assert not other._callbacks.get("value"), "each monitor of the record would come twice"

    async def dwell() -> list[str]:
        ends.begin_dwell()
        busy.put(1)
        busy.put(0)
        return await ends.late(["i0", "diode"])

    assert asyncio.run(dwell()) == []
    ends.unstage()
