"""An error of the live reduction ends its run with the reason, and the next pass is reduced as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from beamline.session.guard import Guard
from beamline.session.live_fit import LiveKinetics
from reduction.live.reducer import LiveReducer
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import Documents
from tests.beamline.raw_scans import SETTINGS, scan_set_of

Feed = Callable[[Documents], None]


class Live:
    """A reducer behind its guard, as in a session, and what it has published, run by run."""

    def __init__(self) -> None:
        self.runs: list[Documents] = []
        self.messages: list[str] = []
        self.reducer = LiveReducer(self._publish)
        self.guard = Guard(self.reducer, "live reduction", self.messages.append)

    def _publish(self, name: str, doc: Any) -> None:
        if name == "start":
            self.runs.append([])
        self.runs[-1].append((name, doc))

    def feed(self, documents: Documents) -> None:
        for name, doc in documents:
            self.guard(name, doc)

    def stop_of(self, number: int) -> dict[str, Any]:
        name, doc = self.runs[number][-1]
        assert name == "stop" and [each for each, _ in self.runs[number]].count("stop") == 1
        return dict(doc)

    def starts(self) -> list[dict[str, Any]]:
        return [dict(documents[0][1]) for documents in self.runs]


def with_settings(documents: Documents, **settings: Any) -> Documents:
    (name, start), *rest = documents
    return [(name, {**start, "settings": {**SETTINGS, **settings}}), *rest]


def all_bad(documents: Documents) -> Documents:
    return [
        (name, {**doc, "data": {**doc["data"], "quality": "beam lost"}} if name == "event" else doc)
        for name, doc in documents
    ]


def broken(documents: Documents) -> Documents:
    """Its twelfth event has lost a key."""
    events = [number for number, (name, _) in enumerate(documents) if name == "event"]
    name, doc = documents[events[11]]
    data = {key: value for key, value in doc["data"].items() if key != "i0"}
    return [*documents[: events[11]], (name, {**doc, "data": data}), *documents[events[11] + 1 :]]


def test_a_pass_without_a_good_dwell_ends_its_reduced_run_and_the_next_one_is_reduced() -> None:
    first, second = (with_settings(each, after_effects=True) for each in scan_set_of(2))
    live = Live()
    live.feed(all_bad(first))
    assert live.stop_of(0)["exit_status"] == "fail" and live.stop_of(0)["reason"]
    live.feed(second)
    assert live.stop_of(1)["exit_status"] == "success"
    alone = Live()
    alone.feed(second)
    np.testing.assert_array_equal(live.reducer.spectrum().transient, alone.reducer.spectrum().transient)


def test_an_event_that_cannot_be_reduced_ends_its_reduced_run_by_name_and_whole_points_before_it_count() -> None:
    first, second = scan_set_of(2)
    live = Live()
    live.feed(broken(first))
    stop = live.stop_of(0)
    assert stop["exit_status"] == "fail" and "i0" in stop["reason"]
    assert len(live.messages) == 1 and "DEGRADED" in live.messages[0]
    live.feed(second)
    assert live.stop_of(1)["exit_status"] == "success"
    assert live.starts()[1]["accumulates"] == [first[0][1]["uid"]]
    assert live.reducer.spectrum().dwells[0].tolist() == [4, 4, *[2] * 10]  # two whole points of the first


@pytest.mark.parametrize("error", [ValueError("nothing good"), ZeroDivisionError("0"), MemoryError("all of it")])
def test_any_error_at_the_end_is_in_the_stop_document(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    first, second = scan_set_of(2)
    live = Live()
    with monkeypatch.context() as failing:
        failing.setattr("reduction.live.scan_set.reduce_scan", lambda *_: (_ for _ in ()).throw(error))
        live.feed(first)
    assert str(error) in live.stop_of(0)["reason"] and type(error).__name__ in live.stop_of(0)["reason"]
    live.feed(second)
    assert live.stop_of(1)["exit_status"] == "success"
    assert live.reducer.spectrum().dwells[0].tolist() == [4] * 12


def test_a_run_that_is_fed_again_is_listed_once() -> None:
    """As by a resume within the session that has begun the measurement."""
    first, second, third = scan_set_of(3)
    live = Live()
    for documents in (first, first, second, first, second, third):
        live.feed(documents)
    uids = [documents[0][1]["uid"] for documents in (first, second, third)]
    assert live.starts()[-1]["accumulates"] == uids[:2]
    assert live.reducer.spectrum().dwells[0].tolist() == [6] * 12


def test_live_kinetics_survive_a_trace_that_cannot_be_reduced_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = two_passes("laser_delay")[0]
    reducer, messages = LiveReducer(lambda name, doc: None), []
    kinetics = LiveKinetics(reducer)
    guard = Guard(kinetics, "live kinetics", messages.append)
    snapshot = LiveReducer.snapshot
    requested: list[int] = []

    def too_early(self: LiveReducer) -> Any:
        requested.append(1)
        if len(requested) < 3:
            raise ValueError("after-effects need hits")
        return snapshot(self)

    monkeypatch.setattr(LiveReducer, "snapshot", too_early)
    try:
        for name, doc in documents[:-1]:
            reducer(name, doc)
            guard(name, doc)
            if len(requested) == 1:
                assert "after-effects need hits" in kinetics.latest.why_not
        assert kinetics.wait(60) and kinetics.latest.fit is not None and not messages
    finally:
        kinetics.close()
