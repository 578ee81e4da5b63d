"""Cached replies and monitor posts of the simulated records, over real Channel Access."""

from __future__ import annotations

import time
from collections.abc import Iterator

import epics
import pytest

from tests.helpers.pvs import release
from tests.sim_ioc.ca import Channels

DARK = "7idd:I0:Dark"


@pytest.fixture
def dark(default_ioc: Channels) -> Iterator[epics.PV]:
    """A record with time stamps for one test, restored afterwards."""
    pv = epics.PV(default_ioc.ioc.name(DARK), auto_monitor=False, form="time")
    assert pv.wait_for_connection(10)
    before = pv.get()
    yield pv
    default_ioc.put("Fault:AlarmOn", "")
    default_ioc.put(DARK, before)
    release(pv)


def requested(pv: epics.PV) -> dict[str, float]:
    """Value, time stamp and severity of a get with time stamps."""
    return dict(pv.get_with_metadata(use_monitor=False, timeout=10))


def test_a_reply_is_never_that_of_an_earlier_get(default_ioc: Channels, dark: epics.PV) -> None:
    """Replies are cached until the record changes: its value, its alarm, or the time of a put."""
    first = requested(dark)
    assert requested(dark) == first
    dark.put(first["value"] + 1, wait=True)
    second = requested(dark)
    assert second["value"] == first["value"] + 1
    dark.put(second["value"], wait=True)
    third = requested(dark)
    assert third["value"] == second["value"]
    assert third["timestamp"] > second["timestamp"] > first["timestamp"]
    default_ioc.put("Fault:AlarmOn", DARK)
    assert requested(dark)["severity"] == 2
    default_ioc.put("Fault:AlarmOn", "")
    assert requested(dark)["severity"] == 0


def test_a_put_that_changes_nothing_posts_no_monitor(default_ioc: Channels, dark: epics.PV) -> None:
    posted: list[float] = []
    watched = epics.PV(dark.pvname, auto_monitor=True, form="time", callback=lambda value, **_: posted.append(value))
    assert watched.wait_for_connection(10)
    value = watched.get()
    for new in (value, value, value + 1):
        dark.put(new, wait=True)
    deadline = time.monotonic() + 10
    while posted[-1:] != [value + 1]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    release(watched)
    assert posted == [value, value + 1]
