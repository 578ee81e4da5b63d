"""Suspenders: scans wait for beam, laser, jet or energy, report and log it, and resume automatically."""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from ophyd import Signal
from pydantic import ValidationError

from beamline.config.entries import CheckEntry, SuspenderEntry
from beamline.config.models import load
from beamline.session.scans.suspenders import SuspensionLog, all_free, install
from plans.compilation.quality import Check
from plans.protocols import Supervision
from plans.scans.energy import energy_scan
from tests.beamline.later import later
from tests.devices.builds import until
from tests.helpers.logs import log_text
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, bench

ENTRY = SuspenderEntry(signal="ring", low=20.0, high=1000.0, margin=5.0, reason="beam lost")


PERMIT = SuspenderEntry(signal="permit", low=1, high=1, reason="no permit")


BEAM = (Check("ring_current", 20.0, 1000.0, "beam lost"),)


class Soft:
    """A scan on soft instruments with a suspender on the ring current."""

    def __init__(self, tmp_path: Path, *entries: SuspenderEntry) -> None:
        self.messages: list[str] = []
        self.engine = RunEngine({}, call_returns_result=True, context_managers=[])
        self.documents = Documents()
        self.engine.subscribe(self.documents)
        self.ring = Signal(name="ring_current", value=102.0)
        self.permit = Signal(name="permit", value=1)
        self.suspension_log = SuspensionLog(self.messages.append, tmp_path)
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


def test_a_scan_waits_and_resumes_automatically(soft_scan: Soft, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The beam goes after the second dwell. No dwell is lost or bad; one line reports the reason, one the end."""

    def lose(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] == 2:
            soft_scan.current(0.0)

    soft_scan.engine.subscribe(lose, "event")
    back = later(lambda: len(soft_scan.messages) == 1, lambda: soft_scan.current(102.0))
    soft_scan.scan()
    back.join()
    events = soft_scan.documents.events()
    assert [(data["point_index"], data["segment"]) for data in events] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {data["quality"] for data in events} == {"good"}
    assert soft_scan.documents.all("stop")[0]["exit_status"] == "success"
    assert soft_scan.messages[0] == (
        "WAITING: beam lost (ring_current is 0); the scan resumes automatically (suspension 1)"
    )
    assert soft_scan.messages[1].startswith("Resumed after ") and soft_scan.messages[1].endswith(
        " s: beam lost is over"
    )
    assert len(soft_scan.messages) == 2
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

    def wait_for_message(phrase: str, times: int) -> None:
        until(lambda: sum(phrase in line for line in scan.messages) == times, f"{phrase}, {times} times")

    def come_back() -> None:
        for number in (2, 4):
            wait_for_message("WAITING: no permit", number // 2)
            scan.current(102.0)
            wait_for_message("is over", number - 1)
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
    back = later(lambda: len(soft_scan.messages) == 1, lambda: soft_scan.ring.put(102.0))
    soft_scan.scan()
    back.join()
    assert "ring_current is nan" in soft_scan.messages[0]
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
    back = later(lambda: len(scan.messages) == 1, come_and_go)
    scan.scan()
    back.join()
    scan.close()
    assert len(scan.documents.events()) == 4
    assert len(scan.suspension_log.suspensions) == 1
    assert moments[3] - moments[2] >= 0.3


def test_a_scan_that_begins_without_beam_waits_for_it(soft_scan: Soft) -> None:
    soft_scan.current(0.0)
    back = later(lambda: len(soft_scan.messages) == 1, lambda: soft_scan.current(102.0))
    soft_scan.scan()
    back.join()
    assert soft_scan.messages[0].startswith("WAITING: beam lost")
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
    back = later(lambda: len(scan.messages) == 1, lambda: scan.ring.put(90.0))
    scan.scan()
    back.join()
    scan.close()
    assert moments == [0, 1, 2, 3]  # each dwell once
    assert len(scan.documents.events()) == 4
    assert len(scan.messages) == 1 and scan.messages[0].startswith("WAITING: top-up (ring_current is 0.1)")
    assert "top-up is over" in log_text(tmp_path, "suspensions")


def test_a_stuck_countdown_suspends_a_scan_once(tmp_path: Path) -> None:
    scan = Soft(tmp_path, TOPUP.model_copy(update={"longest": 0.1}))
    scan.ring.put(0.0)
    scan.scan()
    assert [line.split(" ")[0] for line in scan.messages] == ["WAITING:", "Resumed"]
    assert scan.messages[1].endswith("s, the longest wait for: top-up")
    scan.scan()
    assert len(scan.messages) == 2
    scan.ring.put(90.0)
    until(lambda: not scan.suspenders[0]._given_in, "the countdown is seen to go on")
    scan.ring.put(0.1)
    scan.scan()
    scan.close()
    assert len(scan.messages) == 4
    assert len(scan.documents.events()) == 12


def test_the_longest_wait_goes_for_a_suspender_that_cuts_dwells_too(tmp_path: Path) -> None:
    scan = Soft(tmp_path, ENTRY.model_copy(update={"longest": 0.1}))

    def lose(name: str, doc: dict[str, Any]) -> None:
        if doc["seq_num"] == 2:
            scan.ring.put(0.0)

    scan.engine.subscribe(lose, "event")
    scan.scan()
    scan.close()
    assert len(scan.messages) == 2 and scan.messages[1].endswith("the longest wait for: beam lost")
    assert len(scan.documents.events()) == 4


def test_nothing_is_reported_while_nothing_runs(soft_scan: Soft) -> None:
    soft_scan.current(0.0)
    soft_scan.current(102.0)
    soft_scan.scan()
    assert soft_scan.messages == []


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
