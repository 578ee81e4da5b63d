"""Overhead of a dwell, from the times of events."""

from __future__ import annotations

from typing import Any

import pytest

from beamline.session.scans.overhead import ENOUGH, DwellOverhead
from plans.protocols import MoveTimes

TIMES = MoveTimes()
PATTERN = (1, 0, 0, 1)


def seen(points: int, overhead: float, clock_rate: float = 1.0, slow: int | None = None) -> DwellOverhead:
    """Events of a scan with dwells of 2 s; 5 s for each move, and one dwell that took a minute longer."""
    found = DwellOverhead(clock_rate, 0.05)
    found("start", {"dwell": 2.0})
    found("descriptor", {"name": "primary", "uid": "d"})
    moment, shutter = 1.7e9, 0
    for number in range(points * len(PATTERN)):
        point, segment = divmod(number, len(PATTERN))
        laser_on = PATTERN[segment]
        moment += (2.0 + 0.05 * (laser_on != shutter)) / clock_rate + overhead
        moment += 5.0 * (segment == 0) + 60.0 * (number == slow)
        shutter = laser_on
        data: dict[str, Any] = {"point_index": point, "laser_on": laser_on}
        found("event", {"descriptor": "d", "time": moment, "data": data})
        found("event", {"descriptor": "of another stream", "time": moment + 0.3, "data": {}})
    return found


@pytest.mark.parametrize("clock_rate", [1.0, 200.0])
def test_the_overhead_is_what_is_left_of_the_time_between_dwells(clock_rate: float) -> None:
    times = seen(10, 0.08, clock_rate, slow=6).applied(TIMES)
    assert times.dwell == pytest.approx(0.08, abs=1e-5)
    assert (times.message, times.energy_speed) == (TIMES.message, TIMES.energy_speed)


def test_until_enough_was_seen_the_configuration_counts() -> None:
    assert ENOUGH > 6
    assert seen(2, 0.08).applied(TIMES) == TIMES
    assert seen(3, 0.08).applied(TIMES) != TIMES
