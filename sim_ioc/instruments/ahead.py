"""Results of a dwell that are drawn while it still lasts, so that they are there the moment it ends, as in life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Ahead(Generic[Result]):
    """Draws what a window of time will give; draws anew if the beamline has changed after all.

    Parameters
    ----------
    draw
        Result of a window (start and end, beamline seconds).
    changes
        How often anything of the beamline has been changed so far.
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
