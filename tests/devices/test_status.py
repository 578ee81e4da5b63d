"""The status of something that ends later."""

from __future__ import annotations

import threading

import pytest
from bluesky.protocols import Status

from devices.channel_access import ThreadlessStatus

WAIT = 20.0


def test_it_is_what_bluesky_calls_a_status() -> None:
    assert isinstance(ThreadlessStatus("a put"), Status)


def test_it_ends_well_and_calls_back_in_the_thread_that_ends_it() -> None:
    pending, called = ThreadlessStatus("a put"), []
    pending.add_callback(lambda status: called.append((status, threading.current_thread().name)))
    assert not pending.done
    assert not pending.success
    ending = threading.Thread(target=pending.end, name="of the record")
    ending.start()
    pending.wait(WAIT)
    ending.join(WAIT)
    assert called == [(pending, "of the record")]
    assert pending.done
    assert pending.success
    assert pending.exception() is None


def test_who_comes_late_is_called_at_once() -> None:
    pending, called = ThreadlessStatus("a put"), []
    pending.end()
    pending.add_callback(called.append)
    assert called == [pending]


def test_the_first_end_counts() -> None:
    pending, called = ThreadlessStatus("a put"), []
    pending.add_callback(called.append)
    pending.end(RuntimeError("refused"))
    pending.end()
    assert pending.done
    assert not pending.success
    assert called == [pending]
    with pytest.raises(RuntimeError, match=r"^refused$"):
        pending.wait()


def test_a_callback_that_fails_keeps_none_of_the_others_from_being_called(caplog: pytest.LogCaptureFixture) -> None:
    pending, called = ThreadlessStatus("a put"), []
    pending.add_callback(lambda _: 1 // 0)
    pending.add_callback(called.append)
    pending.end()
    assert called == [pending]
    assert "a callback failed after the end of a put" in caplog.text


def test_a_wait_that_takes_too_long_names_what_is_waited_for() -> None:
    with pytest.raises(TimeoutError, match=r"^a put has not ended within 0\.01 s$"):
        ThreadlessStatus("a put").wait(0.01)


def test_each_callback_is_called_once_however_ends_and_callbacks_meet() -> None:
    """Two hundred callbacks are added by one thread while another ends it."""
    for _ in range(50):
        pending, called = ThreadlessStatus("a put"), []
        begin = threading.Barrier(2)

        def end(pending: ThreadlessStatus = pending, begin: threading.Barrier = begin) -> None:
            begin.wait(WAIT)
            pending.end()

        ending = threading.Thread(target=end)
        ending.start()
        begin.wait(WAIT)
        for number in range(200):
            pending.add_callback(lambda _, number=number, called=called: called.append(number))
        ending.join(WAIT)
        assert sorted(called) == list(range(200))
