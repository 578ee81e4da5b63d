"""Suspenders: scans wait for beam, laser, jet or energy, report and log it, and resume automatically."""

from __future__ import annotations

import gc
import getpass
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import epics
import pytest
from bluesky import RunEngine
from ophyd import Signal
from pydantic import ValidationError

from beamline.config.entries import CheckEntry, SuspenderEntry, XrayShutterEntry
from beamline.config.models import load, packaged_names
from beamline.session.scans.suspenders import SuspensionLog, all_free, install
from beamline.session.session import Session, start
from plans.compilation.quality import Check
from plans.execution.failures import InstrumentError
from plans.protocols import Supervision
from plans.scans.energy import energy_scan
from tests.beamline.configurations import configuration
from tests.devices.builds import record, until
from tests.helpers.logs import log_text
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, bench

ENTRY = SuspenderEntry(signal="ring", low=20.0, high=1000.0, margin=5.0, reason="beam lost")

PERMIT = SuspenderEntry(signal="permit", low=1, high=1, reason="no permit")

BEAM = (Check("ring_current", 20.0, 1000.0, "beam lost"),)


class Soft:
    """A scan on soft instruments with a suspender on the ring current."""

    def __init__(self, tmp_path: Path, *entries: SuspenderEntry) -> None:
        self.told: list[str] = []
        self.engine = RunEngine({}, call_returns_result=True, context_managers=[])
        self.documents = Documents()
        self.engine.subscribe(self.documents)
        self.ring = Signal(name="ring_current", value=102.0)
        self.permit = Signal(name="permit", value=1)
        self.suspension_log = SuspensionLog(self.told.append, tmp_path)
        self.suspenders = install(
            self.engine, {"ring": self.ring, "permit": self.permit}, entries or [ENTRY], self.suspension_log
        )
        self.soft: Bench = bench()

    def scan(self, **changes: Any) -> None:
        arguments: dict[str, Any] = {"energies": [13.46, 13.47], "dwell": 1.0, "pattern": (1, 0), "checks": BEAM}
        supervision = Supervision(ready=partial(all_free, self.suspenders))
        self.engine(energy_scan(self.soft.instruments(), supervision=supervision, **(arguments | changes)))

    def current(self, value: float) -> None:
        self.soft.ring.current = value
        self.ring.put(value)

    def close(self) -> None:
        for suspender in self.suspenders:
            suspender.remove()
        self.suspension_log.close()


@pytest.fixture
def soft_scan(tmp_path: Path) -> Iterator[Soft]:
    scan = Soft(tmp_path)
    yield scan
    scan.close()


def later(condition: Callable[[], bool], action: Callable[[], None]) -> threading.Thread:
    """Do something in another thread as soon as a condition holds."""

    def wait_and_act() -> None:
        until(condition, "the moment to act")
        action()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_a_scan_waits_and_resumes_automatically(soft_scan: Soft, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The beam goes after the second dwell. No dwell is lost or bad; one line reports the reason, one the end."""

    def lose(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] == 2:
            soft_scan.current(0.0)

    soft_scan.engine.subscribe(lose, "event")
    back = later(lambda: len(soft_scan.told) == 1, lambda: soft_scan.current(102.0))
    soft_scan.scan()
    back.join()
    events = soft_scan.documents.events()
    assert [(data["point_index"], data["segment"]) for data in events] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {data["quality"] for data in events} == {"good"}
    assert soft_scan.documents.all("stop")[0]["exit_status"] == "success"
    assert soft_scan.told[0] == (
        "WAITING: beam lost (ring_current is 0); the scan resumes automatically (suspension 1)"
    )
    assert soft_scan.told[1].startswith("Resumed after ") and soft_scan.told[1].endswith(" s: beam lost is over")
    assert len(soft_scan.told) == 2
    (suspension,) = soft_scan.suspension_log.suspensions
    assert suspension.reason == "beam lost" and suspension.seconds is not None and suspension.seconds > 0
    assert capsys.readouterr().out == ""  # the RunEngine's own messages are suppressed
    log = log_text(tmp_path, "suspensions")
    assert "WAITING: beam lost" in log and "Resumed after" in log


def test_two_that_go_together_hold_a_scan_once_until_both_are_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A beam dump takes current and permit at a time; one request to the RunEngine, and nothing fails in its loop."""
    scan = Soft(tmp_path, ENTRY, PERMIT)
    requests: list[Any] = []
    plain = scan.engine.request_suspend
    scan.engine.request_suspend = lambda *args, **kwargs: (requests.append(args), plain(*args, **kwargs))  # type: ignore[method-assign]

    def lose(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] in (2, 4):
            scan.current(0.0)
            scan.permit.put(0)

    def told_of(words: str, times: int) -> None:
        until(lambda: sum(words in line for line in scan.told) == times, f"{words}, {times} times")

    def come_back() -> None:
        for number in (2, 4):
            told_of("WAITING: no permit", number // 2)
            scan.current(102.0)
            told_of("is over", number - 1)
            assert len(scan.documents.events()) == number
            scan.permit.put(1)

    scan.engine.subscribe(lose, "event")
    back = threading.Thread(target=come_back)
    back.start()
    scan.scan(energies=[13.46, 13.47, 13.48])
    back.join()
    scan.close()
    gc.collect()  # the failure of a task is reported when it is deleted
    assert len(scan.documents.events()) == 6 and len(requests) == 2
    assert not [entry for entry in caplog.records if entry.name == "asyncio"]


def test_no_number_is_outside(soft_scan: Soft) -> None:
    def lose(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] == 1:
            soft_scan.ring.put(math.nan)

    soft_scan.engine.subscribe(lose, "event")
    back = later(lambda: len(soft_scan.told) == 1, lambda: soft_scan.ring.put(102.0))
    soft_scan.scan()
    back.join()
    assert "ring_current is nan" in soft_scan.told[0]
    assert len(soft_scan.documents.events()) == 4


def test_it_has_to_come_back_by_the_margin_and_stay(tmp_path: Path) -> None:
    scan = Soft(tmp_path, ENTRY.model_copy(update={"wait": 0.3}))
    moments: list[float] = []

    def lose(name: str, doc: dict[str, Any]) -> None:
        moments.append(time.monotonic())
        if doc["seq_num"] == 2:
            scan.current(0.0)

    def come_and_go() -> None:
        scan.ring.put(22.0)  # within the limits, not by the margin
        time.sleep(0.1)
        assert len(scan.documents.events()) == 2
        scan.ring.put(30.0)
        time.sleep(0.1)
        scan.ring.put(10.0)  # gone again before the wait is over
        time.sleep(0.4)
        assert len(scan.documents.events()) == 2
        moments.append(time.monotonic())
        scan.current(102.0)

    scan.engine.subscribe(lose, "event")
    back = later(lambda: len(scan.told) == 1, come_and_go)
    scan.scan()
    back.join()
    scan.close()
    assert len(scan.documents.events()) == 4
    assert len(scan.suspension_log.suspensions) == 1
    assert moments[3] - moments[2] >= 0.3


def test_a_scan_that_begins_without_beam_waits_for_it(soft_scan: Soft) -> None:
    soft_scan.current(0.0)
    back = later(lambda: len(soft_scan.told) == 1, lambda: soft_scan.current(102.0))
    soft_scan.scan()
    back.join()
    assert soft_scan.told[0].startswith("WAITING: beam lost")
    assert len(soft_scan.documents.events()) == 4
    assert {data["quality"] for data in soft_scan.documents.events()} == {"good"}


TOPUP = SuspenderEntry(signal="ring", low=0.2, between_dwells=True, reason="top-up")


def test_a_dwell_under_way_is_counted_through_and_the_next_one_waits(tmp_path: Path) -> None:
    """The countdown of a top-up: no dwell is repeated. The wait is short, and reported on one line."""
    scan = Soft(tmp_path, TOPUP)
    counted = scan.soft.counters[0].trigger
    moments: list[int] = []

    def near_top_up() -> Any:
        moments.append(len(scan.documents.events()))
        if len(moments) == 2:
            scan.ring.put(0.1)
            time.sleep(0.05)  # long enough for a suspender that cuts to act
        return counted()

    scan.soft.counters[0].trigger = near_top_up  # type: ignore[method-assign]
    back = later(lambda: len(scan.told) == 1, lambda: scan.ring.put(90.0))
    scan.scan()
    back.join()
    scan.close()
    assert moments == [0, 1, 2, 3]  # each dwell once
    assert len(scan.documents.events()) == 4
    assert len(scan.told) == 1 and scan.told[0].startswith("WAITING: top-up (ring_current is 0.1)")
    assert "top-up is over" in log_text(tmp_path, "suspensions")


def test_a_stuck_countdown_suspends_a_scan_once(tmp_path: Path) -> None:
    scan = Soft(tmp_path, TOPUP.model_copy(update={"longest": 0.1}))
    scan.ring.put(0.0)
    scan.scan()
    assert [line.split(" ")[0] for line in scan.told] == ["WAITING:", "Resumed"]
    assert scan.told[1].endswith("s, the longest wait for: top-up")
    scan.scan()
    assert len(scan.told) == 2
    scan.ring.put(90.0)
    until(lambda: not scan.suspenders[0]._given_in, "the countdown is seen to go on")
    scan.ring.put(0.1)
    scan.scan()
    scan.close()
    assert len(scan.told) == 4
    assert len(scan.documents.events()) == 12


def test_the_longest_wait_goes_for_a_suspender_that_cuts_dwells_too(tmp_path: Path) -> None:
    scan = Soft(tmp_path, ENTRY.model_copy(update={"longest": 0.1}))

    def lose(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] == 2:
            scan.ring.put(0.0)

    scan.engine.subscribe(lose, "event")
    scan.scan()
    scan.close()
    assert len(scan.told) == 2 and scan.told[1].endswith("the longest wait for: beam lost")
    assert len(scan.documents.events()) == 4


def test_nothing_is_reported_while_nothing_runs(soft_scan: Soft) -> None:
    soft_scan.current(0.0)
    soft_scan.current(102.0)
    soft_scan.scan()
    assert soft_scan.told == []


def test_invalid_entries_are_refused() -> None:
    with pytest.raises(ValidationError, match="a scan waits with the laser shut"):
        CheckEntry(key="laser_locked", low=1, high=1, reason="laser unlocked", laser_on_only=True, waits=5.0)
    with pytest.raises(ValidationError, match="leave no allowed range"):
        SuspenderEntry(signal="ring.current", low=5.0, high=1.0, reason="never")


@pytest.mark.parametrize("name", ["simulated", "7idd"])
def test_packaged_configurations_wait_for_all_that_comes_back(name: str) -> None:
    config = load(name)
    watched = {entry.reason: entry for entry in config.suspenders}
    assert {"beam lost", "laser unlocked", "jet stopped", "energy readback off", "top-up"} <= set(watched)
    assert watched["top-up"].between_dwells and watched["top-up"].longest < 5
    assert [entry.reason for entry in config.checks if entry.waits] == ["I0 low"]
    assert config.laser_shutter.tries * config.laser_shutter.wait >= 60


SHUTS = ("BeamDump", "PermitLost")
"""Faults that shut the X-ray shutter."""

FAULTS = {
    "BeamDump": ("beam lost", "no permit for the X-ray shutter"),
    "PermitLost": ("no permit for the X-ray shutter",),
    "LaserUnlocked": ("laser unlocked",),
    "JetStopped": ("jet stopped",),
    "EnergyNaN": ("energy readback off",),
}


@pytest.fixture(scope="module")
def shift(ioc_pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Any, list[str]]]:
    """A session with the packaged suspenders on a simulated beamline of this file; each test restores it."""
    ioc = ioc_pool.start("demo", 50.0)
    told: list[str] = []
    asked = {"reopen": True}
    packaged = configuration(tmp_path_factory.mktemp("shift"), ioc.prefix, 50.0, waiting=True, xray_shutter=asked)
    config = packaged.model_copy(update={"suspenders": load("simulated").suspenders})
    with start(config, fill_catalogue=False, notify=told.append) as session:
        assert isinstance(session, Session)
        yield session, ioc, told
    ioc_pool.stop(ioc)


@pytest.mark.parametrize("fault", FAULTS)
def test_on_the_simulated_beamline_a_scan_survives_the_fault(shift: tuple[Session, Any, list[str]], fault: str) -> None:
    """Something fails during a dwell, and recovers once the scan has reported that it waits.

    The X-ray shutter falls shut with its permit, as in a dump; the scan opens it.
    """
    session, ioc, told = shift
    told.clear()
    name, documents = ioc.name(f"Fault:{fault}"), Documents()
    token = session.RE.subscribe(documents)
    counting = ioc.name("7idd:FPGA1:Acquire")

    def break_and_mend() -> None:
        until(lambda: len(documents.events()) == 2 and record(counting) == 1, "the third dwell")
        epics.caput(name, 1, wait=True)
        until(lambda: any(line.startswith("WAITING") and "top-up" not in line for line in told), "the scan waits")
        until(lambda: record(ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0, "the laser is shut meanwhile")
        assert len(documents.events()) == 2
        if fault in SHUTS:
            until(lambda: record(ioc.name("7ida:rShtrA:Status_RBV")) == 0, "the X-ray shutter has fallen shut")
        epics.caput(name, 0, wait=True)

    meddler = threading.Thread(target=break_and_mend)
    meddler.start()
    try:
        session.RE(session.energy_scan(energies=[13.460, 13.472], pattern=(1, 0), dwell=10.0))
    finally:
        meddler.join(30)
        epics.caput(name, 0, wait=True)
        epics.caput(ioc.name("7ida:rShtrA:Open"), 1, wait=True)
        session.RE.unsubscribe(token)
    events = documents.events()
    last = {(data["point_index"], data["segment"]): data for data in events}
    assert list(last) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {data["quality"] for data in last.values()} == {"good"}
    assert all(data["fpga_elapsed"] == pytest.approx(10.0, rel=1e-6) for data in last.values())
    assert documents.all("stop")[0]["exit_status"] == "success"
    told = [line for line in told if "top-up" not in line]  # on a fast clock one may be near
    reasons = {line.removeprefix("WAITING: ").split(" (")[0] for line in told if line.startswith("WAITING")}
    assert reasons and reasons <= set(FAULTS[fault])
    assert sum(line.startswith("Resumed") for line in told) == sum(line.startswith("WAITING") for line in told)
    opened = [line for line in told if "is open again" in line]
    assert len(opened) == (fault in SHUTS)
    assert all(f"by the scan of {getpass.getuser()}: it closed for a lost permit" in line for line in opened)
    assert session.beamline.xray_shutter.position == 1


def test_when_the_x_ray_shutter_falls_shut_a_scan_waits_for_i0(shift: tuple[Session, Any, list[str]]) -> None:
    """I0 is there only while it is counted: one dwell is bad, then I0 is counted until there is light again."""
    session, ioc, told = shift
    told.clear()
    documents = Documents()
    token = session.RE.subscribe(documents)
    counting = ioc.name("7idd:FPGA1:Acquire")

    def shut_and_open() -> None:
        until(lambda: len(documents.events()) == 2 and record(counting) == 1, "the third dwell")
        epics.caput(ioc.name("7ida:rShtrA:Close"), 1, wait=True)
        until(lambda: any("I0 low" in line for line in told), "the scan waits")
        assert record(ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0
        epics.caput(ioc.name("7ida:rShtrA:Open"), 1, wait=True)

    meddler = threading.Thread(target=shut_and_open)
    meddler.start()
    try:
        session.RE(session.energy_scan(energies=[13.460, 13.472], pattern=(1, 0), dwell=10.0))
    finally:
        meddler.join(30)
        epics.caput(ioc.name("7ida:rShtrA:Open"), 1, wait=True)
        session.RE.unsubscribe(token)
    qualities = [data["quality"] for data in documents.events()]
    assert qualities.count("good") == 4
    shut = f"xray_shutter has changed ({ioc.name('7ida:rShtrA:Status_RBV')})"
    assert {quality.split(";")[0] for quality in qualities} <= {"good", "I0 low", shut}
    assert not any("is open again" in line for line in told)  # it was shut by hand
    said = [line for line in told if "I0 low" in line]
    assert len(said) == 2
    assert said[0].startswith("WAITING: I0 low (i0 is ") and "counted again every 5 s" in said[0]
    assert said[1].startswith("Resumed after ") and said[1].endswith("I0 low is over")
    assert session.scans.suspension_log.suspensions[-1].seconds is not None


def test_without_the_entry_the_x_ray_shutter_stays_shut(shift: tuple[Session, Any, list[str]]) -> None:
    session, _, _ = shift
    assert not XrayShutterEntry().reopen
    assert not any(load(name).xray_shutter.reopen for name in packaged_names())
    assert session.scans.supervision.restore_xrays is not None
    session.config, given = (
        session.config.model_copy(update={"xray_shutter": XrayShutterEntry(reopen=False)}),
        session.config,
    )
    try:
        assert session.scans.supervision.restore_xrays is None
    finally:
        session.config = given


def test_a_stuck_laser_shutter_is_reported_on_one_line(shift: tuple[Session, Any, list[str]]) -> None:
    """Freed after a while, the scan resumes; stuck for good, the scan ends with advice."""
    session, ioc, told = shift
    told.clear()
    stuck, timeout = ioc.name("Fault:LaserShutterStuck"), session.beamline.laser.shutter.timeout
    before = timeout.get()
    timeout.put(0.3)
    epics.caput(stuck, 1, wait=True)

    def set_free() -> None:
        timeout.put(before)  # one that moves again has the time that a busy machine takes
        epics.caput(stuck, 0, wait=True)

    free = later(lambda: any("WAITING" in line for line in told), set_free)
    try:
        session.RE(session.energy_scan(energies=[13.460, 13.472], pattern=(0, 1), dwell=1.0))
        free.join()
        said = [line for line in told if "shutter" in line]
        assert len(said) == 2, said
        assert "the laser shutter does not follow (laser_shutter did not open within 0.3 s" in said[0]
        assert "retried up to 11 times, every 5 s" in said[0]
        told.clear()
        timeout.put(0.3)
        epics.caput(stuck, 1, wait=True)
        supervision = replace(session.scans.supervision, shutter_tries=3)
        with pytest.raises(InstrumentError, match="laser_shutter did not open"):
            session.RE(
                session.energy_scan(energies=[13.460, 13.472], pattern=(0, 1), dwell=1.0, supervision=supervision)
            )
        assert [line.split(" ")[0] for line in told] == ["WAITING:", "Given"]
        assert told[1].endswith("continue later with resume")
    finally:
        epics.caput(stuck, 0, wait=True)
        timeout.put(before)
