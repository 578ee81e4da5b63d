"""The watch of settings, states, axes and laser shutter, on the simulated beamline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import epics
import pytest
from ophyd.utils.errors import DisconnectedError

from beamline.station.build import Beamline
from devices.base.signals import Readback
from devices.base.watch import Watch, Watched
from devices.channel_access import GroupGet
from tests.devices.builds import as_found, until

WIDTH = "sim:7idd:FPGA1:GateDly-1_WIDTH"


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def watch(sim: Beamline, messages: list[str]) -> Iterator[Watch]:
    """Watches two settings, a state, an axis and the laser shutter."""
    watch = Watch(
        [Watched(sim.fpga.gate_width), Watched(sim.jet.flow, 50.0)],
        [sim.laser.locked],
        {"delay": sim.laser_delay.delay},
        sim.laser.shutter.status,
        notify=messages.append,
    )
    width = sim.fpga.gate_width.get()
    with as_found(sim):
        watch.stage()
        yield watch
        watch.unstage()
        sim.fpga.gate_width.set(width).wait(10)


def processed_at(signal: Any) -> float:
    """When the server has processed a record for the last time."""
    gets = GroupGet([signal._read_pv])
    gets.wait(5.0)
    answer = gets.reply(0)
    assert answer is not None
    return float(answer[1])


def put(name: str, value: float) -> None:
    assert epics.caput(name, value, wait=True, timeout=10.0) == 1


def test_what_was_put_back_is_a_change_all_the_same(sim: Beamline, watch: Watch, messages: list[str]) -> None:
    asyncio.run(watch.begin_run({}))
    before = sim.fpga.gate_width.get()
    watch.begin_dwell({}, 0)
    assert watch.changes() == []
    put(WIDTH, before + 3)
    until(lambda: watch.away() != [], "the change is known")
    assert watch.away() == [f"{WIDTH} is {before + 3}, it was {before} at the beginning of the run"]
    put(WIDTH, before)
    until(lambda: watch.away() == [], "it is back")
    assert watch.changes() == [f"fpga_gate_width has changed ({WIDTH})"]
    assert messages == [f"{WIDTH} became {before + 3} while a dwell was counted"]
    watch.begin_dwell({}, 0)
    assert watch.changes() == []


def test_a_setting_that_is_changed_when_a_dwell_begins_rejects_it_too(sim: Beamline, watch: Watch) -> None:
    asyncio.run(watch.begin_run({}))
    before = sim.fpga.gate_width.get()
    put(WIDTH, before + 1)
    until(lambda: watch.away() != [], "the change is known")
    watch.begin_dwell({}, 0)
    assert watch.changes() == [f"fpga_gate_width has changed ({WIDTH})"]
    asyncio.run(watch.begin_run({}))  # a later run of the same scan: what was at its begin still holds
    assert watch.away() != []
    put(WIDTH, before)
    until(lambda: watch.away() == [], "it is back")


def test_a_monitor_of_before_the_run_that_comes_late_changes_nothing(sim: Beamline, watch: Watch) -> None:
    """A scan puts the presets right before its run begins; a busy server sends their monitors after that."""
    setting = Watched(sim.fpga.gate_width)
    before = sim.fpga.gate_width.get()
    sim.fpga.gate_width.set(before + 2).wait(10)
    put_at = processed_at(sim.fpga.gate_width)
    sim.fpga.gate_width.set(before + 1).wait(10)
    asyncio.run(watch.begin_run({}))
    watch.begin_dwell({}, 0)
    watch._setting(setting, value=before + 2, timestamp=put_at)
    assert watch.away() == watch.changes() == []
    watch._setting(setting, value=before + 2, timestamp=processed_at(sim.fpga.gate_width) + 1e-3)
    assert watch.away() != [] and watch.changes() != []


def test_an_axis_has_a_window_and_one_that_rests_is_a_setting(sim: Beamline, watch: Watch) -> None:
    sim.laser_delay.set(100.0).wait(10)
    asyncio.run(watch.begin_run({}))
    watch.begin_dwell({"delay": (94.0, 106.0)}, 0)
    sim.laser_delay.set(104.0).wait(10)
    assert watch.changes() == []
    sim.laser_delay.set(120.0).wait(10)
    until(lambda: watch.lost_axes() == ["delay"], "it has left its window")
    assert "laser_delay has changed" in watch.changes()[0]
    watch.stage()
    asyncio.run(watch.begin_run({"delay": (114.0, 126.0)}))
    watch.begin_dwell({}, 0)
    sim.laser_delay.set(100.0).wait(10)
    until(lambda: watch.away() != [], "it has left its place")
    assert watch.lost_axes() == []
    sim.laser_delay.set(120.0).wait(10)
    until(lambda: watch.away() == [], "it is back")
    assert "laser_delay has changed" in watch.changes()[0]


def test_an_energy_that_came_from_above_has_the_backlash_of_the_drive(sim: Beamline) -> None:
    watch = Watch([], axes={"energy": sim.mono.energy}, upwards="energy")
    with as_found(sim):
        watch.stage()
        for values, moved in (((13.47, 13.471), []), ((13.479, 13.471), ["energy"]), ((13.47, 13.4711, 13.471), [])):
            for value in values:
                sim.mono.set(value).wait(10)
            watch.begin_dwell({"energy": (13.471 - 6e-5, 13.471 + 6e-5)}, 0)
            asyncio.run(watch.caught_up([]))
            assert watch.lost_axes() == moved
        watch.unstage()


def test_the_laser_shutter_may_still_be_on_its_way_when_a_dwell_begins(sim: Beamline, watch: Watch) -> None:
    asyncio.run(watch.begin_run({}))
    watch.begin_dwell({}, 1)
    sim.laser.shutter.set(1).wait(10)
    assert watch.changes() == []
    put("sim:7idd:Laser:Shutter", 0)
    until(lambda: watch.changes() != [], "somebody has shut it")
    assert watch.changes()[0].startswith("laser_shutter_status has changed")


def test_nothing_counts_after_it_was_unstaged(sim: Beamline, watch: Watch) -> None:
    asyncio.run(watch.begin_run({}))
    watch.unstage()
    before = sim.fpga.gate_width.get()
    put(WIDTH, before + 1)
    until(lambda: sim.fpga.gate_width.get() == before + 1, "the change is known")
    assert watch.away() == watch.changes() == []


def test_a_record_that_is_not_there_is_named_at_the_begin_of_a_run() -> None:
    lost: Any = Readback("sim:nobody:there", name="lost", auto_monitor=True)
    watch = Watch([Watched(lost)])
    with pytest.raises(DisconnectedError, match=r"^sim:nobody:there cannot be watched: not connected"):
        asyncio.run(watch.begin_run({}))
