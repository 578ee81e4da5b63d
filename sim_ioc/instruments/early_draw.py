"""Draws the results of a dwell while it is running, so that they are ready when it ends, as on real hardware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class EarlyDraw(Generic[Result]):
    """Draws the result of a time window in advance; draws again if the beamline has changed meanwhile.

    Parameters
    ----------
    draw
        Result of a window (start and end, beamline seconds).
    changes
        Returns the number of changes of the beamline so far.
    """

    def __init__(self, draw: Callable[[float, float], Result], changes: Callable[[], int]) -> None:
        self._draw, self._changes = draw, changes
        self._drawn: tuple[tuple[float, float, int], Result] | None = None

    def prepare(self, start_s: float, end_s: float) -> None:
        """Draw a window that is not over."""
        self._drawn = ((start_s, end_s, self._changes()), self._draw(start_s, end_s))

    def result(self, start_s: float, end_s: float) -> Result:
        """Result of a window that is over."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn[0] == (start_s, end_s, self._changes()):
            return drawn[1]
        return self._draw(start_s, end_s)
