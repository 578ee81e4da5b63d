"""Dwells that do not count are taken again, up to a limit; a judge says when a point has been counted enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bluesky import RunEngine

from plans.energy import energy_scan
from plans.failures import InstrumentError
from plans.quality import Check
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, DoneStatus, RefusedError

GRID = [13.46, 13.47]
BEAM = (Check("ring_current", 10.0, 1000.0, "beam lost"),)


def scan(engine: RunEngine, soft: Bench, **changes: Any) -> None:
    arguments: dict[str, Any] = {"energies": GRID, "dwell": 1.0, "pattern": (1, 0), "checks": BEAM}
    engine(energy_scan(soft.instruments(), **(arguments | changes)))


def places(documents: Documents) -> list[tuple[int, int, int]]:
    return [(data["point_index"], data["segment"], data["attempt"]) for data in documents.events()]


def lose_beam(soft: Bench, bad: Callable[[int], bool]) -> Callable[[str, Any], None]:
    """The beam is away during the dwells (by number from 0) that `bad` says."""

    def meddle(name: str, doc: dict[str, Any]) -> None:
        soft.ring.current = 0.0 if bad(doc["seq_num"] if name == "event" else 0) else 102.0

    return meddle


def test_a_bad_dwell_is_recorded_and_taken_again(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    engine.subscribe(lose_beam(soft, lambda number: number in (1, 2)))
    scan(engine, soft)
    assert places(documents) == [(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 1, 2), (1, 0, 0), (1, 1, 0)]
    assert [data["quality"] for data in documents.events()] == ["good", "beam lost", "beam lost", *["good"] * 3]
    assert [data["laser_on"] for data in documents.events()] == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_there_is_a_limit(soft: Bench, engine: RunEngine, documents: Documents, attempts: int) -> None:
    soft.ring.current = 0.0
    scan(engine, soft, attempts=attempts)
    assert places(documents) == [(p, s, a) for p in (0, 1) for s in (0, 1) for a in range(attempts)]
    assert documents.all("stop")[0]["exit_status"] == "success"
    assert documents.all("start")[0]["attempts"] == attempts


def test_an_axis_that_does_not_stay_costs_the_limit_and_no_more(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    """Somebody else moves the axis after each dwell: the point is begun again, three times in all."""

    def meddle(name: str, doc: dict[str, Any]) -> None:
        soft.energy.value += 0.002

    engine.subscribe(meddle, "event")
    scan(engine, soft)
    once = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (0, 0, 2), (0, 1, 2)]
    assert places(documents) == once + [(1, segment, attempt) for _, segment, attempt in once]


def test_an_axis_that_never_arrives_is_told(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    soft.energy.takes = False
    scan(engine, soft)
    assert {data["quality"] for data in documents.events()} == {"mono_energy is not at the point"}
    assert places(documents) == [(p, 0, a) for p in (0, 1) for a in range(3)]


def test_a_judge_is_asked_after_each_pattern(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """It wants 5 s at the first point, 0.1 s at the second, and a pattern takes 2 s."""
    asked: list[tuple[int, int]] = []

    def judge(point_index: int) -> float:
        asked.append((point_index, len(documents.events())))
        return (5.0 if point_index == 0 else 0.1) - 2.0 * sum(point == point_index for point, _ in asked)

    scan(engine, soft, target=1e-2, longest=20.0, judge=judge)
    assert asked == [(0, 2), (0, 4), (0, 6), (1, 8)]
    assert [(p, s) for p, s, _ in places(documents)] == [(0, s) for s in range(6)] + [(1, 0), (1, 1)]
    start = documents.all("start")[0]
    assert (start["target"], start["longest"]) == (1e-2, 20.0)


@pytest.mark.parametrize("answer", [None, 100.0])
def test_a_judge_that_cannot_say_or_is_never_content_gets_the_limit(
    soft: Bench, engine: RunEngine, documents: Documents, answer: float | None
) -> None:
    scan(engine, soft, target=1e-2, longest=7.0, judge=lambda point_index: answer)
    assert [(p, s) for p, s, _ in places(documents)] == [(p, s) for p in (0, 1) for s in range(6)]  # 3 x 2 s of 7 s


def test_a_shutter_that_follows_late_is_waited_for(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """It refuses three times; each is told, and the dwell is then taken as any other."""
    told: list[str] = []
    instruments = replace(soft.instruments(), shutter_tries=5, shutter_wait=0.01, tell=told.append)
    refusals = iter([True, True, True])
    follow = soft.shutter.set
    soft.shutter.set = lambda value: DoneStatus(RefusedError("stuck")) if next(refusals, False) else follow(value)  # type: ignore[method-assign]
    engine(energy_scan(instruments, energies=GRID, dwell=1.0, pattern=(1, 0)))
    assert told == [f"WAITING: stuck; asked again, {left} tries left" for left in (4, 3, 2)]
    assert [data["fpga_counts"][0] for data in documents.events()] == [101, 1, 101, 1]


def test_a_shutter_that_never_follows_ends_the_scan(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    instruments = replace(soft.instruments(), shutter_tries=2)
    soft.shutter.set = lambda value: DoneStatus(RefusedError("stuck"))  # type: ignore[method-assign]
    with pytest.raises(InstrumentError, match=r"^stuck$"):
        engine(energy_scan(instruments, energies=GRID, dwell=1.0, pattern=(1, 0)))
    assert documents.events() == []
    assert documents.all("stop")[0]["exit_status"] == "fail"
