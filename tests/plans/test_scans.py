"""Delay, fluence and series scans, both edges, orders of the points, background runs: messages and documents."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from bluesky import Msg, RunEngine
from bluesky.simulators import RunEngineSimulator
from bluesky.utils import MsgGenerator

from plans.compilation.edges import find_edge
from plans.compilation.grid import delay_grid
from plans.compilation.quality import Check
from plans.scans.background import background_run
from plans.scans.delay import delay_scan
from plans.scans.energy import delay_series, energy_scan
from plans.scans.fluence import fluence_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench

ENERGIES = [13.46, 13.47, 13.48]
DELAYS = [-200.0, 0.0, 100.0, 10_000.0]
FLUENCES = [0.5, 5.0, 12.4]
SHORT: dict[str, Any] = {"dwell": 1.0, "pattern": (1, 0)}


def sets(messages: list[Msg], name: str) -> list[Any]:
    return [msg.args[0] for msg in messages if msg.command == "set" and msg.obj.name == name]


def starts(plan: MsgGenerator[str]) -> list[dict[str, Any]]:
    messages = RunEngineSimulator().simulate_plan(plan)
    return [msg.kwargs for msg in messages if msg.command == "open_run"]


def test_a_delay_scan_goes_through_the_delays_at_each_energy(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    result = engine(delay_scan(soft.instruments(), energies=[13.4675, 13.472], delays=DELAYS, passes=2, **SHORT))
    runs = [json.loads(json.dumps(start)) for start in documents.all("start")]
    assert [(run["probe_energy"], run["scan_index"]) for run in runs] == [
        (13.4675, 0), (13.472, 0), (13.4675, 1), (13.472, 1)
    ]  # fmt: skip
    assert {run["series"] for run in runs} == {result.plan_result}
    assert len({run["scan_set"] for run in runs}) == 2
    assert runs[0]["scan_set"] == runs[2]["scan_set"]
    for run in runs:
        assert (run["plan_name"], run["scan_axis"], run["grid"]) == ("delay_scan", "laser_delay", DELAYS)
        assert "pump_delay" not in run
    events = documents.events()
    assert [data["laser_delay"] for data in events] == [delay for delay in DELAYS for _ in range(2)] * 4
    assert [data["point_index"] for data in events] == [0, 0, 1, 1, 2, 2, 3, 3] * 4
    assert [data["mono_energy"] for data in events] == ([13.4675] * 8 + [13.472] * 8) * 2
    assert {data["quality"] for data in events} == {"good"}
    assert soft.sets("mono") == [13.4665, 13.4675, 13.471, 13.472] * 2  # once a run, from below


def test_default_delays_are_linear_around_time_zero_and_logarithmic_beyond(soft: Bench) -> None:
    (start,) = starts(delay_scan(soft.instruments(), **SHORT))
    grid = np.array(start["grid"])
    linear, log = grid[grid <= 500], grid[grid >= 500]
    assert (grid[0], grid[-1]) == (-300.0, 130_000.0)
    np.testing.assert_allclose(np.diff(linear), 25.0)
    ratios = log[1:] / log[:-1]
    assert ratios == pytest.approx((130_000 / 500) ** (1 / 20), rel=0.01)
    assert start["probe_energy"] == find_edge("Br_K").main_feature
    assert delay_grid(first=-100, step=50, linear_to=100, last=1000, logarithmic=1).tolist() == [
        -100, -50, 0, 50, 100, 1000
    ]  # fmt: skip
    with pytest.raises(ValueError, match="a delay grid ascends"):
        delay_grid(last=400.0)


def test_a_fluence_scan_puts_the_fluence_back(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    engine(fluence_scan(soft.instruments(), fluences=FLUENCES, delay=100.0, **SHORT))
    (start,) = documents.all("start")
    assert (start["scan_axis"], start["grid"], start["pump_delay"]) == ("laser_fluence", FLUENCES, 100.0)
    assert soft.sets("laser_fluence") == [*FLUENCES, 8.8]
    assert len(documents.events()) == 2 * len(FLUENCES)


def test_a_fluence_can_be_chosen_for_other_scans(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    engine(energy_scan(soft.instruments(), energies=ENERGIES, fluence=4.0, **SHORT))
    assert soft.sets("laser_fluence") == [4.0]
    assert documents.all("start")[0]["pump_fluence"] == 4.0


def test_a_series_takes_all_delays_before_the_second_pass(soft: Bench) -> None:
    runs = starts(delay_series(soft.instruments(), [100, 10_100], energies=ENERGIES, passes=2, **SHORT))
    assert [(run["pump_delay"], run["scan_index"]) for run in runs] == [(100, 0), (10_100, 0), (100, 1), (10_100, 1)]
    assert [member["pump_delay"] for member in runs[0]["members"]] == [100, 10_100]
    assert [member["scan_set"] for member in runs[3]["members"]] == [run["scan_set"] for run in runs[:2]]


def test_both_edges_in_one_go(soft: Bench) -> None:
    runs = starts(energy_scan(soft.instruments(), edge=("Br_K", "Pb_L3"), passes=2, **SHORT))
    assert [run["edge"] for run in runs] == ["Br_K", "Pb_L3"] * 2
    assert [run["grid"] for run in runs] == [find_edge(run["edge"]).grid().tolist() for run in runs]
    assert runs[1]["settings"]["pre_edge"] == list(find_edge("Pb_L3").pre_edge)
    assert runs[0]["settings"]["pre_edge"] == list(find_edge("Br_K").pre_edge)


@pytest.mark.parametrize("order", ["ascending", "alternating", "random"])
def test_whatever_the_order_each_point_is_reached_from_below(
    soft: Bench, engine: RunEngine, documents: Documents, order: str
) -> None:
    grid = np.linspace(13.46, 13.48, 9).tolist()
    engine(energy_scan(soft.instruments(), energies=grid, passes=3, order=order, scan_set="c0ffee00", **SHORT))
    visits = [start["visit_order"] for start in documents.all("start")]
    up = list(range(9))
    if order == "random":
        assert [sorted(each) for each in visits] == [up] * 3
        assert len({tuple(each) for each in visits}) == 3
    else:
        assert visits == ([up, up[::-1], up] if order == "alternating" else [up] * 3)
    points = [data["point_index"] for data in documents.events()]
    assert points == [point for each in visits for point in each for _ in range(2)]
    assert [data["mono_energy"] for data in documents.events()] == [grid[point] for point in points]
    moved = soft.sets("mono")
    arrivals = [(before, here) for before, here in pairwise(moved) if here in grid]
    assert len(arrivals) == 27
    assert all(before < here for before, here in arrivals)


def test_random_orders_can_be_had_again(soft: Bench) -> None:
    def order(scan_set: str) -> list[int]:
        plan = energy_scan(soft.instruments(), energies=ENERGIES, order="random", scan_set=scan_set, **SHORT)
        return list(starts(plan)[0]["visit_order"])

    assert order("a") == order("a")
    assert len({tuple(order(name)) for name in "abcdefgh"}) > 1


def test_a_background_run_is_counted_with_the_x_ray_shutter_shut(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    engine(background_run(soft.instruments(), dwell=2.0, repeats=2))
    (start,) = documents.all("start")
    assert (start["plan_name"], start["scan_axis"]) == ("background_run", "none")
    assert [data["laser_on"] for data in documents.events()] == [1, 0, 0, 1] * 2
    assert {data["point_index"] for data in documents.events()} == {0}
    order = [(name, value) for action, name, value in soft.notes.actions if action in ("set", "trigger")]
    shut, opened = order.index(("xray_shutter", 0)), order.index(("xray_shutter", 1))
    counts = [i for i, (name, _) in enumerate(order) if name == "fpga"]
    assert shut < counts[0] and counts[-1] < opened
    assert soft.sets("mono") == soft.sets("laser_delay") == []


def test_an_x_ray_shutter_that_was_shut_stays_shut(soft: Bench, engine: RunEngine) -> None:
    soft.xray_shutter.value = 0
    engine(background_run(soft.instruments(), dwell=2.0, repeats=1))
    assert soft.sets("xray_shutter") == [0]


def test_without_x_rays_no_check_requires_beam(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    soft.ring.current = 0.0
    beam = Check("ring_current", 10.0, 1000.0, "beam lost", needs_xrays=True)
    engine(background_run(soft.instruments(), dwell=2.0, repeats=1, checks=(beam,)))
    assert {data["quality"] for data in documents.events()} == {"good"}


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (energy_scan, {"edge": ("Br_K", "Br_K")}, "^edge holds the same name twice"),
    (energy_scan, {"edge": ()}, "^edge must name at least one"),
    (energy_scan, {"edge": ("Br_K", "Fe_L7")}, "^edge 'Fe_L7': Fe has no edge"),
    (energy_scan, {"edge": ("Br_K", "Pb_L3"), "energies": ENERGIES}, "^energies are those of one edge"),
    (energy_scan, {"edge": ("Br_K", "Pb_L3"), "scan_set": "a"}, "^scan_set continues one set at a time"),
    (energy_scan, {"order": "descending"}, "^order must be one of ascending, alternating, random, not 'descending'"),
    (energy_scan, {"attempts": 0}, "^attempts must be a whole number from 1, not 0"),
    (energy_scan, {"attempts": 1.5}, "^attempts must be a whole number from 1, not 1.5"),
    (energy_scan, {"target": 0.0}, "^target must be a relative error above 0, or quantities with errors, not 0.0"),
    (energy_scan, {"target": math.nan}, "^target must be"),
    (energy_scan, {"target": 1e-3}, "^target needs a stopping rule"),
    (energy_scan, {"target": 1e-3, "longest": 1.0}, "^longest must be a number of s from those of one pattern, 2,"),
    (energy_scan, {"longest": 30.0}, "^longest needs target"),
    (energy_scan, {"target": 1e-6, "judge": lambda _: 0.0}, "^target 1e-06 is impossible: 30 s with the laser on"),
    (energy_scan, {"fluence": -1.0}, "^fluence must be a number of mJ/cm2 from 0, not -1"),
    (energy_scan, {"fluence": 15.0}, "^laser_fluence cannot go to 15"),
    (energy_scan, {"colour": "blue"}, "^unknown argument colour; known are"),
    (delay_series, {"delays": []}, "^delays must hold at least one number of ps"),
    (delay_series, {"delays": [100, 100]}, "^delays holds the same number of ps twice"),
    (delay_series, {"delays": [100, math.inf]}, "^delays must be a finite number of ps"),
    (delay_series, {"delays": [100, 2e5]}, "^laser_delay cannot go to 200000"),
    (delay_scan, {"energies": [13.46, 13.46]}, "^energies holds the same number of keV twice"),
    (delay_scan, {"energies": [25.0]}, "^mono cannot go to 25"),
    (delay_scan, {"energies": "white line"}, "^energies must be a finite number of keV"),
    (delay_scan, {"delays": [100.0]}, "^delays needs at least two points"),
    (delay_scan, {"delays": [100.0, 50.0]}, "^delays must ascend without repeats; 100 ps is followed by 50 ps"),
    (delay_scan, {"delays": [0.0, 1.7e5]}, "^laser_delay cannot go to 170000"),
    (delay_scan, {"edge": "Fe_K"}, "^energies: the main feature of Fe_K is not known; give energies in keV"),
    (delay_scan, {"passes": 0}, "^passes must be a whole number from 1, not 0"),
    (fluence_scan, {"fluences": [1.0, 1.0]}, "^fluences must ascend without repeats"),
    (fluence_scan, {"fluences": [-1.0, 1.0]}, "^fluences must be 0 mJ/cm2 or more"),
    (fluence_scan, {"fluences": [1.0, 20.0]}, "^laser_fluence cannot go to 20"),
    (fluence_scan, {"energy": math.nan}, "^energy must be a finite number of keV"),
    (fluence_scan, {"delay": "100 ps"}, "^delay must be a finite number of ps"),
    (fluence_scan, {"fluence": 3.0}, "^fluence is the scanned axis here"),
    (background_run, {"repeats": 0}, "^repeats must be a whole number from 1, not 0"),
    (background_run, {"order": "random"}, "^a background run does not take order"),
    (background_run, {"dwell": 1e3}, "^dwell of 1000 s: fpga_preset_time"),
]


CASES = [f"{plan.__name__} {' '.join(change)}" for plan, change, _ in REFUSED]


@pytest.mark.parametrize(("plan", "change", "message"), REFUSED, ids=CASES)
def test_bad_input_is_refused_before_anything_moves(
    soft: Bench, engine: RunEngine, documents: Documents, plan: Any, change: dict[str, Any], message: str
) -> None:
    short = {"dwell": 1.0} if plan is background_run else SHORT
    with pytest.raises(ValueError, match=message):
        engine(plan(soft.instruments(), **{**short, **change}))
    assert documents.seen == []
    assert {action for action, _, _ in soft.notes.actions} <= {"read"}
