"""What a scan waits for by itself: readings that only a count tells, such as I0, and who is told of it."""

from __future__ import annotations

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.execution.dwell_assessment import DwellAssessment
from plans.execution.failures import wait_by_name
from plans.execution.messages import checkpoint, read, trigger, wait_for
from plans.protocols import Instruments, TimedCounter

COUNT_MARGIN = 15.0
"""Seconds of wall time after the end of a dwell before a counter that has not answered counts as dead."""


def wait_for_counts(instruments: Instruments, verdict: DwellAssessment, dwell: float) -> MsgGenerator[None]:
    """After a dwell that does not count: wait while a reading with `Check.waits` is outside its limits.

    Such a reading is there only while a counter counts. So the counter is let count from time to time, with the laser
    shut and without an event, until the reading is right.

    Parameters
    ----------
    instruments : Instruments
    verdict : DwellAssessment
        Of the dwell.
    dwell : float
        Beamline seconds that counters are set to count for.
    """
    for check in verdict.waited_for():
        counters = [counter for counter in instruments.counters if verdict.is_read_from(counter, check)]
        if not counters:
            continue
        yield from bps.abs_set(instruments.laser_shutter, 0, group="wait")
        yield from bps.wait("wait")
        wait = None
        while not check.passes(readings := (yield from _look(instruments, counters, dwell))):
            if wait is None:
                reading = f"{check.key} is {readings[check.key]:g}; counted again each {check.waits:g} s"
                wait = instruments.waits.begin(check.reason, reading)
            yield from bps.sleep(check.waits / instruments.clock_rate)
            yield from checkpoint()  # a pause must not repeat all that was waited
        if wait is not None:
            instruments.waits.end(wait)


def _look(instruments: Instruments, counters: list[TimedCounter], dwell: float) -> MsgGenerator[dict[str, Any]]:
    """What counters read after one count, outside of any event."""
    if instruments.xrays_back is not None:
        yield from wait_for(instruments.xrays_back)
    statuses, readings = {}, {}
    for counter in counters:
        statuses[counter.name] = yield from trigger(counter, group="look")
    yield from wait_by_name("look", statuses, dwell / instruments.clock_rate + COUNT_MARGIN)
    for counter in counters:
        found = yield from read(counter)
        readings.update({key: entry["value"] for key, entry in (found or {}).items()})
    return readings
