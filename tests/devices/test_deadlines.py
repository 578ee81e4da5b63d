"""Deadlines are met in their order, cancelled ones never, and one that fails stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic

import pytest

from devices.base.deadlines import Deadlines


def test_they_are_met_in_order_and_not_before_their_time() -> None:
    deadlines, met, last = Deadlines(), list[tuple[str, float]](), Event()
    begun = monotonic()

    def note(name: str) -> Callable[[], None]:
        return lambda: met.append((name, monotonic() - begun))

    deadlines.call_later(0.05, note("second"))
    deadlines.call_later(0.02, note("first"))
    deadlines.call_later(0.03, note("never")).cancel()
    deadlines.call_later(0.07, last.set)
    assert last.wait(5)
    assert [name for name, _ in met] == ["first", "second"]
    assert met[0][1] >= 0.02 and met[1][1] >= 0.05
    later = Event()
    deadlines.call_later(0.0, later.set)
    assert later.wait(5)


def test_one_that_fails_is_logged_and_the_next_is_met(caplog: pytest.LogCaptureFixture) -> None:
    deadlines, met = Deadlines(), Event()

    def fail() -> None:
        raise RuntimeError("a shutter has gone")

    with caplog.at_level(logging.ERROR):
        deadlines.call_later(0.0, fail)
        deadlines.call_later(0.01, met.set)
        assert met.wait(5)
    assert "a shutter has gone" in caplog.text
