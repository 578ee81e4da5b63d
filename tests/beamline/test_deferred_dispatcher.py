"""Events are dispatched in order after a delay, or at once on request."""

from __future__ import annotations

import asyncio
from typing import Any

from beamline.session.deferred_dispatcher import PAUSE, DeferredDispatcher


def handed(*names: str, waits: float = 0.0, catch_up: bool = False) -> list[str]:
    """Documents that two subscribers have received so far."""
    got: list[str] = []

    async def run() -> None:
        subscribers = [lambda name, doc, who=who: got.append(f"{who} {name}{doc.get('n', '')}") for who in "ab"]
        later = DeferredDispatcher(asyncio.get_running_loop(), subscribers)
        for number, name in enumerate(names):
            later(name, {"n": number} if name == "event" else {})
        await asyncio.sleep(waits)
        if catch_up:
            later.catch_up()
            later.catch_up()

    asyncio.run(run())
    return got


def test_an_event_waits_and_everything_else_does_not() -> None:
    assert handed("start", "descriptor", "event") == ["a start", "b start", "a descriptor", "b descriptor"]


def test_an_event_is_dispatched_after_a_delay() -> None:
    assert handed("event", waits=10 * PAUSE) == ["a event0", "b event0"]


def test_an_event_is_dispatched_before_what_follows_it() -> None:
    assert handed("event", "event", "stop") == ["a event0", "b event0", "a event1", "b event1", "a stop", "b stop"]


def test_rows_of_files_wait_with_their_event() -> None:
    rows = ("event", "stream_resource", "stream_datum")
    assert handed(*rows) == []
    in_order = ["a event0", "b event0", "a stream_resource", "b stream_resource", "a stream_datum", "b stream_datum"]
    assert handed(*rows, waits=10 * PAUSE) == in_order
    assert handed(*rows, "stop") == [*in_order, "a stop", "b stop"]


def test_rows_of_files_without_an_event_do_not_wait() -> None:
    assert handed("stream_datum") == ["a stream_datum", "b stream_datum"]


def test_catching_up_dispatches_at_once_and_once() -> None:
    assert handed("event", catch_up=True) == ["a event0", "b event0"]


def test_nothing_comes_twice() -> None:
    got: list[Any] = handed("event", "stop", waits=10 * PAUSE)
    assert got == ["a event0", "b event0", "a stop", "b stop"]
