"""Monitor energies: compiled between the points, counted with the laser off, in a stream of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.monitors import Monitors
from plans.compilation.positions import Position
from plans.execution.point_rules import PointRules
from plans.scans.delay import delay_scan
from plans.scans.energy import compiled_energy_scan, energy_scan
from plans.scans.fluence import fluence_scan
from plans.times import MoveTimes
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench

GRID = np.round(np.linspace(13.450, 13.489, 40), 6)
MONITORS = (13.485, 13.455)


def compiled(**changes: Any) -> Any:
    return compiled_energy_scan(**({"energies": GRID, "dwell": 1.0, "monitor_energies": MONITORS} | changes)).passes[0]


def test_visits_are_evenly_spread_and_take_the_energies_in_turn() -> None:
    one = compiled()
    assert [each.point_index for each in one.points] == list(range(40))
    assert one.monitor_dwells == 8  # 5 % of 168 dwells
    visited = [each.energy for each in one.positions if each.monitor]
    assert visited == [13.455, 13.485] * 4
    after = np.cumsum([not each.monitor for each in one.positions])[[each.monitor for each in one.positions]]
    np.testing.assert_allclose(after, 40 * np.arange(8) / 7, atol=0.5)
    assert one.positions[0].monitor and one.positions[-1].monitor


@pytest.mark.parametrize(
    ("share", "visits", "dwells"), [(1e-6, 3, 3), (0.02, 3, 3), (0.1, 18, 18), (0.5, 41, 164)]
)  # fmt: skip
def test_a_share_is_kept_with_three_visits_at_least_and_one_between_two_points_at_most(
    share: float, visits: int, dwells: int
) -> None:
    one = compiled(monitor_share=share)
    assert len(one.positions) - len(one.points) == visits
    assert one.monitor_dwells == dwells
    assert one.dwells() == 160 + dwells


def test_events_of_monitor_energies_have_a_stream_of_their_own(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    arguments: dict[str, Any] = {"energies": [13.46, 13.47, 13.48], "dwell": 1.0}
    engine(energy_scan(soft.instruments(), **arguments, monitor_energies=MONITORS, monitor_share=0.3))
    streams = {doc["uid"]: doc["name"] for doc in documents.all("descriptor")}
    assert documents.all("stop")[0]["num_events"] == {"primary": 12, "monitor": 4}
    start = documents.all("start")[0]
    assert start["monitor_energies"] == [13.455, 13.485] and start["monitor_share"] == 0.3
    assert start["num_events"] == 12 and start["num_points"] == 3
    order = [(streams[doc["descriptor"]], doc["data"]) for doc in documents.all("event")]
    assert [stream for stream, _ in order] == [
        "monitor", *["primary"] * 4, "monitor", *["primary"] * 4, "monitor", *["primary"] * 4, "monitor",
    ]  # fmt: skip
    for number, data in enumerate(data for stream, data in order if stream == "monitor"):
        assert data["point_index"] == number % 2
        assert data["mono_energy"] == [13.455, 13.485][number % 2]
        assert data["laser_on"] == 0 and data["quality"] == "good"
    without = {"energies": [13.46, 13.47, 13.48], "dwell": 1.0}
    engine(energy_scan(soft.instruments(), **without))
    assert documents.all("stop")[1]["num_events"] == {"primary": 12}
    assert "monitor_energies" not in documents.all("start")[1]


@pytest.mark.parametrize(
    ("plan", "arguments"), [(delay_scan, {"delays": [0.0, 100.0]}), (fluence_scan, {"fluences": [1.0, 2.0]})]
)
def test_scans_in_which_a_drift_cancels_refuse_monitor_energies(
    soft: Bench, engine: RunEngine, documents: Documents, plan: Any, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=rf"^monitor_energies have no use in a {plan.__name__}: it compares"):
        engine(plan(soft.instruments(), monitor_energies=13.485, **arguments))
    assert documents.seen == []
    assert {action for action, _, _ in soft.notes.actions} <= {"read"}


def allocated(**settings: str) -> Any:
    target = {"target": {"C(slot=0)": "5 %"}, "forecast": "sample.toml", "longest": 600.0}
    return compiled_energy_scan("Br_K", 100.0, 2, 1.0, energies=GRID, settings=settings, **target).passes[1]


def test_an_allocated_scan_returns_to_monitor_energies_unless_its_drift_stays() -> None:
    """In the middle of the window before the edge, and 20 eV above the edge, which is at 13.474 keV."""
    visited = [each.energy for each in allocated().positions if each.monitor]
    assert visited == pytest.approx([13.455, 13.494, 13.455])  # 2 % of one pattern at each of 40 points
    assert not any(each.monitor for each in allocated(drift="off").positions)
    assert not any(each.monitor for each in allocated(procedure="paper").positions)


@pytest.mark.parametrize(("wanted", "order"), [((), ""), ((1,), "m1m"), ((0, 2), "m0m2m"), ((0, 1, 2), "m0m1m2m")])
def test_monitor_energies_between_points_that_are_left_out_are_left_out(wanted: tuple[int, ...], order: str) -> None:
    points = [Position(number) for number in range(3)]
    monitor = Position(0, monitor=True)
    rules = PointRules(DwellSettings((1, 0), 1.0, 1, 2.0), stopping_rule=lambda at: float(at in wanted), skips=True)
    positions = [monitor, *(each for point in points for each in (point, monitor))]
    assert "".join("m" if each.monitor else str(each.point_index) for each in rules.visited(positions)) == order


def test_time_of_monitor_energies_is_that_of_a_dwell_and_two_moves() -> None:
    """A share of a fifth is one dwell for four; 10 eV there and back at 20 eV/s, and 0.1 s of settling twice."""
    found = Monitors((13.46,), 0.2).seconds_a_point([13.45, 13.47], 4, 2.0, MoveTimes(energy_speed=0.02))
    assert found == pytest.approx(2.0 + 1.0 + 0.2)
