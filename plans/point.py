"""The stub all scans share: go to a point, alternate the laser, count, save, checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.protocols import Instruments
from plans.quality import Check, assess

STREAM = "primary"
COUNT_MARGIN = 15.0
"""Seconds of wall time after the end of a dwell before a counter that has not answered counts as dead."""
MOVE_TIMEOUT = 150.0
"""Seconds of wall time for a move of an axis."""


def approach(instruments: Instruments, energy: float, overshoot: float) -> MsgGenerator[None]:
    """Go to an energy (keV) from below: first `overshoot` (keV) lower, against the backlash of the drive."""
    axis = instruments.energy
    yield from bps.mv(axis, energy - overshoot, timeout=MOVE_TIMEOUT)
    yield from bps.mv(axis, energy, timeout=MOVE_TIMEOUT)


def take_point(
    instruments: Instruments,
    point_index: int,
    pattern: Sequence[int],
    dwell: float,
    checks: tuple[Check, ...],
) -> MsgGenerator[None]:
    """Take all dwells of one point at the present position: the laser on (1) or off (0) as `pattern` says.

    Parameters
    ----------
    instruments : Instruments
    point_index : int
    pattern : sequence of int
        Laser state of each dwell, for example ``(1, 0, 0, 1)``.
    dwell : float
        Beamline seconds of each; the counters' preset time is set by the plan.
    checks : tuple of Check
        What makes a dwell count.
    """
    for segment, laser_on in enumerate(pattern):
        yield from take_dwell(instruments, (point_index, segment, 0), laser_on, dwell, checks)


def take_dwell(
    instruments: Instruments,
    place: tuple[int, int, int],
    laser_on: int,
    dwell: float,
    checks: tuple[Check, ...],
) -> MsgGenerator[None]:
    """Take one dwell and save it as one event, with a checkpoint right after.

    The shutter is set in every dwell, also where it has not changed: after a pause the messages since the last
    checkpoint are repeated, and the shutter may have been shut in between.

    Parameters
    ----------
    place : tuple of int
        Point index, segment, attempt.
    """
    state = instruments.place
    point_index, segment, attempt = place
    yield from bps.mv(
        instruments.laser_shutter, laser_on,
        state.point_index, point_index, state.segment, segment, state.attempt, attempt, state.laser_on, laser_on,
        timeout=MOVE_TIMEOUT,
    )  # fmt: skip
    for counter in instruments.counters:
        yield from bps.trigger(counter, group="dwell")
    yield from bps.wait("dwell", timeout=dwell / instruments.clock_rate + COUNT_MARGIN)
    yield from bps.create(STREAM)
    readings: dict[str, Any] = {}
    for device in instruments.read_in_a_dwell():
        reading = yield from bps.read(device)
        readings.update({key: entry["value"] for key, entry in (reading or {}).items()})
    if readings:
        yield from bps.abs_set(state.quality, assess(readings, checks, bool(laser_on)), wait=True)
    yield from bps.read(state)
    yield from bps.save()
    yield from bps.checkpoint()
