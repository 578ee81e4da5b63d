"""Measured overhead of a dwell, used to estimate the time of the next scans."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any

from plans.protocols import MoveTimes

ENOUGH = 8
"""Least number of dwells for a measured overhead to replace that of the configuration."""
REMEMBERED = 200


class DwellOverhead:
    """Median overhead between dwells of one point, wall seconds, less dwell and laser-shutter travel.

    A subscriber to raw documents. Retakes, waits and pauses are rare, so the median ignores them.

    Parameters
    ----------
    clock_rate : float
        Beamline seconds per wall second.
    shutter : float
        Travel time of the laser shutter, beamline seconds.
    """

    def __init__(self, clock_rate: float, shutter: float) -> None:
        self._clock_rate, self._shutter = clock_rate, shutter
        self._seen: deque[float] = deque(maxlen=REMEMBERED)
        self._dwell, self._stream = 0.0, ""
        self._last: tuple[float, int, int] | None = None

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one raw document."""
        if name == "start":
            of_points = 0.0 if "frame" in doc else float(doc.get("dwell", 0.0))  # a sweep has no dwells
            self._dwell, self._stream, self._last = of_points, "", None
        elif name == "descriptor" and doc["name"] == "primary":
            self._stream = doc["uid"]
        elif name == "event" and doc["descriptor"] == self._stream and self._dwell:
            self._take(float(doc["time"]), int(doc["data"]["point_index"]), int(doc["data"]["laser_on"]))

    def _take(self, moment: float, point: int, laser_on: int) -> None:
        last, self._last = self._last, (moment, point, laser_on)
        if last is None or last[1] != point:  # with a move in between
            return
        travel = self._shutter if last[2] != laser_on else 0.0
        self._seen.append(max(0.0, moment - last[0] - (self._dwell + travel) / self._clock_rate))

    def applied(self, times: MoveTimes) -> MoveTimes:
        """Replace the configured overhead by the measured one, once there are enough dwells."""
        if len(self._seen) < ENOUGH:
            return times
        return replace(times, dwell=median(self._seen))
