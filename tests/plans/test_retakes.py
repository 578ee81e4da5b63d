"""Rejected dwells are retaken, up to a limit; a stopping rule ends a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.compilation.quality import Check
from plans.execution.failures import InstrumentError
from plans.protocols import Supervision
from plans.scans.energy import energy_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import NUM_PHASES, Bench, DoneStatus, RefusedError

GRID = [13.46, 13.47]
BEAM = (Check("ring_current", 10.0, 1000.0, "beam lost"),)


def scan(engine: RunEngine, soft: Bench, **changes: Any) -> None:
    arguments: dict[str, Any] = {"energies": GRID, "dwell": 1.0, "pattern": (1, 0), "checks": BEAM}
    engine(energy_scan(soft.instruments(), **(arguments | changes)))


def labels(documents: Documents) -> list[tuple[int, int, int]]:
    return [(data["point_index"], data["segment"], data["attempt"]) for data in documents.events()]


def lose_beam(soft: Bench, bad: Callable[[int], bool]) -> Callable[[str, Any], None]:
    """The beam is away during the dwells `bad` (by number from 0)."""

    def inject_fault(name: str, doc: dict[str, Any]) -> None:
        soft.ring.current = 0.0 if bad(doc["seq_num"] if name == "event" else 0) else 102.0

    return inject_fault


def test_a_bad_dwell_is_recorded_and_taken_again(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    engine.subscribe(lose_beam(soft, lambda number: number in (1, 2)))
    scan(engine, soft)
    assert labels(documents) == [(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 1, 2), (1, 0, 0), (1, 1, 0)]
    assert [data["quality"] for data in documents.events()] == ["good", "beam lost", "beam lost", *["good"] * 3]
    assert [data["laser_on"] for data in documents.events()] == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(("gates", "quality"), [(1, "saturated: a hit in every gate"), (0, "no gate opened")])
def test_a_dwell_of_full_gates_or_none_is_taken_again(
    soft: Bench, engine: RunEngine, documents: Documents, gates: int, quality: str
) -> None:
    """Once the laser is off the counter of this bench has one hit a phase."""
    counter = soft.counters[0]
    good = np.full(NUM_PHASES, 1000, np.int32)
    counter.beside["fpga_gates"] = good

    def inject_fault(name: str, doc: dict[str, Any]) -> None:
        counter.beside["fpga_gates"] = np.full_like(good, gates) if doc["seq_num"] == 1 else good

    engine.subscribe(inject_fault, "event")
    scan(engine, soft)
    assert [data["quality"] for data in documents.events()] == ["good", quality, "good", "good", "good"]
    assert labels(documents) == [(0, 0, 0), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 1, 0)]


@pytest.mark.parametrize("last_good", [1, 2])
def test_a_dwell_in_which_the_laser_slips_is_taken_again_at_the_new_phase(
    soft: Bench, engine: RunEngine, documents: Documents, last_good: int
) -> None:
    """Within a point, and in the first dwell of the next one."""
    counter = soft.counters[0]
    counter.beside["laser_phase"] = 0

    def inject_fault(name: str, doc: dict[str, Any]) -> None:
        counter.beside["laser_phase"] = 0 if doc["seq_num"] < last_good else 3

    engine.subscribe(inject_fault, "event")
    scan(engine, soft)
    expected = ["good"] * 5
    expected[last_good] = "laser_phase has changed"
    assert [data["quality"] for data in documents.events()] == expected
    assert len({label[:2] for label in labels(documents)}) == 4


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_there_is_a_limit(soft: Bench, engine: RunEngine, documents: Documents, attempts: int) -> None:
    soft.ring.current = 0.0
    scan(engine, soft, attempts=attempts)
    assert labels(documents) == [(p, s, a) for p in (0, 1) for s in (0, 1) for a in range(attempts)]
    assert documents.all("stop")[0]["exit_status"] == "success"
    assert documents.all("start")[0]["attempts"] == attempts


def test_an_axis_that_does_not_stay_costs_the_limit_and_no_more(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    """Somebody else moves the axis after each dwell: the point is begun again, three times in all."""

    def inject_fault(name: str, doc: dict[str, Any]) -> None:
        soft.energy.value += 0.002

    engine.subscribe(inject_fault, "event")
    scan(engine, soft)
    once = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (0, 0, 2), (0, 1, 2)]
    assert labels(documents) == once + [(1, segment, attempt) for _, segment, attempt in once]


def test_an_axis_that_never_arrives_is_recorded(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    soft.energy.takes = False
    scan(engine, soft)
    assert {data["quality"] for data in documents.events()} == {"mono_energy is not at the point"}
    assert labels(documents) == [(p, 0, a) for p in (0, 1) for a in range(3)]


def test_the_stopping_rule_runs_after_each_pattern(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """It wants 5 s at the first point, 0.1 s at the second, and a pattern takes 2 s."""
    calls: list[tuple[int, int]] = []

    def rule(point_index: int) -> float:
        calls.append((point_index, len(documents.events())))
        return (5.0 if point_index == 0 else 0.1) - 2.0 * sum(point == point_index for point, _ in calls)

    scan(engine, soft, target=1e-2, longest=20.0, judge=rule)
    assert calls == [(0, 2), (0, 4), (0, 6), (1, 8)]
    assert [(p, s) for p, s, _ in labels(documents)] == [(0, s) for s in range(6)] + [(1, 0), (1, 1)]
    start = documents.all("start")[0]
    assert (start["target"], start["longest"]) == (1e-2, 20.0)


@pytest.mark.parametrize("answer", [None, 100.0])
def test_a_stopping_rule_without_an_answer_or_end_counts_to_the_limit(
    soft: Bench, engine: RunEngine, documents: Documents, answer: float | None
) -> None:
    scan(engine, soft, target=1e-2, longest=7.0, judge=lambda point_index: answer)
    assert [(p, s) for p, s, _ in labels(documents)] == [(p, s) for p in (0, 1) for s in range(6)]  # 3 x 2 s of 7 s


def test_points_that_need_no_more_time_are_left_out_of_later_passes(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    """In the second pass only the second point needs time, and then none does: there is no third."""

    def rule(point_index: int) -> float:
        counted = sum(data["point_index"] == point_index for data in documents.events()) // 2
        return float(counted < min((1, 2)[point_index], len(documents.all("stop")) + 1))

    wanted = {"C(slot=0)": "5 %", "transient(slot=0, energy=13.472)": (0.1, 0.3)}
    scan(engine, soft, target=wanted, forecast="sample.toml", longest=20.0, passes=3, judge=rule)
    assert [p for p, s, _ in labels(documents) if s == 0] == [0, 1, 1]
    assert [start["scan_index"] for start in documents.all("start")] == [0, 1]
    start = documents.all("start")[0]
    assert start["target"] == [["C(slot=0)", "5 %"], ["transient(slot=0, energy=13.472)", [0.1, 0.3]]]
    assert start["forecast"] == "sample.toml"


class RecordedWaits:
    """A `WaitObserver` that keeps one line for each call."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, reason: str, reading: str) -> str:
        self.lines.append(f"{reason} ({reading})")
        return reason

    def end(self, wait: str) -> None:
        self.lines.append(f"over: {wait}")

    def give_up(self, wait: str) -> None:
        self.lines.append(f"given up: {wait}")


STUCK = "the laser shutter does not follow"


def test_a_shutter_that_follows_late_is_retried(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """It refuses three times; one line reports that, and the dwell is then taken as any other."""
    observer = RecordedWaits()
    supervision = Supervision(shutter_tries=5, shutter_retry_interval=0.01, wait_observer=observer)
    refusals = iter([True, True, True])
    follow = soft.shutter.set
    soft.shutter.set = lambda value: DoneStatus(RefusedError("stuck")) if next(refusals, False) else follow(value)  # type: ignore[method-assign]
    scan(engine, soft, pattern=(1, 0), checks=(), supervision=supervision)
    assert observer.lines == [f"{STUCK} (stuck; retried up to 4 times, every 0.01 s)", f"over: {STUCK}"]
    assert [data["fpga_counts"][0] for data in documents.events()] == [101, 1, 101, 1]


def test_a_shutter_that_never_follows_ends_the_scan(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    observer = RecordedWaits()
    supervision = Supervision(shutter_tries=2, wait_observer=observer)
    soft.shutter.set = lambda value: DoneStatus(RefusedError("stuck"))  # type: ignore[method-assign]
    with pytest.raises(InstrumentError, match=r"^stuck$"):
        scan(engine, soft, pattern=(1, 0), checks=(), supervision=supervision)
    assert documents.events() == []
    assert documents.all("stop")[0]["exit_status"] == "fail"
    assert observer.lines == [f"{STUCK} (stuck; retried up to 1 times, every 0 s)", f"given up: {STUCK}"]


FLUX = (Check("i0_counts", 0.5, 1000.0, "I0 low", waits=0.01),)


def dark_for(soft: Bench, counts: int) -> None:
    """I0 gives nothing from its second count on, so many times."""
    i0, seen = soft.counters[1], [0]
    count = i0.trigger

    def trigger() -> DoneStatus:
        status = count()
        seen[0] += 1
        if 2 <= seen[0] < 2 + counts:
            i0._counts[:] = 0
        return status

    i0.trigger = trigger  # type: ignore[method-assign]
    i0.values = lambda: {"i0_counts": (int(i0._counts[0]), "counts")}  # type: ignore[method-assign]


def test_a_scan_waits_for_i0_by_counting_it(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """After one bad dwell I0 alone is counted, without events and with the laser shut, until it is back."""
    observer = RecordedWaits()
    dark_for(soft, counts=4)
    scan(engine, soft, pattern=(0, 1), checks=FLUX, supervision=Supervision(wait_observer=observer))
    assert labels(documents) == [(0, 0, 0), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 1, 0)]
    assert [data["quality"] for data in documents.events()] == ["good", "I0 low", "good", "good", "good"]
    assert observer.lines == ["I0 low (i0_counts is 0; counted again every 0.01 s)", "over: I0 low"]
    triggers = [name for action, name, _ in soft.notes.actions if action == "trigger"]
    assert (triggers.count("i0"), triggers.count("fpga")) == (5 + 4, 5)  # three looks in vain, and one that sees it
    looks = [i for i, each in enumerate(soft.notes.actions) if each[:2] == ("trigger", "i0")][2:6]
    assert soft.notes.actions[looks[0] - 1] == ("set", "shutter", 0)
    assert [data["fpga_counts"][0] for data in documents.events()] == [1, 101, 101, 1, 101]


def test_a_wait_that_ends_with_its_first_count_is_not_logged(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    observer = RecordedWaits()
    dark_for(soft, counts=1)
    scan(engine, soft, pattern=(0, 1), checks=FLUX, supervision=Supervision(wait_observer=observer))
    assert observer.lines == []
    assert len(documents.events()) == 5


def test_a_check_without_waits_does_not_wait(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    dark_for(soft, counts=100)
    checks = (replace(FLUX[0], waits=0.0),)
    engine(energy_scan(soft.instruments(), energies=GRID, dwell=1.0, pattern=(0, 1), checks=checks))
    assert len(documents.events()) == 1 + 3 * 3
    triggers = [name for action, name, _ in soft.notes.actions if action == "trigger"]
    assert triggers.count("i0") == triggers.count("fpga")
