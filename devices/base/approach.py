"""The direction from which an axis has come to its point: a drive with backlash is at another place from above."""

from __future__ import annotations

from collections import deque

REMEMBERED = 1000
"""Readings; more than of one move."""
SETTLING = 2.0
"""Widths of a window by which an axis may exceed it before it settles."""


class Approach:
    """The latest readings of an axis whose moves end upwards."""

    def __init__(self) -> None:
        self._readings: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, reading: float) -> None:
        """Take the next reading."""
        self._readings.append(reading)

    def clear(self) -> None:
        """Forget all readings."""
        self._readings.clear()

    def came_from_above(self, low: float, high: float) -> float | None:
        """The last reading outside a window, if it was above; None if the axis came from below, or was never outside.

        Parameters
        ----------
        low, high : float
            Within which the axis is now. A drive that settles may overshoot them by `SETTLING` times their distance.
        """
        highest = high + SETTLING * (high - low)
        outside = next((each for each in reversed(self._readings) if each < low or each > highest), low)
        return outside if outside > highest else None
