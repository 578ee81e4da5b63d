"""Temperature series without any device: the order of runs, when a temperature is steady, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from plans.compilation.steps import order_of_passes
from plans.execution.steady_temperature import is_steady
from plans.scans.temperature import compiled_temperature_series
from plans.times import Steadiness


def test_each_temperature_has_all_passes_and_then_its_image_and_the_first_one_comes_again() -> None:
    compiled = compiled_temperature_series([25, 60], edges=("Br_K", "Pb_L3"), passes=2, exposure=30.0)
    runs = [
        (one.start["temperature"], one.start.get("edge", "image"), one.start["scan_index"]) for one in compiled.passes
    ]
    of_a_step = [("Br_K", 0), ("Br_K", 1), ("Pb_L3", 0), ("Pb_L3", 1), ("image", 0)]
    assert runs == [(temperature, *rest) for temperature in (25, 60, 25) for rest in of_a_step]
    image = compiled.passes[4]
    assert image.images and image.dwell_settings.dwell == 30.0 and image.positions[0].energy == 12.9
    assert all(here.temperature == one.start["temperature"] for one in compiled.passes for here in one.positions)
    assert len({one.start["series"] for one in compiled.passes}) == 1
    assert len({one.start["scan_set"] for one in compiled.passes}) == 9
    assert next(move.axis for move in image.moves()[0][1]) == "temperature"


def test_other_scans_keep_their_order() -> None:
    assert list(order_of_passes([{}, {}, {}], 2)) == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]


def test_a_temperature_is_steady_when_it_stays_within_the_tolerance_and_does_not_drift() -> None:
    rules = Steadiness(seconds=60.0, change=0.1)
    flat = [(float(t), 60.2) for t in range(0, 61, 2)]
    assert is_steady(flat, 60.0, 0.5, rules)
    assert not is_steady(flat[:-1], 60.0, 0.5, rules)
    assert not is_steady([*flat[:-1], (60.0, 60.6)], 60.0, 0.5, rules)
    assert not is_steady([(t, 59.8 + 0.005 * t) for t, _ in flat], 60.0, 0.5, rules)
    approached = [(0.0, 40.0), *((t + 1.0, 60.0) for t, _ in flat)]
    assert is_steady(approached, 60.0, 0.5, rules)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"temperatures": []}, "at least one number"),
        ({"temperatures": [-300.0]}, "below absolute zero"),
        ({"temperatures": [30.0, 30.0]}, "twice in a row"),
        ({"temperatures": [float("nan")]}, "finite number of degC"),
        ({"temperatures": [30.0], "diffraction": -1.0}, "above 0 keV"),
        ({"temperatures": [30.0], "diffraction": 12_900.0}, "must be in keV"),
        ({"temperatures": [30.0], "exposure": 0.0}, "above 0 s"),
        ({"temperatures": [30.0], "target": 0.1}, "does not take target"),
        ({"temperatures": [30.0], "md": {"temperature": 3.0}}, "written by the series itself"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compiled_temperature_series(**arguments)
