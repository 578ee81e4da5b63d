"""How far a scan has come and how long it will still take, from its raw documents."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

RUNNING = "running"
GAP = 10.0
"""An interval of more than so many times the median is a pause, or the clock was set."""
STALLED_AFTER = 5.0
"""A scan counts as stalled when nothing came for so many times the usual time of a dwell."""
SHORTEST_STALL = 10.0
"""Seconds; dwells may be shorter than a pause between passes."""


class PassProgress:
    """Dwells done and planned in the newest pass of a scan set, and what is left of all passes.

    Attributes
    ----------
    done, planned : int
        Dwells of the newest pass.
    index, passes : int
        Number of that pass from 0, and passes planned.
    status : str
        ``waiting``, ``running``, or the exit status.
    reason : str
        Why it ended, if it did not end well.
    """

    def __init__(self) -> None:
        self.done = self.planned = self.index = 0
        self.passes = 1
        self.status = "waiting"
        self.reason = ""
        self._last: tuple[int, float] | None = None
        self._intervals: list[float] = []
        self._typical: float | None = None

    def begin(self, start: Mapping[str, Any]) -> None:
        """A pass starts."""
        self.planned = int(start.get("num_events", 0))
        self.index, self.passes = int(start.get("scan_index", 0)), int(start.get("passes", 1))
        self.done, self.status, self.reason = 0, RUNNING, ""
        self._last = None
        self._intervals = []

    def advance(self, number: int, time: float) -> None:
        """Dwell `number` (from 1) of the pass was saved at `time` (seconds since 1970); after a pause some repeat."""
        self.done = max(self.done, number)
        if self._last is not None and number == self._last[0] + 1:
            self._intervals.append(time - self._last[1])
            self._typical = typical_interval(self._intervals) or self._typical
        self._last = (number, time)

    def end(self, stop: Mapping[str, Any]) -> None:
        """The pass ends."""
        self.status, self.reason = str(stop["exit_status"]), str(stop.get("reason", ""))

    @property
    def fraction(self) -> float:
        """Part of all passes that is done, 0 to 1."""
        if not self.planned:
            return 0.0
        return min(1.0, (self.index + min(1.0, self.done / self.planned)) / max(self.passes, self.index + 1))

    @property
    def over(self) -> bool:
        """Whether nothing more is to come: the last pass has ended, or a pass was stopped."""
        ended = self.status not in (RUNNING, "waiting")
        return ended and (self.index + 1 >= self.passes or self.status != "success")

    def seconds_left(self, now: float) -> float | None:
        """Wall seconds until the last pass ends at the pace of the newest one; None while that is not known."""
        if self._typical is None or self._last is None or self.over:
            return None
        dwells = self.planned - self.done + self.planned * max(0, self.passes - self.index - 1)
        since = min(max(0.0, now - self._last[1]), self._typical)
        return max(0.0, dwells * self._typical - since)

    def silent_for(self, now: float) -> float | None:
        """Seconds since the last dwell of a running pass, if that is unusually long."""
        if self.status != RUNNING or self._last is None or self._typical is None:
            return None
        silence = now - self._last[1]
        return silence if silence > max(SHORTEST_STALL, STALLED_AFTER * self._typical) else None


def typical_interval(intervals: list[float]) -> float | None:
    """Mean interval between dwells in seconds, moves of axes included, pauses and jumps of the clock left out."""
    usual = median(intervals)
    counted = [each for each in intervals if 0 < each <= GAP * usual]
    return sum(counted) / len(counted) if counted else None
