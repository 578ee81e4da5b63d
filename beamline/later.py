"""Hands events on while the RunEngine waits for the next count: between two counts each millisecond is beam time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from beamline.guard import Subscriber

PAUSE = 0.004
"""Seconds after an event until it is handed on: by then the next count has begun, if it begins at once."""


class Later:
    """Hands documents to subscribers in their order, events a little later. Itself a RunEngine subscriber.

    At most one event waits. It is handed on before the next document, and before whoever calls `catch_up`.

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
        self._event: Mapping[str, Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document."""
        self.catch_up()
        if name == "event":
            self._event = doc
            self._timer = self._loop.call_later(PAUSE, self.catch_up)
        else:
            self._hand_on(name, doc)

    def catch_up(self) -> None:
        """Hand on the event that waits."""
        if self._timer is not None:
            self._timer.cancel()
        event, self._event, self._timer = self._event, None, None
        if event is not None:
            self._hand_on("event", event)

    def _hand_on(self, name: str, doc: Mapping[str, Any]) -> None:
        for subscriber in self._subscribers:
            subscriber(name, doc)
