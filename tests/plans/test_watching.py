"""A dwell with a change in its conditions is rejected, and retaken once the settings are restored."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted

from plans.protocols import Supervision
from plans.scans.energy import energy_scan
from plans.scans.fluence import fluence_scan
from plans.watch import Tolerances
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench
from tests.plans.test_retakes import RecordedWaits

GRID = [13.46, 13.47]
POINT_AGAIN = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0)]
CHANGED = "gate width has changed (soft:Gate)"


class FakeWatch:
    """A `Watch` with scripted changes: what changes in which dwell (from 1), and is away after it."""

    parent = None
    name = "watch"

    def __init__(self, changes: Mapping[int, str] | None = None, lost: Mapping[int, str] | None = None) -> None:
        self.is_staged = False
        self.gone: list[str] = []
        self.waited_for: list[list[str]] = []
        self.held: list[Mapping[str, tuple[float, float]]] = []
        self.dwells: list[tuple[Mapping[str, tuple[float, float]], int]] = []
        self._changes, self._lost = changes or {}, lost or {}

    def stage(self) -> list[Any]:
        self.is_staged = True
        return [self]

    def unstage(self) -> list[Any]:
        self.is_staged = False
        self.gone.clear()
        return [self]

    async def begin_run(self, held: Mapping[str, tuple[float, float]]) -> None:
        assert self.is_staged
        self.held.append(held)

    def begin_dwell(self, windows: Mapping[str, tuple[float, float]], laser_on: int, moving: object = ()) -> None:
        self.dwells.append((windows, laser_on))

    async def caught_up(self, detectors: Iterable[str]) -> None:
        self.waited_for.append(list(detectors))

    def away(self) -> list[str]:
        return list(self.gone)

    def changes(self) -> list[str]:
        return [self._changes[len(self.dwells)]] if len(self.dwells) in self._changes else []

    def lost_axes(self) -> list[str]:
        return [self._lost[len(self.dwells)]] if len(self.dwells) in self._lost else []


def scan(engine: RunEngine, soft: Bench, watch: FakeWatch, observer: RecordedWaits | None = None) -> None:
    supervision = Supervision(watch=watch, wait_observer=observer or RecordedWaits())
    engine(energy_scan(soft.instruments(), energies=GRID, dwell=1.0, pattern=(1, 0), supervision=supervision))


def dwells(documents: Documents) -> list[tuple[int, int, int, str]]:
    return [(d["point_index"], d["segment"], d["attempt"], d["quality"]) for d in documents.events()]


def test_a_change_costs_its_dwell(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    watch = FakeWatch({2: CHANGED})
    scan(engine, soft, watch)
    assert dwells(documents) == [
        (0, 0, 0, "good"), (0, 1, 0, CHANGED), (0, 1, 1, "good"), (1, 0, 0, "good"), (1, 1, 0, "good"),
    ]  # fmt: skip
    assert [laser_on for _, laser_on in watch.dwells] == [1, 0, 0, 1, 0]
    assert not watch.is_staged


class LateWatch(FakeWatch):
    """Changes are known once the monitors have caught up."""

    def changes(self) -> list[str]:
        return super().changes() if len(self.waited_for) == len(self.dwells) else []


def test_a_change_counts_that_is_reported_after_the_end_of_the_count(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    watch = LateWatch({2: CHANGED})
    scan(engine, soft, watch)
    assert [each[3] for each in dwells(documents)] == ["good", CHANGED, "good", "good", "good"]
    assert watch.waited_for == 5 * [[counter.name for counter in soft.instruments().counters]]


def test_an_axis_that_moved_costs_its_point(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    scan(engine, soft, FakeWatch({2: "mono_energy has changed"}, {2: "energy"}))
    assert [each[:3] for each in dwells(documents)] == [
        (0, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (0, 1, 1),
        (1, 0, 0),
        (1, 1, 0),
    ]


def test_a_scan_waits_until_a_setting_is_back(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    watch, observer = FakeWatch({2: CHANGED}), RecordedWaits()

    def change(name: str, doc: Any) -> None:
        if doc["seq_num"] == 2:
            watch.gone.append("soft:Gate is 2, it was 4 at the beginning of the run")
            threading.Timer(0.2, watch.gone.clear).start()

    engine.subscribe(change, "event")
    scan(engine, soft, watch, observer)
    assert [each[3] for each in dwells(documents)] == ["good", CHANGED, "good", "good", "good"]
    assert observer.lines == [
        "settings have changed (soft:Gate is 2, it was 4 at the beginning of the run)",
        "over: settings have changed",
    ]


def test_a_wait_outlives_a_pause_and_ends_with_the_scan(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """Paused and resumed while it waits: one line. Aborted: the wait is given up, and the next scan is good."""
    watch, observer = FakeWatch(), RecordedWaits()
    engine.subscribe(lambda name, doc: watch.gone.append("soft:Gate is 2"), "event")
    for _ in range(2):
        threading.Timer(0.3, engine.request_pause).start()
        with pytest.raises(RunEngineInterrupted):
            engine.resume() if engine.state == "paused" else scan(engine, soft, watch, observer)
    assert observer.lines == ["settings have changed (soft:Gate is 2)"]
    engine.abort()
    threading.Event().wait(0.2)
    assert observer.lines[1:] == ["given up: settings have changed"]
    documents.seen.clear()
    engine.unsubscribe(1)
    scan(engine, soft, FakeWatch())
    assert [each[3] for each in dwells(documents)] == ["good"] * 4


@pytest.mark.parametrize(("axis", "key"), [("delay", "laser_delay"), ("energy", "mono_energy")])
def test_an_axis_that_is_off_its_point_is_brought_back(
    soft: Bench, engine: RunEngine, documents: Documents, axis: str, key: str
) -> None:
    """Without any watch: the reading at the end of the dwell shows it."""

    def inject_fault(name: str, doc: Any) -> None:
        if doc["seq_num"] == 1:
            getattr(soft, axis).value += {"delay": -10_300.0, "energy": 0.008}[axis]

    engine.subscribe(inject_fault, "event")
    engine(energy_scan(soft.instruments(), energies=GRID, dwell=1.0, pattern=(1, 0), delay=100.0))
    found = dwells(documents)
    assert [each[:3] for each in found] == POINT_AGAIN
    assert found[1][3].startswith(key)
    assert [each[3] for each in found].count("good") == 5


def test_the_fluence_of_a_scan_that_leaves_it_alone_has_to_rest(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    watch = FakeWatch()
    engine.subscribe(lambda name, doc: setattr(soft.fluence, "value", 1.0 if doc["seq_num"] == 1 else 8.8), "event")
    scan(engine, soft, watch)
    assert watch.held == [{"fluence": pytest.approx((8.8 * 0.95, 8.8 * 1.05))}]
    assert dwells(documents)[1][3] == "laser_fluence has moved"
    assert [each[3] for each in dwells(documents)].count("good") == 4
    assert {tuple(windows) for windows, _ in watch.dwells} == {("energy", "delay")}


def test_tolerances_are_those_of_the_configuration(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    wide = Supervision(tolerances=Tolerances(energy=0.1, delay=1e6, fluence=10.0))
    engine.subscribe(lambda name, doc: setattr(soft.fluence, "value", soft.fluence.value * 1.5), "event")
    engine(fluence_scan(soft.instruments(), fluences=[1.0, 2.0], dwell=1.0, pattern=(1, 0), supervision=wide))
    assert [each[3] for each in dwells(documents)] == ["good"] * 4


def test_a_count_that_was_ended_early_does_not_count(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    counter = soft.counters[1]
    counter.counted_key = "i0_time"
    seconds = iter([1.0, 0.4, *[1.0] * 10])
    counter.values = lambda: {"i0_time": (next(seconds), "s")}  # type: ignore[method-assign]
    soft.counters[1].describe = lambda: {  # type: ignore[method-assign]
        "i0_time": {"source": "fake", "dtype": "number", "shape": [], "dtype_numpy": "<f8", "units": "s"}
    }
    scan(engine, soft, FakeWatch())
    assert [each[3] for each in dwells(documents)] == ["good", "i0_time is not the dwell", *["good"] * 3]
