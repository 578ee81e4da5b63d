"""How far a scan has come and how long it will still take, from its documents."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from beamline.formatting import duration

WAITING, RUNNING = "waiting", "running"
GAP = 10.0
"""An interval of more than so many times the median is a pause, or a clock that was set."""
STALLED_AFTER = 5.0
"""A scan counts as stalled when nothing came for so many times the usual interval between dwells."""
SHORTEST_STALL = 10.0
"""Seconds; dwells may be shorter than a pause between passes."""


class PassProgress:
    """Dwells done and planned in the newest pass of a scan set, and the time left for it and for all passes.

    Takes the start and stop documents of raw runs, and of each dwell its event, raw or reduced.

    Attributes
    ----------
    planned : int
        Dwells of the newest pass if none is retaken.
    done : float
        Planned dwells that are done: repeats of a point do not count, a point that needed fewer counts in full.
    saved : int
        Events of the pass.
    index, passes : int
        Number of that pass from 0, and passes planned.
    status : str
        ``waiting``, ``running``, or the exit status.
    reason : str
        Why it ended, if it did not end well.
    """

    def __init__(self) -> None:
        self.status, self.reason = WAITING, ""
        self._intervals: list[float] = []
        self._previous: float | None = None
        self._begin_pass({})

    def _begin_pass(self, start: Mapping[str, Any]) -> None:
        self.planned = int(start.get("num_events") or 0)
        self.index, self.passes = int(start.get("scan_index", 0)), int(start.get("passes", 1))
        self.done, self.saved = 0.0, 0
        self._estimated = _estimated_interval(start, self.planned)
        self._per_point = self.planned / max(1, int(start.get("num_points") or 1))
        self._runs, self._dwells = _later(start, self.planned, self._per_point)
        self._points, self._at_point, self._current = 0, 0, -1
        self._last: float | None = start.get("time")
        self._previous, self._intervals = self._measured(), []

    def begin(self, start: Mapping[str, Any]) -> None:
        """Start a pass, from the start document of its raw run."""
        self._begin_pass(start)
        self.status, self.reason = RUNNING, ""

    def advance(self, number: int, point: int, time: float) -> None:
        """Add the event of a dwell.

        Parameters
        ----------
        number : int
            Its sequence number; after a pause some repeat.
        point : int
        time : float
            Seconds since 1970.
        """
        if number == self.saved + 1 and self.saved and self._last is not None:
            self._intervals.append(time - self._last)
        self.saved, self._last = max(self.saved, number), time
        if point != self._current:
            self._points, self._at_point, self._current = self._points + 1, 0, point
        self._at_point += 1
        before = (self._points - 1) * self._per_point
        self.done = min(self.planned, before + min(self._at_point, self._per_point))

    def end(self, stop: Mapping[str, Any]) -> None:
        """End the pass."""
        self.status, self.reason = str(stop["exit_status"]), str(stop.get("reason", ""))

    @property
    def fraction(self) -> float:
        """Fraction of all passes that is done, 0 to 1."""
        if not self.planned:
            return 0.0
        return min(1.0, (self.index + self.done / self.planned) / max(self.passes, self.index + 1))

    @property
    def over(self) -> bool:
        """Whether nothing more is to come: the last pass has ended, or a pass was stopped."""
        ended = self.status not in (RUNNING, WAITING)
        return ended and (self.index + 1 >= self.passes or self.status != "success")

    def _measured(self) -> float | None:
        """Interval between dwells of this pass, or else of the one before, in seconds."""
        return (typical_interval(self._intervals) if self._intervals else None) or self._previous

    @property
    def interval(self) -> float | None:
        """Wall seconds per planned dwell, moves included; None while unknown.

        The plan's estimate at the start of a pass, the measured interval at its end, in between their mean weighted
        with the fraction that is done.
        """
        measured = self._measured()
        if measured is None or not self.planned:
            return self._estimated
        measured *= self.saved / self.done if self.done else 1.0
        if self._estimated is None:
            return measured
        done = self.done / self.planned
        return (1 - done) * self._estimated + done * measured

    def pass_seconds_left(self, now: float) -> float | None:
        """Wall seconds until the newest pass ends, `now` in seconds since 1970; None while unknown."""
        interval = self.interval
        if interval is None or self._last is None or self.over:
            return None
        return max(0.0, (self.planned - self.done) * interval - min(max(0.0, now - self._last), interval))

    def seconds_left(self, now: float) -> float | None:
        """Wall seconds until the last pass ends, of a series that of its last scan; None while unknown.

        `now` is in seconds since 1970.
        """
        left = self.pass_seconds_left(now)
        return None if left is None else left + self._dwells * (self.interval or 0.0)

    def time_left(self, now: float) -> str:
        """Time left for the pass, and with later passes, in a series with all later runs; empty while unknown."""
        left, total = self.pass_seconds_left(now), self.seconds_left(now)
        if left is None or total is None:
            return ""
        text = f"{duration(left)} left"
        if self._runs:
            text += f", {duration(total)} with {self._runs} more pass{'es' if self._runs > 1 else ''}"
        return text

    def silent_for(self, now: float) -> float | None:
        """Seconds since the last dwell of a running pass, if that is unusually long."""
        measured = self._measured()
        if self.status != RUNNING or not self.saved or self._last is None or measured is None:
            return None
        silence = now - self._last
        return silence if silence > max(SHORTEST_STALL, STALLED_AFTER * measured) else None


def _later(start: Mapping[str, Any], planned: int, per_point: float) -> tuple[int, float]:
    """Runs after this one, and their dwells; those of the other scans of a series are among them."""
    passes = max(0, int(start.get("passes", 1)) - int(start.get("scan_index", 0)) - 1)
    members = start.get("members") or ()
    sets = [member.get("scan_set") for member in members]
    if start.get("scan_set") not in sets:
        return passes, float(passes * planned)
    points = [len(member.get("grid") or ()) for member in members]
    rest = points[sets.index(start["scan_set"]) + 1 :]
    return len(rest) + passes * len(points), per_point * (sum(rest) + passes * sum(points))


def _estimated_interval(start: Mapping[str, Any], planned: int) -> float | None:
    """Wall seconds per dwell by the plan's estimate, which is in beamline seconds; None without one."""
    estimate, clock_rate = start.get("estimated_time"), start.get("clock_rate")
    if estimate is None or not clock_rate or not planned:
        return None
    return float(estimate) / float(clock_rate) / planned


def typical_interval(intervals: list[float]) -> float | None:
    """Mean interval between dwells in seconds, moves of axes included, without pauses and jumps of the clock."""
    usual = median(intervals)
    counted = [each for each in intervals if 0 < each <= GAP * usual]
    return sum(counted) / len(counted) if counted else None
