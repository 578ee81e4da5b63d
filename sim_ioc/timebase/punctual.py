"""An event loop that wakes up on time; the default one rounds each timeout up to a whole millisecond."""

from __future__ import annotations

import asyncio
import select
import selectors
from typing import Any


class PunctualSelector(selectors.DefaultSelector):
    """The default selector, with a timeout in microseconds."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """The ready files, at the latest after `timeout` seconds."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def punctual_loop() -> asyncio.AbstractEventLoop:
    """A new event loop on such a selector."""
    return asyncio.SelectorEventLoop(PunctualSelector())
