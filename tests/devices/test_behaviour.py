"""What every device does, whichever it is: one suite over all of them, on real Channel Access."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from bluesky.protocols import Readable as ReadableDevice
from bluesky.protocols import check_supports
from bluesky.utils import separate_devices
from ophyd.signal import EpicsSignalBase

from beamline.station.build import Beamline, build
from beamline.station.connect import NotConnectedError, connect, epics_signals
from devices.base.health import problems
from tests.devices.builds import DEVICES, as_found, configuration, record, released

WAIT = 20.0
SETTABLE = ("mono", "laser_delay", "laser_fluence", "jet", "xray_shutter")
CALIBRATED = {"laser_fluence": 1e-3}
"""How well the position is known (relative). The energy of a full pulse is set to three digits: a set to the fluence
that is read turns the plate by some thousandths of a degree."""
BARE_KEYS = {
    "laser_phase", "point_index", "segment", "attempt", "laser_on", "quality",
    "first_block", "num_blocks", "shots_dropped", "i0", "i0_time",
}  # fmt: skip
"""Keys without the name of a device: those by which plans and reduction know them."""
PUT_LOGS = {"optics_put_log", "station_put_log"}
TEXTS = {*PUT_LOGS, "controller"}
WITHOUT_HINTS = {"timing", "scan_state", "digitiser", *TEXTS}
"""Nothing in them is worth a column of its own."""
NEW_WHEN_STAGED = (":FileName", ":FilePath")
"""What staging sets anew on purpose: each run has a file of its own."""
WITHOUT_RECORDS = {"scan_state"}
WITHOUT_SERVER = {"ring", "scan_state", "optics_server", "station_server", *TEXTS}
"""No server of ours has their records, or they are the servers."""
SETTABLE_PARTS = {"mono_angle": "mono.angle", "laser_shutter": "laser.shutter", "stage_across": "stage.across"}


@pytest.fixture(scope="module")
def absent() -> Iterator[Beamline]:
    """All devices, without a server."""
    begun = time.monotonic()
    beamline = build(configuration("absent:"))
    assert time.monotonic() - begun < 30  # building waits for nobody: with a wait for each record it were minutes
    with released(beamline.devices()):
        yield beamline


def part(beamline: Beamline, path: str) -> Any:
    """A device or a part of one."""
    device: Any = beamline
    for name in path.split("."):
        device = getattr(device, name)
    return device


def measure(beamline: Beamline, device: Any) -> None:
    """Trigger; a sweep is flown, upwards from where the energy is."""
    device.trigger().wait(WAIT)
    if not hasattr(device, "kickoff"):
        return
    with as_found(beamline):
        begin = beamline.mono.position
        device.prepare({"energies": [begin, begin + 1e-3], "times": [1.0], "frame": 0.1, "frames": 30}).wait(WAIT)
        device.kickoff().wait(WAIT)
        device.complete().wait(WAIT)


def settings(device: Any) -> dict[str, Any]:
    """Everything that can be set on the hardware, as its records have it."""
    return {
        signal.setpoint_pvname: np.asarray(record(signal.setpoint_pvname)).tolist()
        for signal in epics_signals(device)
        if hasattr(signal, "setpoint_pvname")
    }


@pytest.mark.parametrize("name", DEVICES)
def test_building_connects_nothing(absent: Beamline, name: str) -> None:
    assert absent.devices()[name].connected == (name in WITHOUT_RECORDS)


@pytest.mark.parametrize("name", DEVICES)
def test_connecting_names_every_record_that_is_missing(absent: Beamline, name: str) -> None:
    device = absent.devices()[name]
    if name in WITHOUT_RECORDS:
        connect({name: device}, 0.05)
        return
    with pytest.raises(NotConnectedError) as error:
        connect({name: device}, 0.05)
    message = str(error.value)
    assert f"({name}: " in message
    for entry in device.walk_signals(include_lazy=True):
        if isinstance(entry.item, EpicsSignalBase):
            assert entry.item.pvname in message


@pytest.mark.parametrize("name", DEVICES)
def test_it_is_what_bluesky_calls_readable(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    assert check_supports(device, ReadableDevice) is device
    assert separate_devices([device, device]) == [device]
    assert device.name == name


@pytest.mark.parametrize("name", DEVICES)
def test_descriptions_and_readings_go_into_json(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    measure(sim, device)  # before the first count a rate is not a number
    for description, reading in (
        (device.describe(), device.read()),
        (device.describe_configuration(), device.read_configuration()),
    ):
        assert json.loads(json.dumps(description)) == description
        plain = {key: np.asarray(entry["value"]).tolist() for key, entry in reading.items()}
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize("name", DEVICES)
def test_keys_begin_with_the_name_of_the_device(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    keys = {*device.describe(), *device.describe_configuration()}
    assert {key for key in keys if not key.startswith(name)} <= BARE_KEYS
    assert not set(device.describe()) & set(device.describe_configuration())


@pytest.mark.parametrize("name", DEVICES)
def test_hints_name_what_is_read(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    fields = device.hints.get("fields", [])
    assert set(fields) <= set(device.describe())
    assert bool(fields) != (name in WITHOUT_HINTS)
    for field in fields:
        assert device.describe()[field]["dtype"] in ("number", "integer"), "a column or an axis is a number"


@pytest.mark.parametrize("name", DEVICES)
def test_staging_twice_is_staging_once_and_leaves_all_as_it_was(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    before = settings(device)
    for _ in range(2):
        device.stage()
        device.unstage()
        device.unstage()
    after = settings(device)
    assert {pv: value for pv, value in after.items() if not pv.endswith(NEW_WHEN_STAGED)} == {
        pv: value for pv, value in before.items() if not pv.endswith(NEW_WHEN_STAGED)
    }


@pytest.mark.parametrize("name", DEVICES)
def test_triggering_ends_and_can_be_repeated(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    for _ in range(2):
        device.trigger().wait(WAIT)
    assert list(device.read()) == list(device.describe())


@pytest.mark.parametrize("name", DEVICES)
def test_stopping_what_rests_changes_nothing(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    before = settings(device)
    for success in (True, False, True):
        device.stop(success=success)
    assert settings(device) == before


@pytest.mark.parametrize("name", DEVICES)
def test_nothing_is_wrong_with_a_beamline_that_works(sim: Beamline, name: str) -> None:
    assert problems(sim.devices()[name]) == []


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_has_the_server_of_its_records(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    server = getattr(device, "server", None)
    assert (server is None) == (name in WITHOUT_SERVER)
    if server is not None:
        first = next(iter(epics_signals(device)))
        assert first.pvname.startswith(server.prefix)


@pytest.mark.parametrize("name", SETTABLE)
def test_a_set_to_where_it_is_ends_and_changes_nothing(sim: Beamline, name: str) -> None:
    device = sim.devices()[name]
    before, readback = device.position, settings(device)
    device.set(before).wait(WAIT)
    known = CALIBRATED.get(name, 1e-4)
    assert device.position == pytest.approx(before, abs=known * max(1.0, abs(before)))
    assert settings(device) == pytest.approx(readback, rel=1e-3, abs=0.1)


@pytest.mark.parametrize("path", [*SETTABLE, *SETTABLE_PARTS.values()])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e12])
def test_a_set_to_nowhere_is_refused_by_name_and_sends_nothing(sim: Beamline, path: str, value: float) -> None:
    device = part(sim, path)
    before = settings(device)
    with pytest.raises(ValueError, match=rf"^{device.name}\W"):  # LimitError is one
        device.set(value)
    assert settings(device) == before


@pytest.mark.parametrize("path", SETTABLE_PARTS.values(), ids=SETTABLE_PARTS)
def test_parts_that_can_be_set_are_named_after_their_device(sim: Beamline, path: str) -> None:
    assert part(sim, path).name == path.replace(".", "_")
