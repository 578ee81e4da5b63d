"""Hands events on while the RunEngine waits for the next count: between two counts each millisecond is beam time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from beamline.session.guard import Subscriber

PAUSE = 0.004
"""Seconds after an event until it is handed on: by then the next count has begun, if it begins at once."""

OF_THE_EVENT = ("stream_resource", "stream_datum")
"""Documents that belong to the event before them."""


class DeferredDispatcher:
    """Hands documents to subscribers in their order, events a little later. Itself a RunEngine subscriber.

    At most one event waits, and behind it what names its rows of files. They are handed on before the next document,
    and before whoever calls `catch_up`.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        That of the RunEngine; everything happens in it.
    subscribers : sequence of callable
        Each takes (name, document) and does not raise.
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
        """Hand on what waits."""
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting, self._timer = self._waiting, [], None
        for name, doc in waiting:
            self._hand_on(name, doc)

    def _hand_on(self, name: str, doc: Mapping[str, Any]) -> None:
        for subscriber in self._subscribers:
            subscriber(name, doc)
