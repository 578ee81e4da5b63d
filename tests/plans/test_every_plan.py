"""What every plan has in common: its documentation, and what it refuses by name before anything moves."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from bluesky import RunEngine

from plans.scans.background import background_run
from plans.scans.delay import delay_scan
from plans.scans.energy import delay_series, energy_scan
from plans.scans.fluence import fluence_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench

ENERGIES = [13.46, 13.47]
PLANS: dict[str, tuple[Any, dict[str, Any]]] = {
    "energy_scan": (energy_scan, {"energies": ENERGIES}),
    "delay_series": (delay_series, {"delays": [100.0, 1000.0], "energies": ENERGIES}),
    "delay_scan": (delay_scan, {"delays": [0.0, 100.0]}),
    "fluence_scan": (fluence_scan, {"fluences": [1.0, 5.0]}),
    "background_run": (background_run, {}),
}
UNITS = {
    "delay": "ps", "delays": "ps", "energy": "keV", "energies": "keV", "dwell": "seconds", "fluences": "mJ/cm2"
}  # fmt: skip
GRID = {"energy_scan": "energies", "delay_series": "energies", "delay_scan": "delays", "fluence_scan": "fluences"}

OF_ALL: list[tuple[dict[str, Any], str]] = [
    ({"dwell": 0}, "^dwell must be a number above 0 s"),
    ({"dwell": 1e4}, "^dwell of 10000 s: fpga_preset_time"),
    ({"pattern": (0,)}, "^pattern needs dwells with the laser on"),
    ({"attempts": 0}, "^attempts must be a whole number from 1"),
]
OF_SCANS: list[tuple[dict[str, Any], str]] = [
    ({"passes": 0}, "^passes must be a whole number from 1, not 0"),
    ({"edge": "fe_k"}, "^edge 'fe_k' is no element and edge such as Fe_K; perhaps Fe_K"),
    ({"target": 1e-7, "judge": lambda point: 0.0}, "^target 1e-07 is impossible"),
    ({"target": -1.0}, "^target must be a relative error above 0"),
    ({"order": "backwards"}, "^order must be one of"),
    ({"reference": "none"}, "^reference must be one of"),
    ({"colour": "blue"}, "^unknown argument colour"),
]
OF_GRIDS: list[tuple[Any, str]] = [
    ([1.0], "needs at least two points"),
    ([2.0, 1.0], "must ascend without repeats"),
    ([1.0, 1.0], "must ascend without repeats"),
    ([1.0, float("nan")], "holds a value that is not a finite number"),
    ("all", "must be numbers"),
]
REFUSED = [
    *((name, change, message) for name in PLANS for change, message in OF_ALL),
    *((name, change, message) for name in GRID for change, message in OF_SCANS),
    *((name, {axis: grid}, f"^{axis} {message}") for name, axis in GRID.items() for grid, message in OF_GRIDS),
    ("energy_scan", {"energies": [13.46, 30.0]}, "^mono cannot go to 30"),
    ("energy_scan", {"delay": 1e9}, "^laser_delay cannot go to"),
    ("delay_series", {"delays": [100.0, 1e9]}, "^laser_delay cannot go to"),
    ("delay_scan", {"delays": [0.0, 1e9]}, "^laser_delay cannot go to"),
    ("delay_scan", {"energies": [30.0]}, "^mono cannot go to 30"),
    ("fluence_scan", {"fluences": [1.0, 50.0]}, "^laser_fluence cannot go to 50"),
]


@pytest.mark.parametrize(("name", "change", "message"), REFUSED, ids=lambda each: str(each)[:40])
def test_bad_input_is_refused_by_the_name_of_the_argument_before_anything_moves(
    soft: Bench, engine: RunEngine, documents: Documents, name: str, change: dict[str, Any], message: str
) -> None:
    plan, arguments = PLANS[name]
    with pytest.raises(ValueError, match=message):
        engine(plan(soft.instruments(), **{"dwell": 1.0, **arguments, **change}))
    assert documents.seen == []
    assert {action for action, _, _ in soft.notes.actions} <= {"read"}


@pytest.mark.parametrize("name", PLANS)
def test_what_is_not_changed_is_good_input(soft: Bench, engine: RunEngine, documents: Documents, name: str) -> None:
    plan, arguments = PLANS[name]
    engine(plan(soft.instruments(), dwell=1.0, **arguments))
    assert {stop["exit_status"] for stop in documents.all("stop")} == {"success"}


@pytest.mark.parametrize("name", PLANS)
def test_each_plan_is_documented_with_units_and_an_example(name: str) -> None:
    plan = PLANS[name][0]
    text = inspect.getdoc(plan) or ""
    sections = ["Parameters", "Returns", "Raises", "Examples"]
    assert [each for each in sections if re.search(rf"^{each}\n-+$", text, re.M)] == sections
    assert f">>> RE({name}(" in text or f"RE({name}(" in text
    for parameter, unit in UNITS.items():
        if parameter not in inspect.signature(plan).parameters:
            continue
        entry = re.search(rf"^(?:.*, )?{parameter}(?:, .*)?(?: : .*)?\n((?: +.*\n)+)", text, re.M)
        assert entry and (unit in entry[1] or "As for `energy_scan`" in entry[1]), parameter
