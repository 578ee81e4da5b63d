"""Quality of a dwell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.compilation.quality import Check, assess

BEAM = Check("ring_current", 10.0, 1000.0, "beam lost")
LOCK = Check("laser_locked", 1, 1, "laser unlocked", laser_on_only=True)


@pytest.mark.parametrize(
    ("readings", "laser_on", "quality"),
    [
        ({"ring_current": 102.0, "laser_locked": 1}, True, "good"),
        ({"ring_current": 10.0, "laser_locked": 1}, True, "good"),
        ({"ring_current": 1000.0, "laser_locked": 1}, True, "good"),
        ({"ring_current": 9.999, "laser_locked": 1}, True, "beam lost"),
        ({"ring_current": 1000.1, "laser_locked": 1}, True, "beam lost"),
        ({"ring_current": 102.0, "laser_locked": 0}, True, "laser unlocked"),
        ({"ring_current": 102.0, "laser_locked": 0}, False, "good"),
        ({"ring_current": 0.0, "laser_locked": 0}, True, "beam lost; laser unlocked"),
        ({"ring_current": 102.0}, True, "laser_locked was not read"),
        ({"ring_current": 102.0}, False, "good"),
        ({"ring_current": math.nan, "laser_locked": 1}, True, "ring_current is not a number"),
        ({"ring_current": math.inf, "laser_locked": 1}, True, "ring_current is not a number"),
        ({"ring_current": 102.0, "laser_locked": 1, "i0": math.nan}, True, "i0 is not a number"),
        ({"ring_current": 102.0, "laser_locked": 1, "i0": np.float64("nan")}, True, "i0 is not a number"),
        ({"ring_current": 102.0, "laser_locked": 1, "i0": np.float32("nan")}, True, "i0 is not a number"),
    ],
)
def test_quality(readings: dict[str, object], laser_on: bool, quality: str) -> None:
    assert assess(readings, (BEAM, LOCK), laser_on) == quality


@pytest.mark.parametrize(
    ("hits", "gates", "quality"),
    [
        ([3, 5], [5, 5], "good"),
        ([5, 4], [5, 5], "good"),
        ([5, 5], [5, 5], "saturated: a hit in every gate"),
        ([5, 0], [5, 0], "saturated: a hit in every gate"),  # the other bunch is not gated at all
        ([0, 0], [5, 0], "good"),
        ([0, 0], [0, 0], "no gate opened"),
    ],
)
def test_hits_in_every_gate_or_no_gate_at_all_are_no_counts(hits: list[int], gates: list[int], quality: str) -> None:
    readings = {"fpga_counts": np.array(hits, np.int32), "fpga_gates": np.array(gates, np.int32)}
    assert assess(readings, (), True) == quality


def test_arrays_and_strings_are_not_checked_as_numbers() -> None:
    readings = {"fpga_counts": np.zeros(120, np.int32), "i0_channel_name": "I0", "point_index": 3}
    assert assess(readings, (), True) == "good"


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.floats(), max_size=4),
    st.floats(-10, 10),
    st.booleans(),
)
def test_a_dwell_is_good_only_when_everything_is(readings: dict[str, float], low: float, laser_on: bool) -> None:
    check = Check("a", low, low + 5, "out of range")
    fine = all(math.isfinite(value) for value in readings.values())
    fine = fine and "a" in readings and low <= readings["a"] <= low + 5
    assert (assess(readings, (check,), laser_on) == "good") == fine


def test_a_check_can_apply_to_one_laser_state_and_to_a_rate() -> None:
    shut = Check("shutter", 0, 0, "shutter stuck", laser_off_only=True)
    assert assess({"shutter": 1}, (shut,), False) == "shutter stuck"
    assert assess({"shutter": 1}, (shut,), True) == "good"
    rate = Check("i0", 1e5, 1e7, "I0 low", per="i0_time")
    assert assess({"i0": 2e5, "i0_time": 1.0}, (rate,), True) == "good"
    assert assess({"i0": 2e5, "i0_time": 4.0}, (rate,), True) == "I0 low"
    assert assess({"i0": 2e5, "i0_time": 0.0}, (rate,), True) == "I0 low"
    assert assess({"i0": 2e5}, (rate,), True) == "i0_time was not read"
    assert assess({"i0": math.nan, "i0_time": 1.0}, (rate,), True) == "i0 is not a number"
