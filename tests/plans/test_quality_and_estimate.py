"""Quality of a dwell, and how long a scan takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.estimate import pass_duration
from plans.quality import Check, assess

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


def test_arrays_and_texts_are_not_numbers_to_be_judged() -> None:
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


def test_estimate_counts_every_part_once() -> None:
    """By hand: 10 points of 4 dwells of 1.5 s count for 60 s; moves and shutter are to be a small part of it."""
    counting = 60.0
    whole = pass_duration(10, 4, 1.5)
    assert counting < whole < 1.15 * counting
    assert pass_duration(20, 4, 1.5) == pytest.approx(2 * whole)
    assert pass_duration(10, 4, 2.5) - whole == pytest.approx(40.0)


def test_overhead_of_messages_costs_more_beamline_time_on_a_fast_clock() -> None:
    slow, fast = (pass_duration(10, 4, 1.5, clock_rate) for clock_rate in (1.0, 101.0))
    per_dwell = (fast - slow) / 40 / 100
    assert 0.002 < per_dwell < 0.05  # wall seconds: 5 to 9 ms a point were measured on another machine
