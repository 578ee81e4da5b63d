"""Messages from documents: on change of state only, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest

from beamline.config.notify import KINDS, NotifyEntry
from beamline.outputs.notify.message import Message
from beamline.outputs.notify.outlet import Outlet
from beamline.outputs.notify.states import StateWatch
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.raw_scans import DWELLS, Acquisition, scan_set_of

WAITING_S, LEAST_GB = 600.0, 5.0
FIRST = 2
"""Documents before the first event."""


@pytest.fixture
def states() -> StateWatch:
    return StateWatch(WAITING_S, LEAST_GB)


def titles(messages: Iterable[Message]) -> list[str]:
    return [message.title for message in messages]


def taken(states: StateWatch, documents: Documents) -> list[Message]:
    uid = documents[0][1].get("uid") if documents[0][0] == "start" else documents[0][1].get("run_start")
    return [message for name, doc in documents for message in states.take(str(uid), name, doc)]


def events_of(states: StateWatch, run: Documents, numbers: Iterable[int]) -> list[Message]:
    found = []
    for number in numbers:
        found += states.take(uid_of_run(run), *run[FIRST + number])
    return found


def changed(run: Documents, numbers: Iterable[int], change: Callable[[dict[str, Any]], None]) -> None:
    for number in numbers:
        change(run[FIRST + number][1]["data"])


def test_a_scan_ends_once_after_its_last_pass(states: StateWatch) -> None:
    first, last = scan_set_of(2)
    assert taken(states, first) == []
    (message,) = taken(states, last)
    assert (message.kind, message.title) == ("ended", "energy_scan ended")
    assert (
        "scan 2, energy_scan, test sample, Br_K, 100 ps, pass 2/2" in message.text
        and f"{DWELLS} dwells" in message.text
    )
    assert message.scan_set == last[0][1]["scan_set"] and message.time == last[-1][1]["time"]


@pytest.mark.parametrize(("status", "reason"), [("abort", "interrupted: killed"), ("fail", "FailedStatus")])
def test_a_failed_or_cut_off_run_says_why(states: StateWatch, status: str, reason: str) -> None:
    run, _ = scan_set_of(2)
    stop = {**run[-1][1], "exit_status": status, "reason": reason}
    (message,) = taken(states, [*run[:8], ("stop", stop)])
    assert (message.kind, message.title) == ("failed", f"run {status}") and reason in message.text
    assert "after 6 dwells" in message.text


def test_waiting_and_going_on_are_said_once_each(states: StateWatch) -> None:
    (run,) = scan_set_of(1)
    run[0][1]["dwell"], run[0][1]["clock_rate"] = 20.0, 2.0
    assert taken(states, run[: FIRST + 4]) == []
    last = run[FIRST + 3][1]["time"]
    assert states.look(last + WAITING_S + 9.9, 100.0, "held") == []  # a dwell lasts 10 s of wall time
    assert titles(states.look(last + WAITING_S + 10.1, 100.0, "held")) == ["waiting for 10 min"]
    assert states.look(last + 2 * WAITING_S, 100.0, "held") == []
    assert titles(events_of(states, run, [4, 5])) == ["going on"]
    assert titles(states.look(run[FIRST + 5][1]["time"] + WAITING_S + 11, 100.0, "held")) == ["waiting for 10 min"]


def test_laser_lost_and_back(states: StateWatch) -> None:
    (run,) = scan_set_of(1)
    changed(run, range(DWELLS), lambda data: data.update(laser_locked=1))
    changed(run, (5, 6, 7), lambda data: data.update(laser_locked=0, quality="laser unlocked"))
    messages = taken(states, run[:-1])
    assert titles(messages) == ["laser lost", "laser locked again"]
    assert [message.time for message in messages] == [run[FIRST + number][1]["time"] for number in (5, 8)]


def test_the_rate_is_that_of_the_same_point_in_the_pass_before(states: StateWatch) -> None:
    first, second = scan_set_of(2)
    taken(states, first)
    changed(second, range(10, 20), lambda data: data.update(fpga_counts=data["fpga_counts"] // 10))
    messages = taken(states, second)
    assert titles(messages) == ["count rate collapsed", "count rate is back", "energy_scan ended"]
    assert [message.time for message in messages[:2]] == [second[FIRST + number][1]["time"] for number in (12, 22)]


def test_a_dead_detector_is_noticed_in_a_first_pass_and_a_single_dwell_is_not(states: StateWatch) -> None:
    (run,) = scan_set_of(1)
    changed(run, [5], lambda data: data.update(fpga_counts=data["fpga_counts"] * 0))
    changed(run, range(9, DWELLS), lambda data: data.update(fpga_counts=data["fpga_counts"] * 0))
    assert titles(taken(states, run[:-1])) == ["count rate collapsed"]


def test_a_saturated_detector(states: StateWatch) -> None:
    (run,) = scan_set_of(1)
    changed(run, range(3, 12), lambda data: data["fpga_counts"].__setitem__(7, data["fpga_gates"][7]))
    messages = taken(states, run[:-1])
    assert titles(messages) == ["detector saturated", "not saturated"]
    assert messages[0].time == run[FIRST + 5][1]["time"]


def test_no_result_means_degraded_and_a_result_does_not(states: StateWatch, tmp_path: Any) -> None:
    (run,) = scan_set_of(1)
    taken(states, run)
    end = run[-1][1]["time"]
    assert states.look(end + 59, 100.0, "held") == []
    (message,) = states.look(end + 61, 100.0, "held")
    assert message.kind == "degraded" and f"trxas reduce {uid_of_run(run)[:8]}" in message.text
    assert states.look(end + 200, 100.0, "held") == []
    with Acquisition(tmp_path) as session:
        session.take(run)
    healthy = StateWatch(WAITING_S, LEAST_GB)
    taken(healthy, run)
    taken(healthy, session.reduced[uid_of_run(run)])
    assert healthy.look(end + 200, 100.0, "held") == []


def test_a_target_is_reached_with_the_pass_that_reaches_it(tmp_path: Any) -> None:
    """The published data of the points have the largest error; targets above and below it."""
    (run,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(run)
    reduced = session.reduced[uid_of_run(run)]
    streams = {doc["uid"]: doc["name"] for name, doc in reduced if name == "descriptor"}
    last = {
        doc["data"]["point_index"]: doc["data"]["difference_stddev"][0] / doc["data"]["off"][0]
        for name, doc in reduced
        if name == "event" and streams[doc["descriptor"]] == "points"
    }
    for factor, expected in ((1.1, ["target reached"]), (0.9, [])):
        run[0][1]["target"] = factor * max(last.values())
        states = StateWatch(WAITING_S, LEAST_GB)
        taken(states, run)
        assert titles(taken(states, reduced)) == expected


def test_disk_and_session(states: StateWatch) -> None:
    looks = ((1.0, 10.0, "held"), (2.0, 4.9, "held"), (3.0, 5.5, "held"), (4.0, 6.1, "held"), (5.0, 6.1, "gone"),
             (6.0, 6.1, "gone"), (7.0, 6.1, "held"), (8.0, 6.1, "none"))  # fmt: skip
    messages = [message for look in looks for message in states.look(*look)]
    assert titles(messages) == ["disk low", "disk has room again", "session lost", "a session is back"]
    assert [message.time for message in messages] == [2.0, 4.0, 5.0, 7.0]
    assert StateWatch(WAITING_S, LEAST_GB).look(1.0, 10.0, "gone") == []  # it had died before


def test_a_cut_off_run_is_lost_and_does_not_wait(states: StateWatch) -> None:
    (run,) = scan_set_of(1)
    taken(states, run[: FIRST + 4])
    states.look(1.0, 10.0, "held")
    (message,) = states.look(run[FIRST + 3][1]["time"] + 2 * WAITING_S, 10.0, "gone")
    assert message.title == "session lost" and "during scan 1" in message.text


def test_the_same_documents_give_the_same_messages() -> None:
    passes = scan_set_of(2, seed=3)
    assert [taken(StateWatch(1.0, 1.0), each) for each in passes] == [
        taken(StateWatch(1.0, 1.0), each) for each in passes
    ]


def message(kind: Any, seconds: float) -> Message:
    return Message(kind, seconds, kind, "text", "set")


def local(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def entry(**changes: Any) -> NotifyEntry:
    return NotifyEntry.model_validate({"name": "mail", "url_variable": "TRXAS_URL", **changes})


def test_quiet_hours_hold_all_but_the_urgent_and_end_with_one_post() -> None:
    outlet = Outlet(entry(quiet=["23:00", "07:00"]), "SIM 7-ID")
    night, morning = local("2026-11-21T23:00:00"), local("2026-11-22T07:00:00")
    outlet.offer([message("ended", night), message("waiting", night + 60)])
    assert outlet.due(night + 61) is None and not outlet.empty
    outlet.offer([message("laser", night + 70)])
    post = outlet.due(night + 71)
    assert post is not None and (post.title, post.scan_set) == ("SIM 7-ID: laser", "set")
    assert outlet.due(morning - 1) is None
    post = outlet.due(morning)
    assert post is not None and post.title == "SIM 7-ID: waiting, and 1 before" and post.text.count("\n") == 1
    assert outlet.empty and outlet.due(morning + 1) is None
    by_day = Outlet(entry(quiet=["12:00", "13:30"]), "x")
    by_day.offer([message("ended", 0.0)])
    assert by_day.due(local("2026-11-21T13:29:59")) is None and by_day.due(local("2026-11-21T13:30:00")) is not None


def test_at_most_so_many_an_hour_and_the_rest_together() -> None:
    outlet = Outlet(entry(most_per_hour=3, kinds=["waiting"]), "7-ID")
    posts = []
    for second in range(0, 7200, 60):
        outlet.offer([message("waiting", second), message("ended", second)])
        posts += [(second, post)] if (post := outlet.due(second)) else []
    assert [second for second, _ in posts] == [0, 60, 120, 3600, 3660, 3720]
    assert posts[3][1].title == "7-ID: waiting, and 57 before"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quiet": ["23:00", "7 o'clock"]}, "no time of day"), ({"url_file": "x"}, "either url_file or url_variable"),
        ({"url_variable": ""}, "either"), ({"url_variable": "slack://tok/en"}, "name of an environment variable"),
        ({"kinds": ["lunch"]}, "kinds"), ({"most_per_hour": 0}, "greater than or equal to 1"), ({"url": "x"}, "url"),
    ],
)  # fmt: skip
def test_unusable_entries_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        entry(**changes)
    assert entry().kinds == KINDS
