"""How long a pass still takes: from the plan's estimate at first, from the pace that is measured more and more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beamline.formatting import duration


class TimeLeft:
    """Follows the points of one pass after another.

    Parameters
    ----------
    clock_rate : float
        Beamline seconds a wall second.
    """

    def __init__(self, clock_rate: float = 1.0) -> None:
        self._clock_rate = clock_rate
        self.estimate: float | None = None
        """Wall seconds of the pass, as the plan told before; None if it told nothing."""
        self.total = 0
        self.done = 0.0
        """Dwells: of the pass if nothing is taken again, and of those done."""
        self._per_point = 1.0
        self._later = 0
        self._points: list[int] = []
        self._here = 0

    def begin(self, start: Mapping[str, Any]) -> None:
        """Take the start document of a raw run."""
        estimate = start.get("estimated_time")
        self.estimate = None if estimate is None else float(estimate) / self._clock_rate
        self.total, self.done = int(start.get("num_events") or 0), 0.0
        self._per_point = self.total / max(1, int(start.get("num_points") or 1))
        self._later = int(start.get("passes", 1)) - int(start.get("scan_index", 0)) - 1
        self._points, self._here = [], 0

    def dwell(self, point: int) -> None:
        """A dwell at a point has ended. One that was taken again is no progress; one that was not needed is."""
        if not self._points or self._points[-1] != point:
            self._points.append(point)
            self._here = 0
        self._here += 1
        self.done = min(self.total, (len(self._points) - 1) * self._per_point + min(self._here, self._per_point))

    def left(self, elapsed: float) -> float | None:
        """Wall seconds that the pass still takes, `elapsed` (s) after its start; None if nobody can tell."""
        share = self.done / self.total if self.total else 0.0
        if self.estimate is None:
            return elapsed * (1 - share) / share if share else None
        if not share:
            return max(0.0, self.estimate - elapsed)
        return (1 - share) * ((1 - share) * self.estimate + elapsed)

    def in_words(self, elapsed: float) -> str:
        """The same for people, and what the later passes take on top."""
        left = self.left(elapsed)
        if left is None:
            return ""
        words = f"{duration(left)} left"
        if self._later > 0 and self.estimate is not None:
            words += f", {duration(left + self._later * self.estimate)} with {self._later} more"
            words += " pass" if self._later == 1 else " passes"
        return words
