"""Faults caused in the simulator are reported within five seconds, with the names of device and record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bluesky.plan_stubs as bps
import epics
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus

from beamline.station.build import Beamline
from devices.base.health import problems
from tests.devices.builds import PATIENCE, WITHIN, connected_beamline, record, reported, until
from tests.helpers.ioc_process import IocPool, RunningIoc

WAIT = 20.0


@pytest.fixture(scope="module")
def broken_ioc(ioc_pool: IocPool) -> Iterator[RunningIoc]:
    """A simulated beamline to break, shared by the tests of this file: each puts right what it broke."""
    ioc = ioc_pool.start()
    yield ioc
    ioc_pool.stop(ioc)


@pytest.fixture(scope="module")
def broken(broken_ioc: RunningIoc) -> Iterator[Beamline]:
    with connected_beamline(broken_ioc.prefix) as beamline:
        yield beamline


@contextmanager
def fault(prefix: str, name: str, value: Any = 1, good: Any = 0) -> Iterator[None]:
    """A fault for the time of the block."""
    assert epics.caput(f"{prefix}Fault:{name}", value, wait=True, timeout=WAIT) == 1
    try:
        yield
    finally:
        epics.caput(f"{prefix}Fault:{name}", good, wait=True, timeout=WAIT)


def nothing_wrong(device: Any) -> None:
    until(lambda: problems(device) == [], f"{device.name} is well again")


FAULTS: dict[str, tuple[str, str]] = {
    "BeamDump": ("ring", "S-DCCT:CurrentM is 0 mA, less than 10 mA: the beam is lost"),
    "LaserUnlocked": ("laser", "7idd:Laser:Locked_RBV reports an unlocked laser"),
    "JetStopped": ("jet", "7idd:Jet:Running_RBV reports that there is no jet"),
    "EnergyNaN": ("mono", "7ida:BraggERdbkAO is not a number"),
}
"""Faults that monitored records show: the device that reports them, and its sentence."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_by_device_and_record(broken: Beamline, broken_ioc: RunningIoc, name: str) -> None:
    device_name, sentence = FAULTS[name]
    device = broken.devices()[device_name]
    nothing_wrong(device)
    with fault(broken_ioc.prefix, name):
        assert reported(device, broken_ioc.prefix + sentence) < WITHIN
    nothing_wrong(device)


def test_a_lost_permit_is_reported_and_the_shutter_is_not_opened(broken: Beamline, broken_ioc: RunningIoc) -> None:
    prefix, shutter = broken_ioc.prefix, broken.xray_shutter
    with fault(prefix, "PermitLost"):
        assert reported(shutter, f"{prefix}XFD:ShutterPermit gives no permit") < WITHIN
        until(lambda: shutter.position == 0, "the shutter has shut by itself")
        with pytest.raises(ValueError, match=f"^xray_shutter cannot be opened: {prefix}XFD:ShutterPermit gives no"):
            shutter.set(1)
        epics.caput(f"{prefix}7ida:rShtrA:Open", 1, wait=True)  # past the device, as an operator would
        time.sleep(0.05)  # 10 s of beamline time
        assert record(f"{prefix}7ida:rShtrA:Status_RBV") == 0
    until(lambda: shutter.permit.get() == 1, "the permit is back")
    assert shutter.position == 0
    shutter.set(1).wait(WAIT)
    assert record(f"{prefix}7ida:rShtrA:Status_RBV") == 1


@pytest.mark.parametrize(
    ("name", "pick", "record_name"),
    [
        ("LaserShutterStuck", lambda beamline: beamline.laser.shutter, "7idd:Laser:ShutterStatus_RBV"),
        ("XrayShutterStuck", lambda beamline: beamline.xray_shutter, "7ida:rShtrA:Status_RBV"),
    ],
)
def test_a_stuck_shutter_fails_its_set(
    broken: Beamline, broken_ioc: RunningIoc, name: str, pick: Callable[[Beamline], Any], record_name: str
) -> None:
    shutter = pick(broken)
    before = record(broken_ioc.prefix + record_name)
    assert shutter.timeout.get() < WITHIN
    shutter.timeout.put(0.2)
    try:
        with (
            fault(broken_ioc.prefix, name),
            pytest.raises(TimeoutError, match=rf"^{shutter.name} did not .* {broken_ioc.prefix}{record_name} is "),
        ):
            shutter.set(1 - before).wait(WAIT)
    finally:
        shutter.timeout.put(4.5)
    shutter.set(before).wait(WAIT)


def test_a_shutter_that_disagrees_with_its_command_is_reported(broken: Beamline, broken_ioc: RunningIoc) -> None:
    with fault(broken_ioc.prefix, "LaserShutterStuck"):
        broken.laser.shutter.command.put(1)
        sentence = f"{broken_ioc.prefix}7idd:Laser:ShutterStatus_RBV reads Shut, and the last command was Open"
        assert reported(broken.laser, sentence) < WITHIN
        broken.laser.shutter.command.put(0)
    nothing_wrong(broken.laser)


def test_a_gate_with_a_hit_every_time_and_missing_shots_are_reported(broken: Beamline, broken_ioc: RunningIoc) -> None:
    counter, prefix = broken.fpga, broken_ioc.prefix
    counter.preset_time.set(2.0).wait(WAIT)
    counter.trigger().wait(WAIT)
    assert problems(counter) == []
    with fault(prefix, "GateSaturated"), fault(prefix, "MissingShots"):
        counter.trigger().wait(WAIT)
        assert reported(counter, f"{prefix}7idd:FPGA1:Counts has a hit in every gate of phase 7") < WITHIN
        # 10.0 %; up to 10.9 % where a top-up falls into the count: its veto takes at most 20 ms of the 2 s
        assert reported(counter, f"{prefix}7idd:FPGA1:Gates: 10.") < WITHIN
        assert reported(counter, "% of the gates did not open, shots are missing") < WITHIN
    counter.trigger().wait(WAIT)
    assert problems(counter) == []


def test_a_count_that_is_not_a_number_is_reported(broken: Beamline, broken_ioc: RunningIoc) -> None:
    with fault(broken_ioc.prefix, "I0NaN"):
        broken.i0.trigger().wait(WAIT)
        broken.i0.counts.get()
        assert reported(broken.i0, f"{broken_ioc.prefix}7idd:scaler1.S2 is not a number") < WITHIN
    broken.i0.trigger().wait(WAIT)
    broken.i0.counts.get()
    nothing_wrong(broken.i0)


@pytest.mark.parametrize(
    ("device", "name"),
    [("mono", "7ida:BraggERdbkAO"), ("laser", "7idd:Laser:LockError_RBV"), ("jet", "7idd:Jet:Flow_RBV")],
)
def test_an_alarm_state_is_reported(broken: Beamline, broken_ioc: RunningIoc, device: str, name: str) -> None:
    with fault(broken_ioc.prefix, "AlarmOn", name, ""):
        assert reported(broken.devices()[device], f"{broken_ioc.prefix}{name} is in MAJOR alarm") < WITHIN
    nothing_wrong(broken.devices()[device])


def test_a_move_that_never_arrives_is_given_up(broken: Beamline, broken_ioc: RunningIoc, engine: RunEngine) -> None:
    mono, prefix = broken.mono, broken_ioc.prefix
    assert mono.stall.get() < WITHIN
    mono.stall.put(0.5)
    try:
        with fault(prefix, "MonoStuck"):
            with pytest.raises(FailedStatus) as error:
                engine(bps.mv(mono, 13.47))
            message = str(error.value.__cause__)
            assert message.startswith("mono did not arrive at 13.47000 keV and nothing has changed for 0.5 s: ")
            assert f"{prefix}7ida:KohzuMoving is 1" in message
    finally:
        mono.stall.put(4.0)
    mono.set(13.45).wait(WAIT)


def test_a_silent_device_is_reported_and_the_others_go_on(broken: Beamline, broken_ioc: RunningIoc) -> None:
    """Its records stay connected: only sets and explicit gets show it."""
    prefix = broken_ioc.prefix
    assert broken.laser_delay.timeout.get() < WITHIN
    broken.laser_delay.timeout.put(0.3)
    try:
        with fault(prefix, "Silent", "delay", "none"):
            with pytest.raises(TimeoutError, match=f"^laser_delay did not go to 200 ps .*{prefix}7idd:DG1:ADelayAI is"):
                broken.laser_delay.set(200.0).wait(WAIT)
            broken.jet.set(180.0).wait(WAIT)
            broken.jet.set(200.0).wait(WAIT)
        broken.fpga.read()  # takes the answers that an earlier test may have left unread
        with fault(prefix, "Silent", "fpga", "none"):
            begun = time.monotonic()
            with pytest.raises(TimeoutError, match=f"fpga_counts: record {prefix}7idd:FPGA1:Counts did not answer"):
                broken.fpga.read()
            assert time.monotonic() - begun < PATIENCE
    finally:
        broken.laser_delay.timeout.put(4.5)
    broken.laser_delay.set(100.0).wait(WAIT)
    broken.fpga.read()


def test_a_set_past_a_limit_is_refused_before_it_is_sent(broken: Beamline, broken_ioc: RunningIoc) -> None:
    from ophyd.utils import LimitError

    outside = {"mono": 25.0, "laser_delay": 1e7, "laser_fluence": 20.0, "jet": 1e4}
    for name, value in outside.items():
        with pytest.raises(LimitError, match=f"^{name}.*{broken_ioc.prefix}7id"):
            broken.devices()[name].set(value)
    with pytest.raises(LimitError, match=f"^stage_across cannot go to 99 mm: {broken_ioc.prefix}7idd:m2.VAL goes from"):
        broken.stage.across.set(99.0)
    with pytest.raises(LimitError, match=f"^mono_angle cannot go to 3.00000 deg.*{broken_ioc.prefix}7ida:BraggThetaAO"):
        broken.mono.angle.set(3.0)


def test_a_put_that_only_the_record_refuses_fails_its_set_by_name(broken: Beamline, broken_ioc: RunningIoc) -> None:
    """The amplifier has steps, which no limit describes: its record answers the put with an error."""
    gain = broken.i0.gain
    before = gain.get()
    with pytest.raises(
        RuntimeError,
        match=rf"^i0_gain: record {broken_ioc.prefix}7idd:I0:Gain has not processed 3e\+08: .*write request failed",
    ):
        gain.set(3e8).wait(WAIT)
    assert record(f"{broken_ioc.prefix}7idd:I0:Gain") == gain.get() == before
    gain.set(before).wait(WAIT)
