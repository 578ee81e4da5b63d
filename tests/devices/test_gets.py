"""Explicit gets of unusual records, and what becomes of abandoned gets."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import epics
import numpy as np
import pytest
from ophyd.signal import EpicsSignalBase
from ophyd.utils.errors import DisconnectedError

from devices.base.counting import Count
from devices.base.signals import PolledReadback
from devices.channel_access import GroupGet, put

WAIT = 10.0
Record = Callable[..., epics.PV]


@pytest.fixture
def record(soft_prefix: str) -> Record:
    """Connects to a record by its name without prefix."""

    def connected(name: str, **arguments: Any) -> epics.PV:
        pv = epics.PV(soft_prefix + name, form="time", **{"auto_monitor": False, **arguments})
        assert pv.wait_for_connection(WAIT)
        return pv

    return connected


def value(pv: epics.PV) -> Any:
    gets = GroupGet([pv])
    gets.wait(WAIT)
    answer = gets.reply(0)
    assert answer is not None
    return answer[0]


def test_an_array_may_end_with_minus_one(record: Record) -> None:
    np.testing.assert_array_equal(value(record("odd:Unknown")), [7, -1])


def test_a_record_may_hold_what_its_place_was_filled_with(record: Record) -> None:
    """Four bytes that repeat, DE C0 AD DE: a CHAR of 222 is one of them."""
    assert value(record("odd:Filler")) == 222
    np.testing.assert_array_equal(value(record("odd:Fillers")), [7, 222])
    assert GroupGet([record("odd:Filler")])._pvs[0].ftype == epics.dbr.TIME_CHAR


def test_elements_that_are_not_sent_are_left_out(record: Record) -> None:
    assert value(record("odd:Empty")).shape == (0,)
    assert value(record("counter-few:Gates")).shape == (12,)


def test_there_is_room_for_all_that_the_server_sends(record: Record) -> None:
    few = record("counter:Counts", count=5)
    assert few.count == 5
    assert value(few).shape == (20,)


def test_gets_become_garbage_where_a_callback_wants_what_their_thread_holds(record: Record) -> None:
    """The collector may run in any thread, whatever that holds."""
    lock, called, ended, had = threading.Lock(), threading.Event(), threading.Event(), []

    def changed(**_: Any) -> None:
        called.set()
        had.append(lock.acquire(timeout=WAIT))
        ended.set()

    ring: list[Any] = [GroupGet([record("counter:Counts")])]
    ring.append(ring)
    gc.collect()
    with lock:
        record("server-still:Heartbeat", auto_monitor=True, callback=changed)
        assert called.wait(WAIT)
        del ring
        gc.collect()
    assert ended.wait(2 * WAIT)
    assert had == [True]


def test_a_server_that_goes_just_then_is_reported_as_such_and_does_not_hold_a_count_up() -> None:
    """The channel is lost, and pyepics does not know yet."""
    signal = PolledReadback("nobody:there", name="lost")
    pv = signal._read_pv
    pv.ftype, pv.connected = epics.dbr.TIME_LONG, True
    with pytest.raises(epics.ca.ChannelAccessException, match=r"^get of nobody:there: .*disconnect"):
        GroupGet([pv])
    with pytest.raises(epics.ca.ChannelAccessException, match=r"^put to nobody:there: .*disconnect"):
        put(pv, 1)
    Count([signal]).request()
    pv.connected = False
    signal.destroy()


def test_whatever_pyepics_raises_where_a_server_goes_names_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise epics.ca.CASeverityException("get", "Virtual circuit disconnect")

    signal = PolledReadback("nobody:there", name="lost")
    monkeypatch.setattr(EpicsSignalBase, "get", gone)
    with pytest.raises(DisconnectedError, match=r"^lost: record nobody:there did not answer \( get returned"):
        signal.get()
    signal.destroy()


def test_a_thread_of_libca_must_not_wait(record: Record) -> None:
    gets, failed, tried = GroupGet([record("counter:Counts")]), [], threading.Event()

    def changed(**_: Any) -> None:
        try:
            gets.wait(WAIT)
        except epics.ca.ChannelAccessException as error:
            failed.append(str(error))
        tried.set()

    record("server-still:Heartbeat", auto_monitor=True, callback=changed)
    assert tried.wait(WAIT)
    assert len(failed) == 1
    assert failed[0].startswith("wait for gets: ")
