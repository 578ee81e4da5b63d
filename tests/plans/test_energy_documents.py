"""The documents of an energy scan with soft instruments: counted, checked, and whole when something fails."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.simulators import RunEngineSimulator

from plans.compilation.quality import Check
from plans.execution import point
from plans.execution.failures import InstrumentError
from plans.scans.energy import energy_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, RefusedError, bench

GRID = [13.46, 13.47, 13.48]
PATTERN = (1, 0, 0, 1)
BEAM = (Check("ring_current", 10.0, 1000.0, "beam lost"),)


def run(engine: RunEngine, soft: Bench, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"energies": GRID, "dwell": 1.0, "delay": 10_100.0, "checks": BEAM}
    return engine(energy_scan(soft.instruments(), **(arguments | changes)))


def test_a_run_for_each_pass_and_an_event_for_each_dwell(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    result = run(engine, soft, passes=2)
    names = [name for name, _ in documents.seen]
    one = ["start", "descriptor", *["event"] * (len(GRID) * len(PATTERN)), "stop"]
    assert names == one * 2
    for stop in documents.all("stop"):
        assert stop["exit_status"] == "success"
        assert stop["num_events"] == {"primary": len(GRID) * len(PATTERN)}
    assert [start["scan_index"] for start in documents.all("start")] == [0, 1]
    assert {start["scan_set"] for start in documents.all("start")} == {result.plan_result}


def test_events_have_their_labels_and_what_was_counted(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    run(engine, soft)
    events = documents.events()
    labels = [(data["point_index"], data["segment"], data["attempt"]) for data in events]
    assert labels == [(point, segment, 0) for point in range(3) for segment in range(4)]
    for data in events:
        assert data["mono_energy"] == GRID[data["point_index"]]
        assert data["laser_delay"] == 10_100.0
        assert data["laser_on"] == PATTERN[data["segment"]]
        assert np.all(data["fpga_counts"] == 1 + 100 * data["laser_on"])  # counted with the shutter as it is told
        assert data["quality"] == "good"


def test_the_start_document_holds_everything_needed_to_resume(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    md = {"sample": "CsPbBr3", "t0": 169.78e-9}  # no session is here to say so
    grid = [13.0, 13.04, 13.05]
    run(engine, soft, energies=grid, edge="Pb_L3", md=md, settings={"i0_noise": 0.01})
    start = json.loads(json.dumps(documents.all("start")[0]))  # plain values
    assert start["plan_name"] == "energy_scan"
    assert start["edge"] == "Pb_L3"
    assert start["grid"] == grid
    assert start["num_points"] == len(grid)
    assert start["num_events"] == len(documents.events())
    assert (start["pattern"], start["dwell"], start["pump_delay"]) == ([1, 0, 0, 1], 1.0, 10_100.0)
    assert (start["sample"], start["t0"]) == ("CsPbBr3", 169.78e-9)
    assert start["settings"]["i0_noise"] == 0.01
    assert start["settings"]["pre_edge"] == [13.0, 13.02]
    assert start["settings"]["reference"] == start["reference"]
    assert start["estimated_time"] > 4 * len(grid)
    assert start["hints"]["dimensions"] == [[["mono_energy"], "primary"]]


@pytest.mark.parametrize(("edge", "ends"), [("Br_K", (13.45, 13.57)), ("Pb_L3", (13.0, 13.14))])
def test_without_a_grid_of_ones_own_it_is_that_of_the_edge(soft: Bench, edge: str, ends: tuple[float, float]) -> None:
    messages = RunEngineSimulator().simulate_plan(energy_scan(soft.instruments(), edge=edge, pattern=(1, 0)))
    (start,) = [msg.kwargs for msg in messages if msg.command == "open_run"]
    assert (start["grid"][0], start["grid"][-1]) == ends
    assert start["num_points"] == len(start["grid"])
    assert start["num_events"] == sum(msg.command == "save" for msg in messages) == 2 * len(start["grid"])


def test_every_event_is_described(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    run(engine, soft)
    (descriptor,) = documents.all("descriptor")
    assert descriptor["name"] == "primary"
    for data in documents.events():
        assert set(data) == set(descriptor["data_keys"])
        for key, value in data.items():
            assert list(np.shape(value)) == descriptor["data_keys"][key]["shape"]


def test_a_bad_dwell_is_an_event_with_its_quality(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    soft.ring.current = 3.0
    run(engine, soft)
    assert {data["quality"] for data in documents.events()} == {"beam lost"}


def test_an_axis_that_was_moved_at_a_panel_is_reported(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    """While a scan is paused a user looks at another energy and does not go back: the point is retaken."""

    def elsewhere(name: str, doc: dict[str, Any]) -> None:
        soft.energy.value += {2: 0.002, 8: 3e-5}.get(doc["seq_num"], 0)  # the second within what an axis may be off

    engine.subscribe(elsewhere, "event")
    run(engine, soft)
    events = documents.events()
    changed = "mono_energy has changed within the point"
    assert [data["quality"] for data in events] == ["good"] * 2 + [changed] + ["good"] * 12
    again = [(0, 0), (0, 1), (0, 2), (0, 3)]
    labels = [(data["point_index"], data["segment"], data["attempt"]) for data in events]
    assert labels[:7] == [(*label, 0) for label in again[:3]] + [(*label, 1) for label in again]
    assert [data["mono_energy"] for data in events[3:7]] == [GRID[0]] * 4


def test_a_counter_that_does_not_take_the_preset_time_raises(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    """A record that refuses a put answers it all the same, and keeps what it had."""
    soft.counters[1].preset_time.takes = False
    with pytest.raises(InstrumentError, match=r"^i0 is set to count for 0\.5 s and does not take 1 s"):
        run(engine, soft)
    assert documents.all("stop")[0]["exit_status"] == "fail"


def test_a_counter_that_never_ends_is_named(
    soft: Bench, engine: RunEngine, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point, "COUNT_MARGIN", 0.2)
    soft.counters[1].ends = False
    with pytest.raises(InstrumentError, match=r"^i0 did not answer within 0\.3 s"):
        run(engine, soft, dwell=0.1)
    assert documents.all("stop")[0]["reason"].startswith("i0 did not answer")
    assert soft.shutter.value == 0


def test_whatever_instrument_fails_the_shutter_ends_shut_and_the_documents_whole() -> None:
    """Each thing that is done to an instrument fails once."""
    for fails_at in count():
        soft, documents = bench(), Documents()
        soft.notes.fails_at = fails_at
        engine = RunEngine({}, context_managers=[])
        engine.subscribe(documents)
        try:
            run(engine, soft, energies=GRID[:2], pattern=(1, 0))
        except (RefusedError, InstrumentError) as error:
            named = f"{soft.notes.actions[fails_at][1]} fails"
            assert str(error) == named
            assert all(stop["reason"] in (named, "") for stop in documents.all("stop"))
        else:
            if fails_at >= len(soft.notes.actions):
                break
            # A shutter is retried and then follows; the RunEngine stops axes once more when all is over.
            action, name, _ = soft.notes.actions[fails_at]
            assert (name == "shutter" and action in ("set", "prepare")) or action == "stop"
            assert len(documents.events()) == 4
        assert soft.shutter.value == 0
        assert len(documents.all("start")) == len(documents.all("stop"))
        assert not any(counter.staged for counter in soft.counters)
    assert fails_at == len(soft.notes.actions) > 60
