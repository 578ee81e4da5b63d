"""The rule that distributes the time of a session over the points: what is known when, without a beamline."""

from __future__ import annotations

from threading import Event, Timer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from beamline.session.scans import allocation_rule
from beamline.session.scans.allocated import AllocationContext
from beamline.session.scans.allocation_rule import AllocationRule
from plans.protocols import MoveTimes

START = {
    "uid": "5eed", "scan_set": "5e7", "target": [["t0", 1.0]], "grid": [1.0, 2.0], "pattern": [1, 0, 0, 1],
    "dwell": 2.0, "passes": 4, "scan_index": 0,
}  # fmt: skip
CYCLE = 8.0
"""Seconds of a cycle."""


class Allocations:
    """Cycles of both points at the end, by the number of the call, each when it is let go; what was given to it."""

    def __init__(self, *cycles: list[float]) -> None:
        self.cycles, self.seen = list(cycles), list[Any]()
        self.go = [Event() for _ in cycles]

    def __call__(self, start: Any, context: Any, seen: Any = ()) -> Any:
        number = len(self.seen)
        self.seen.append(seen)
        assert self.go[number].wait(10)
        return SimpleNamespace(cycles=[np.array(self.cycles[number])], targets=(), seconds=0.0, even_seconds=0.0)


def rule_with(monkeypatch: pytest.MonkeyPatch, allocations: Allocations) -> AllocationRule:
    monkeypatch.setattr(allocation_rule, "allocated", allocations)
    monkeypatch.setattr(allocation_rule, "sentence_of", lambda found: "allocated")
    monkeypatch.setattr(allocation_rule, "advice", lambda *given: "")
    rule = AllocationRule(AllocationContext(MoveTimes(), 1.0), lambda: True, lambda text: None)
    rule.begin("start", START)
    return rule


def count(rule: AllocationRule, *cycles: int) -> None:
    """So many cycles of the two points in all, each with a tenth of a photon."""
    for point, number in enumerate(cycles):
        data = {"point_index": point, "dwells_off": 2 * number, "dwells_on": 2 * number, "photons": [0.1]}
        rule.take("event", {"descriptor": "points", "data": {**data, "difference_stddev": [0.0]}})


def test_a_pass_begins_by_the_allocation_before_while_its_own_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    allocations = Allocations([8.0, 4.0], [4.0, 16.0], [4.0, 16.0])
    rule = rule_with(monkeypatch, allocations)
    allocations.go[0].set()
    assert [rule(0), rule(1)] == [2 * CYCLE, CYCLE]  # a quarter in each of four passes
    count(rule, 2, 1)
    rule.take("event", {"descriptor": "spectrum", "data": {"dwell_noise": 0.02}})
    for stream in ("spectrum_apd2", "trace_apd2"):  # of one counter
        rule.take("descriptor", {"uid": stream, "name": stream})
        rule.take("event", {"descriptor": stream, "data": {"dwell_noise": 0.5}})
    rule.take("event", {"descriptor": "trace", "data": {"dwell_noise": np.nan}})  # errors of the paper
    rule.end("stop", {})
    assert [rule(0), rule(1)] == [2 * CYCLE, CYCLE]  # a third of the remaining 6 and 3
    rule.begin("start", {**START, "uid": "5eee", "scan_index": 1})
    assert rule(0) == 2 * CYCLE
    allocations.go[1].set()
    assert rule._pending is not None and rule._pending.result(10)
    assert [rule(0), rule(1)] == [CYCLE, 5 * CYCLE]  # a third of the remaining 2 and 15
    assert [one.noise for one in allocations.seen[1]] == [0.02]
    assert allocations.seen[1][0].photons == pytest.approx([0.1, 0.1])


def test_a_plan_waits_where_the_allocation_before_leaves_nothing_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end of the measurement is decided by what was measured."""
    allocations = Allocations([2.0, 2.0], [8.0, 2.0])
    allocations.go[0].set()
    rule = rule_with(monkeypatch, allocations)
    assert rule(0) == CYCLE  # at least once in the first pass, and half of two by rounding
    count(rule, 2, 2)
    rule.end("stop", {})
    Timer(0.2, allocations.go[1].set).start()
    assert rule(0) == 2 * CYCLE
    assert rule(1) == 0.0


def test_the_noise_of_one_dwell_in_each_state_is_not_known_after_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    allocations = Allocations([8.0, 4.0], [8.0, 4.0])
    for each in allocations.go:
        each.set()
    rule = rule_with(monkeypatch, allocations)
    rule.begin("start", {**START, "uid": "5eef", "pattern": [1, 0]})
    assert rule(0)
    count(rule, 1, 1)
    rule.take("event", {"descriptor": "spectrum", "data": {"dwell_noise": 0.001}})
    rule.end("stop", {})
    assert rule(0) is not None
    assert rule._pending is None or rule._pending.result(10)
    assert [one.noise for one in allocations.seen[1]] == [None]
