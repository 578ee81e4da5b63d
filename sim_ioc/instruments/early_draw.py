"""Draws the results of a dwell while it is running, so that they are ready when it ends, as on real hardware."""

from __future__ import annotations

import asyncio
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
    load
        Called in a thread before the first draw: kernels that load while a draw waits hold up the whole server.
    """

    def __init__(
        self,
        draw: Callable[[float, float], Result],
        changes: Callable[[], int],
        load: Callable[[], None] | None = None,
    ) -> None:
        self._draw, self._changes, self._load = draw, changes, load
        self._drawn: tuple[tuple[float, float, int], Result] | None = None

    async def prepare(self, start_s: float, end_s: float) -> None:
        """Draw a window that is not over."""
        await self._load_once()
        self._drawn = ((start_s, end_s, self._changes()), self._draw(start_s, end_s))

    async def result(self, start_s: float, end_s: float) -> Result:
        """Result of a window that is over."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn[0] == (start_s, end_s, self._changes()):
            return drawn[1]
        await self._load_once()  # a window may be stopped before anything is prepared
        return self._draw(start_s, end_s)

    async def _load_once(self) -> None:
        if self._load is not None:
            await asyncio.to_thread(self._load)
            self._load = None
