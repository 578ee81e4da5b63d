"""Waits for readings that exist only while a counter counts, such as I0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.compilation.quality import Check
from plans.execution.dwell_assessment import DwellAssessment
from plans.execution.failures import wait_by_name
from plans.execution.messages import checkpoint, read, trigger, wait_for
from plans.protocols import Instruments, Supervision, TimedCounter

COUNT_MARGIN = 15.0
"""Seconds of wall time after the end of a dwell before a counter that has not answered counts as dead."""


def wait_for_counts(
    instruments: Instruments,
    supervision: Supervision,
    assessment: DwellAssessment,
    dwell: float,
    reads: Callable[[TimedCounter, Check], bool] | None = None,
) -> MsgGenerator[None]:
    """After a rejected dwell: wait while a reading with `Check.waits` is outside its limits.

    Such a reading is updated only while its counter counts. So the counter is triggered from time to time, with the
    laser shut and without an event, until the reading is within its limits.

    Parameters
    ----------
    instruments : Instruments
    supervision : Supervision
    assessment : DwellAssessment
        Of the dwell.
    dwell : float
        Preset time of the counters, beamline seconds.
    reads : callable, optional
        Whether a counter gives the reading of a check; by default those that gave it in the dwell.
    """
    reads = reads or assessment.is_read_from
    for check in assessment.checks_to_wait_for():
        counters = [counter for counter in instruments.counters if reads(counter, check)]
        if not counters:
            continue
        if instruments.laser_shutter is not None:
            yield from bps.abs_set(instruments.laser_shutter, 0, group="wait")
            yield from bps.wait("wait")
        wait = None
        while not check.passes(readings := (yield from _count_once(instruments, supervision, counters, dwell))):
            if wait is None:
                reading = f"{check.key} is {readings[check.key]:g}; counted again every {check.waits:g} s"
                wait = supervision.wait_observer.begin(check.reason, reading)
            yield from bps.sleep(check.waits / instruments.clock_rate)
            yield from checkpoint()  # a pause must not repeat the whole wait
        if wait is not None:
            supervision.wait_observer.end(wait)


def _count_once(
    instruments: Instruments, supervision: Supervision, counters: list[TimedCounter], dwell: float
) -> MsgGenerator[dict[str, Any]]:
    """Readings of the counters after one count, outside of any event."""
    if supervision.restore_xrays is not None:
        yield from wait_for(supervision.restore_xrays)
    statuses, readings = {}, {}
    for counter in counters:
        statuses[counter.name] = yield from trigger(counter, group="count once")
    yield from wait_by_name("count once", statuses, dwell / instruments.clock_rate + COUNT_MARGIN)
    for counter in counters:
        found = yield from read(counter)
        readings.update({key: entry["value"] for key, entry in (found or {}).items()})
    return readings
