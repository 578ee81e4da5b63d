"""Counts of a finding: set something, count, save one event; without the retakes of a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.protocols import Readable
from bluesky.utils import MsgGenerator

from plans.commissioning.document import LabelReading
from plans.commissioning.roles import Bench
from plans.compilation.quality import GOOD
from plans.execution.failures import wait_by_name
from plans.execution.messages import checkpoint, create, drop, move, put, read, save, trigger, wait_for
from plans.execution.point import LABEL_KEYS, MOVE_TIMEOUT, set_laser, set_preset
from plans.execution.point_rules import STREAM
from plans.execution.server_replies import with_replies
from plans.execution.wait_for_counts import COUNT_MARGIN
from plans.protocols import Axis

GROUP = "count of a finding"


def prepare(bench: Bench, dwell: float) -> MsgGenerator[None]:
    """Set the preset time (beamline s) of all counters."""
    for counter in bench.instruments.counters:
        yield from set_preset(counter, dwell)


def count(
    bench: Bench,
    settings: Mapping[Axis, float],
    dwell: float,
    point: int,
    laser_on: int = 0,
    also: Sequence[Readable] = (),
    labels: Mapping[str, float | str] | None = None,
) -> MsgGenerator[dict[str, Any]]:
    """Set what is to be set, count with all counters for a dwell (beamline s), and save one event; its readings.

    `also` is read with it. `labels` are what the judge needs to know of the count beside the readings; they are a part
    of both, so that a stored run can be judged again. All counts of a run have some, or none has.

    If a server stops replying, the count is repeated when it replies.
    """

    described = () if labels is None else (LabelReading(labels),)

    def once() -> MsgGenerator[dict[str, Any]]:
        for ready in bench.supervision.awaited_before_a_dwell():
            yield from wait_for(ready)
        yield from set_laser(bench.instruments, bench.supervision, laser_on)
        for axis, value in settings.items():
            yield from move(axis, value, MOVE_TIMEOUT)
        return (yield from _counted(bench, dwell, point, laser_on, (*also, *described)))

    readings = yield from with_replies(bench.supervision.servers, once)
    yield from save()
    yield from checkpoint()
    return {**readings, **(labels or {})}


def _counted(
    bench: Bench, dwell: float, point: int, laser_on: int, also: Sequence[Readable]
) -> MsgGenerator[dict[str, Any]]:
    instruments = bench.instruments
    statuses = {}
    for counter in instruments.counters:
        statuses[counter.name] = yield from trigger(counter, group=GROUP)
    labels = dict(zip(LABEL_KEYS, (point, 0, 0, laser_on), strict=True))
    yield from put(instruments.dwell_label, labels, group=GROUP)
    yield from put(instruments.dwell_label.quality, GOOD, group=GROUP)  # not that of an earlier dwell
    yield from wait_by_name(GROUP, statuses, dwell / instruments.clock_rate + COUNT_MARGIN)
    yield from create(STREAM)
    readings: dict[str, Any] = {}
    try:
        own = (bench.threshold, bench.fill_pattern, instruments.dwell_label)
        for device in [*instruments.read_in_a_dwell(), *own, *also]:
            if device is not None and device.name not in readings:  # what is a part of another one is read with it
                found = yield from read(device)
                readings.update({key: entry["value"] for key, entry in (found or {}).items()})
    except Exception:
        yield from drop()
        raise
    return readings


def mixed(number: int) -> list[int]:
    """The indices of a scan in an order without trend: slow changes of jet and ring are then scatter, not a slope."""
    return [int(each) for each in np.random.default_rng(number).permutation(number)]


def present(axis: Axis) -> MsgGenerator[float]:
    """Present position of an axis."""
    return float((yield from bps.rd(axis)))


def is_in_reach(axis: Axis, value: float) -> bool:
    """Whether an axis can go there."""
    try:
        axis.check_value(value)
    except ValueError:
        return False
    return True
