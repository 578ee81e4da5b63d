"""The messages of an energy scan: their order, and the laser shutter at the end whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from bluesky import Msg
from bluesky.simulators import RunEngineSimulator, check_limits_async, summarize_plan
from bluesky.utils import MsgGenerator

from plans.compilation.positions import OVERSHOOT
from plans.compilation.quality import Check
from plans.scans.energy import energy_scan
from tests.plans.fakes import Bench, bench

GRID = [13.46, 13.47, 13.48]
PATTERN = (1, 0, 0, 1)
BEAM = (Check("ring_current", 10.0, 1000.0, "beam lost"),)


class Boom(Exception):  # noqa: N818 - not an error of ours
    """Something unforeseen."""


def scan(soft: Bench, **changes: Any) -> MsgGenerator[str]:
    arguments: dict[str, Any] = {"energies": GRID, "dwell": 1.0, "delay": 10_100.0, "pattern": PATTERN}
    return energy_scan(soft.instruments(), **(arguments | changes))


def simulate(soft: Bench, **changes: Any) -> list[Msg]:
    return RunEngineSimulator().simulate_plan(scan(soft, **changes))


def sets(messages: list[Msg], name: str) -> list[Any]:
    return [msg.args[0] for msg in messages if msg.command == "set" and msg.obj.name == name]


def prepared_while_counting(messages: list[Msg]) -> list[Any]:
    """States for which the shutter is prepared, but for those beside a move to the next point."""
    prepared = [(before, msg) for before, msg in pairwise(messages) if msg.command == "prepare"]
    return [msg.args[0] for before, msg in prepared if before.command != "set"]


def dwells(messages: list[Msg]) -> Iterator[list[Msg]]:
    """Messages between two checkpoints, one list for each dwell."""
    marks = [i for i, msg in enumerate(messages) if msg.command == "checkpoint"]
    for first, last in pairwise(marks):
        yield messages[first + 1 : last + 1]


def test_each_dwell_moves_sets_the_shutter_counts_reads_and_saves_in_this_order(soft: Bench) -> None:
    each = list(dwells(simulate(soft)))
    assert len(each) == len(GRID) * len(PATTERN)
    for number, messages in enumerate(each):
        point, segment = divmod(number, len(PATTERN))
        sent = [(msg.command, getattr(msg.obj, "name", None)) for msg in messages]
        at = {what: sent.index(what) for what in sent}
        triggers = [at["trigger", "fpga"], at["trigger", "i0"]]
        reads = [i for i, (command, _) in enumerate(sent) if command == "read"]
        waits = [i for i, (command, _) in enumerate(sent) if command == "wait"]
        moves = [at["set", "mono"]] if segment == 0 else []
        assert [*moves, at["set", "shutter"], *triggers, at["create", None]] == sorted(
            [*moves, at["set", "shutter"], *triggers, at["create", None]]
        )
        assert ("set", "mono") not in sent or segment == 0
        assert any(at["set", "shutter"] < wait < triggers[0] for wait in waits)  # the shutter has arrived
        assert any(triggers[1] < wait < at["create", None] for wait in waits)  # the count has ended
        assert at["create", None] < reads[0]
        prepared = [] if segment == len(PATTERN) - 1 else [("prepare", "shutter")]
        assert sent[-3 - len(prepared) :] == [("read", "dwell_label"), *prepared, ("save", None), ("checkpoint", None)]
        assert prepared_while_counting(messages) == list(PATTERN[segment + 1 :][: len(prepared)])
        assert sets(messages, "shutter") == [PATTERN[segment]]
        label = {"point_index": point, "segment": segment, "attempt": 0, "laser_on": PATTERN[segment]}
        assert sets(messages, "dwell_label") == [label]
        if segment == 0:
            assert sets(messages, "mono") == ([GRID[0] - OVERSHOOT] if point == 0 else []) + [GRID[point]]


def test_an_event_holds_all_readings_once(soft: Bench) -> None:
    for messages in dwells(simulate(soft)):
        read = [msg.obj.name for msg in messages if msg.command == "read"]
        assert sorted(read) == sorted(
            ["mono", "laser_delay", "laser_fluence", "fpga", "i0", "timing", "ring", "dwell_label"]
        )


def test_each_pass_is_a_run_that_comes_from_below(soft: Bench) -> None:
    """Every energy is approached upwards, also the first one of a pass, by more than the play of 0.3 eV."""
    messages = simulate(soft, passes=3)
    commands = [msg.command for msg in messages]
    assert commands.count("open_run") == commands.count("close_run") == 3
    energies = sets(messages, "mono")
    each = [energies[i : i + len(energies) // 3] for i in range(0, len(energies), len(energies) // 3)]
    assert len(each) == 3
    for one_pass in each:
        assert all(second >= first for first, second in pairwise(one_pass))
        assert one_pass[0] < GRID[0] - 0.3e-3
        assert one_pass[1:] == GRID


def test_delay_and_preset_times_are_set_before_the_first_dwell(soft: Bench) -> None:
    messages = simulate(soft, dwell=2.5)
    first = next(i for i, msg in enumerate(messages) if msg.command == "trigger")
    assert sets(messages[:first], "laser_delay") == [10_100.0]
    assert sets(messages[:first], "fpga_preset_time") == [2.5]
    assert sets(messages[:first], "i0_preset_time") == [2.5]


def test_the_shutter_is_shut_at_the_end_of_each_pass(soft: Bench) -> None:
    messages = simulate(soft, passes=2, pattern=(0, 1))
    ends = [i for i, msg in enumerate(messages) if msg.command == "close_run"]
    assert [sets(messages[:end], "shutter")[-1] for end in ends] == [1, 1]
    between = messages[ends[0] : next(i for i in range(ends[0], len(messages)) if messages[i].command == "open_run")]
    assert sets(between, "shutter") == sets(messages[ends[1] :], "shutter") == [0]


def test_the_scan_set_is_returned(soft: Bench) -> None:
    simulator = RunEngineSimulator()
    messages = simulator.simulate_plan(scan(soft, passes=2))
    starts = [msg.kwargs for msg in messages if msg.command == "open_run"]
    assert [start["scan_index"] for start in starts] == [0, 1]
    assert {start["scan_set"] for start in starts} == {simulator.return_value}
    simulator.simulate_plan(scan(soft, scan_set="earlier"))
    assert simulator.return_value == "earlier"


def test_after_a_dwell_that_does_not_count_the_shutter_is_not_prepared_for_the_next(soft: Bench) -> None:
    simulator = RunEngineSimulator()
    simulator.add_read_handler_for_multiple(soft.ring, ring_current=5.0)
    assert prepared_while_counting(simulator.simulate_plan(scan(soft, checks=BEAM))) == []


def test_the_shutter_moves_beside_the_energy_once_a_point_is_done(soft: Bench) -> None:
    messages = simulate(soft)
    beside = [i for i, msg in enumerate(messages) if msg.command == "prepare" and messages[i - 1].command == "set"]
    assert [messages[i - 1].args[0] for i in beside] == GRID[1:]  # not yet on the way to the first one
    assert {messages[i].args[0] for i in beside} == {PATTERN[0]}
    assert {messages[i + 1].kwargs["group"] for i in beside} == {"move"}


def test_the_stopping_rule_runs_before_the_shutter_is_prepared_for_another_pattern(soft: Bench) -> None:
    messages = simulate(soft, target=1e-2, longest=12.0, pattern=(1, 0), judge=lambda _: 1.0)
    prepared = prepared_while_counting(messages)
    assert len(prepared) == sum(msg.command == "save" for msg in messages) / 2 > len(GRID)
    assert set(prepared) == {0}  # opening it waits for the stopping rule


def test_quality_is_assessed_from_the_readings(soft: Bench) -> None:
    simulator = RunEngineSimulator()
    simulator.add_read_handler_for_multiple(soft.ring, ring_current=5.0)
    simulator.add_read_handler_for_multiple(soft.counters[1], i0=float("nan"))
    each = list(dwells(simulator.simulate_plan(scan(soft, checks=BEAM))))
    for messages in each:
        before_the_label = messages[[getattr(msg.obj, "name", "") for msg in messages].index("dwell_label", -3) - 1]
        assert before_the_label.command == "wait_for"
        asyncio.run(before_the_label.args[0][0]())
    assert {value.split("; ")[0] for value in soft.sets("quality")} == {"i0 is not a number"}
    assert all("beam lost" in value for value in soft.sets("quality"))
    assert len(soft.sets("quality")) == len(each)


@pytest.mark.filterwarnings("ignore:.* has no check_value:UserWarning")  # of bluesky; a label has no limits
def test_stock_simulators_take_the_plan(soft: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    summarize_plan(scan(soft))
    printed = capsys.readouterr().out
    assert "Open Run" in printed
    assert printed.count("Read") == len(GRID) * len(PATTERN)
    asyncio.run(check_limits_async(scan(soft)))


SHORT: dict[str, Any] = {"energies": GRID[:2], "pattern": (1, 0)}
WHOLE = simulate(bench(), **SHORT)
BEGIN = next(i for i, msg in enumerate(WHOLE) if msg.command == "stage" and msg.obj.name == "fpga")
LAST_SHUT = max(i for i, msg in enumerate(WHOLE) if msg.command == "set")


def play(plan: MsgGenerator[str], fails_at: int) -> list[Msg]:
    """Messages of a plan into which an exception is thrown in place of the answer to one of them."""
    messages = [next(plan)]
    with pytest.raises(Boom):
        while True:
            messages.append(plan.throw(Boom()) if len(messages) - 1 == fails_at else plan.send(None))
    return messages


@pytest.mark.parametrize("fails_at", range(BEGIN, LAST_SHUT))
def test_whatever_message_fails_the_shutter_is_shut_and_the_run_is_closed(soft: Bench, fails_at: int) -> None:
    messages = play(scan(soft, **SHORT), fails_at)
    done, after = messages[:fails_at], messages[fails_at + 1 :]
    failed = messages[fails_at].command
    assert sets(after, "shutter")[-1:] == [0]
    shut = [msg for msg in after if msg.command == "set" and msg.obj.name == "shutter"][-1]
    assert shut.kwargs["group"] in [msg.kwargs["group"] for msg in after if msg.command == "wait"]
    if failed != "close_run":
        closing = [msg for msg in after if msg.command == "close_run"]
        opened, closed = (sum(msg.command == name for msg in done) for name in ("open_run", "close_run"))
        assert len(closing) == opened - closed
        assert all(msg.kwargs["exit_status"] == "fail" for msg in closing)
    if failed != "unstage":
        names = {
            name: {msg.obj.name for msg in (*done, *after) if msg.command == name} for name in ("stage", "unstage")
        }
        assert names["stage"] - names["unstage"] <= {messages[fails_at].obj.name if failed == "stage" else ""}


@pytest.mark.parametrize("fails_at", range(BEGIN))
def test_what_fails_before_the_scan_begins_leaves_everything_alone(soft: Bench, fails_at: int) -> None:
    messages = play(scan(soft, **SHORT), fails_at)
    assert {msg.command for msg in messages} <= {"read", "locate", "null", "unstage", "stage"}


def test_a_failure_to_shut_raises_too(soft: Bench) -> None:
    for fails_at in range(LAST_SHUT, len(WHOLE)):
        play(scan(soft, **SHORT), fails_at)
