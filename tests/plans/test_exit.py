"""Every orderly exit leaves the beamline at rest: shutters, axes, counters, documents. Aborts at whatever message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.utils import MsgGenerator

from plans.scans.background import background_run
from plans.scans.delay import delay_scan
from plans.scans.energy import energy_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, bench
from tests.plans.interrupt import interrupted_run

Scan = Callable[[Bench], MsgGenerator[str]]

SCANS: dict[str, Scan] = {
    "energy": lambda soft: energy_scan(
        soft.instruments(), energies=[13.46, 13.47], dwell=1.0, passes=2, order="alternating", fluence=5.0
    ),
    "delay": lambda soft: delay_scan(soft.instruments(), delays=[0.0, 100.0], dwell=1.0, pattern=(1, 0)),
    "background": lambda soft: background_run(soft.instruments(), dwell=1.0, repeats=1),
}
ENDS = {"abort": "abort", "stop": "success"}


@dataclass
class Ended:
    """What a scan that was interrupted left behind."""

    soft: Bench
    documents: Documents
    messages: int
    interrupted: bool


def interrupted_scan(scan: Scan, at: int | None, end: str = "abort") -> Ended:
    """Run a scan and end it from another thread as soon as the RunEngine has come to a message."""
    soft, documents = bench(), Documents()
    engine = RunEngine({}, call_returns_result=True, context_managers=[])
    engine.subscribe(documents)
    count, interrupted = interrupted_run(engine, scan(soft), lambda number, msg: number == at, end)
    return Ended(soft, documents, count, interrupted)


def check_at_rest(ended: Ended, status: str) -> None:
    """Shutters shut or as found, axes stopped after their last move, nothing armed, each run whole."""
    soft, documents = ended.soft, ended.documents
    assert soft.shutter.value == 0
    assert soft.xray_shutter.value == 1
    assert not any(counter.staged for counter in soft.counters)
    actions = [(action, name) for action, name, _ in soft.notes.actions]
    for axis in (soft.energy, soft.delay, soft.fluence):
        if ("set", axis.name) in actions:
            last_set = max(i for i, each in enumerate(actions) if each == ("set", axis.name))
            assert ("stop", axis.name) in actions[last_set:]
    starts, stops = documents.all("start"), documents.all("stop")
    assert [stop["run_start"] for stop in stops] == [start["uid"] for start in starts]
    if ended.interrupted and stops:
        assert stops[-1]["exit_status"] in (status, "success")
    for start, stop in zip(starts, stops, strict=True):
        descriptors = {doc["uid"] for doc in documents.all("descriptor") if doc["run_start"] == start["uid"]}
        taken = [doc for doc in documents.all("event") if doc["descriptor"] in descriptors]
        assert stop["num_events"].get("primary", 0) == len(taken)
        for doc in taken:  # whole dwells only, each with the laser as it says
            assert np.all(doc["data"]["fpga_counts"] == 1 + 100 * doc["data"]["laser_on"])


def positions(scan: Scan, number: int, seed: int) -> list[int]:
    """Messages to interrupt at, drawn by lot."""
    whole = interrupted_scan(scan, None).messages
    return sorted(int(i) for i in np.random.default_rng(seed).choice(whole, number, replace=False))


@pytest.mark.parametrize(("name", "number"), [("energy", 8), ("delay", 4), ("background", 3)])
def test_aborted_at_a_message_drawn_by_lot(name: str, number: int) -> None:
    for at in positions(SCANS[name], number, seed=number):
        ended = interrupted_scan(SCANS[name], at)
        check_at_rest(ended, "abort")


def test_stopped_in_the_middle() -> None:
    for at in (40, 90):
        ended = interrupted_scan(SCANS["energy"], at, "stop")
        assert ended.interrupted
        check_at_rest(ended, "success")


@pytest.mark.long
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", SCANS)
def test_ended_at_each_message(name: str, end: str) -> None:
    whole = interrupted_scan(SCANS[name], None).messages
    reached = 0
    for at in range(whole):
        ended = interrupted_scan(SCANS[name], at, end)
        check_at_rest(ended, ENDS[end])
        reached += ended.interrupted
    assert reached > 0.9 * whole


def test_a_failure_while_the_beamline_is_brought_to_rest_raises_and_is_retried(engine: RunEngine) -> None:
    """The shutter refuses once, when the scan is over."""
    whole = bench()
    engine(SCANS["delay"](whole))
    last = max(i for i, each in enumerate(whole.notes.actions) if each == ("set", "shutter", 0))
    soft: Any = bench()
    soft.notes.fails_at = last
    with pytest.raises(Exception, match="shutter fails"):
        engine(SCANS["delay"](soft))
    assert soft.sets("shutter")[-2:] == [0, 0]
    assert soft.shutter.value == 0
