"""Defers event callbacks until the next count has started, so that they add no dead time between dwells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from beamline.session.guard import Subscriber

PAUSE = 0.004
"""Delay of events, s: by then the next count has started, if it follows immediately."""

OF_THE_EVENT = ("stream_resource", "stream_datum")
"""Documents dispatched together with the event before them."""


class DeferredDispatcher:
    """Dispatches documents to subscribers in order, events with a short delay. Itself a RunEngine subscriber.

    At most one event is pending, with the documents that reference its rows of files. They are dispatched before the
    next document, and by `catch_up`.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Event loop of the RunEngine, in which everything runs.
    subscribers : sequence of callable
        Each takes (name, document) and must not raise.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, subscribers: Sequence[Subscriber]) -> None:
        self._loop = loop
        self._subscribers = tuple(subscribers)
        self._waiting: list[tuple[str, Mapping[str, Any]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one document."""
        if name in OF_THE_EVENT and self._waiting:
            self._waiting.append((name, doc))
            return
        self.catch_up()
        if name == "event":
            self._waiting.append((name, doc))
            self._timer = self._loop.call_later(PAUSE, self.catch_up)
        else:
            self._hand_on(name, doc)

    def catch_up(self) -> None:
        """Dispatch pending documents now."""
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting, self._timer = self._waiting, [], None
        for name, doc in waiting:
            self._hand_on(name, doc)

    def _hand_on(self, name: str, doc: Mapping[str, Any]) -> None:
        for subscriber in self._subscribers:
            subscriber(name, doc)
