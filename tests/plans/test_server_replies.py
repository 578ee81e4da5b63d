"""A server that stops replying at any action of a scan: waited for, and every dwell is taken once all the same."""

from __future__ import annotations

import pytest
from bluesky import RunEngine

from plans.execution import server_replies
from plans.protocols import Supervision
from plans.scans.energy import energy_scan
from plans.watch import NullServerWatch
from tests.plans.conftest import Documents
from tests.plans.fakes import Notes, RefusedError, bench

GRID = [13.46, 13.47]
DWELLS = {(point, segment) for point in range(len(GRID)) for segment in range(4)}
POLLS = 3


class Servers(NullServerWatch):
    """Silent for some polls after the action that fails, and never otherwise."""

    def __init__(self, notes: Notes) -> None:
        self.notes, self.polls_left = notes, POLLS
        self.known = False

    def silences(self, since: float) -> list[str]:
        failed = self.notes.fails_at is not None and len(self.notes.actions) > self.notes.fails_at
        if not failed or self.known:
            return []
        self.known = True
        return ["no reply from x"]

    def silent(self) -> list[str]:
        if not self.known or not self.polls_left:
            return []
        self.polls_left -= 1
        return ["no reply from x"]


def scan(fails_at: int | None, servers: bool = True) -> tuple[Notes, Documents, Servers]:
    soft, documents = bench(notes=Notes(fails_at=fails_at)), Documents()
    watch = Servers(soft.notes)
    supervision = Supervision(servers=watch) if servers else Supervision()
    engine = RunEngine({}, call_returns_result=True, context_managers=[])
    engine.subscribe(documents)
    plan = energy_scan(soft.instruments(), energies=GRID, dwell=1.0, delay=100.0, supervision=supervision)
    assert engine(plan).exit_status == "success"
    assert soft.shutter.value == 0
    assert not any(counter.staged for counter in soft.counters)
    return soft.notes, documents, watch


def test_a_scan_waits_for_a_server_at_whatever_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_replies, "POLL_INTERVAL", 0.0)
    whole, _, _ = scan(None)
    first = next(i for i, (action, _, _) in enumerate(whole.actions) if action == "set")
    last_of_each = {(action, name): i for i, (action, name, _) in enumerate(whole.actions) if i >= first}
    for fails_at in last_of_each.values():
        _, documents, watch = scan(fails_at)
        failed = whole.actions[fails_at]
        good = [(each["point_index"], each["segment"]) for each in documents.events() if each["quality"] == "good"]
        assert len(good) == len(DWELLS) and set(good) == DWELLS, failed
        assert [doc["exit_status"] for doc in documents.all("stop")] == ["success"], failed
        assert watch.known or failed[0] == "stop", failed  # an axis that cannot be stopped ends no scan


def test_a_failure_while_all_servers_reply_ends_the_scan() -> None:
    whole, _, _ = scan(None)
    read = max(i for i, (action, _, _) in enumerate(whole.actions) if action == "read")
    with pytest.raises(RefusedError):
        scan(read, servers=False)
