"""Piecewise quantities with their history: a dwell is computed when it is over."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Generic, TypeVar

KEEP_S = 3 * 3600.0  # longer than any dwell

Value = TypeVar("Value")


class Timeline(Generic[Value]):
    """A quantity that jumps from value to value.

    Attributes
    ----------
    changes
        How often it has been set.
    """

    def __init__(self, value: Value) -> None:
        self.changes = 0
        self._times = [float("-inf")]
        self._values = [value]

    def set(self, time_s: float, value: Value) -> None:
        """Set the value from this time on; later entries are dropped."""
        self.changes += 1
        keep = bisect_right(self._times, time_s)
        if self._times[keep - 1] == time_s:
            keep -= 1
        del self._times[keep:], self._values[keep:]
        self._times.append(time_s)
        self._values.append(value)
        old = bisect_right(self._times, time_s - KEEP_S) - 1
        if old > 0:
            del self._times[:old], self._values[:old]

    def at(self, time_s: float) -> Value:
        """Value at a time; at the moment of a jump, the new one."""
        return self._values[max(bisect_right(self._times, time_s) - 1, 0)]

    def jumps(self, start_s: float, end_s: float) -> list[float]:
        """Times of the jumps strictly between two times."""
        return self._times[bisect_right(self._times, start_s) : bisect_left(self._times, end_s)]


@dataclass(frozen=True)
class Ramp:
    """A move at constant speed, then rest."""

    start_s: float
    end_s: float
    first: float
    last: float

    def at(self, time_s: float) -> float:
        """Position at a time."""
        if not self.start_s < time_s < self.end_s:
            return self.last if time_s >= self.end_s else self.first
        return self.first + (self.last - self.first) * (time_s - self.start_s) / (self.end_s - self.start_s)
