"""An event loop that wakes up when it should; the usual one rounds each wait up to a whole millisecond."""

from __future__ import annotations

import asyncio
import select
import selectors
from typing import Any


class PunctualSelector(selectors.DefaultSelector):
    """The usual selector, waited for by a call that takes microseconds."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready, at the latest after `timeout` seconds."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def punctual_loop() -> asyncio.AbstractEventLoop:
    """A new event loop on such a selector."""
    return asyncio.SelectorEventLoop(PunctualSelector())
