"""The stub all scans share: go to a point, alternate the laser, count, save, checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose, isfinite
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.failures import InstrumentError, wait_by_name
from plans.protocols import Instruments, TimedCounter
from plans.quality import Check
from plans.verdict import Verdict

Readings = Mapping[str, Any]

STREAM = "primary"
ENERGY_KEY = "mono_energy"
STEADY = 5e-5
"""keV; how far the energy of a point's dwells may lie from that of its first. 0.05 eV fakes 2 % of an edge step."""
PRESET_TOLERANCE = 1e-3
"""Relative; counters take times in ticks of their clock."""
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
    steady: tuple[Check, ...] = ()
    for segment, laser_on in enumerate(pattern):
        place = (point_index, segment, 0)
        readings = yield from take_dwell(instruments, place, laser_on, dwell, (*checks, *steady))
        steady = steady or _stays(readings, ENERGY_KEY)


def take_dwell(
    instruments: Instruments,
    place: tuple[int, int, int],
    laser_on: int,
    dwell: float,
    checks: tuple[Check, ...],
) -> MsgGenerator[Readings]:
    """Take one dwell and save it as one event, with a checkpoint right after.

    The shutter is set in every dwell, also where it has not changed: after a pause the messages since the last
    checkpoint are repeated, and the shutter may have been shut in between.

    Parameters
    ----------
    place : tuple of int
        Point index, segment, attempt.

    Returns
    -------
    mapping
        What was read, by data key.
    """
    verdict = Verdict(instruments, laser_on, checks)
    yield from verdict.begin()
    yield from _count(instruments, place, laser_on, dwell)
    yield from bps.create(STREAM)
    yield from verdict.read()
    yield from bps.read(instruments.place)
    yield from bps.save()
    yield from bps.checkpoint()
    return verdict.readings


def set_preset(counter: TimedCounter, dwell: float) -> MsgGenerator[None]:
    """Set the time (beamline seconds) that a counter counts for.

    Raises
    ------
    InstrumentError
        If the counter has not taken it.
    """
    group = f"preset of {counter.name}"
    status = yield from bps.abs_set(counter.preset_time, dwell, group=group)
    yield from wait_by_name(group, {counter.name: status}, COUNT_MARGIN)
    taken = yield from bps.rd(counter.preset_time, default_value=dwell)
    if not isclose(taken, dwell, rel_tol=PRESET_TOLERANCE):
        raise InstrumentError(f"{counter.name} is set to count for {taken:g} s and does not take {dwell:g} s")


def _count(instruments: Instruments, place: tuple[int, int, int], laser_on: int, dwell: float) -> MsgGenerator[None]:
    """Laser on or off, then let all counters count together."""
    state = instruments.place
    point_index, segment, attempt = place
    yield from bps.mv(
        instruments.laser_shutter, laser_on,
        state.point_index, point_index, state.segment, segment, state.attempt, attempt, state.laser_on, laser_on,
        timeout=MOVE_TIMEOUT,
    )  # fmt: skip
    statuses = {}
    for counter in instruments.counters:
        statuses[counter.name] = yield from bps.trigger(counter, group="dwell")
    yield from wait_by_name("dwell", statuses, dwell / instruments.clock_rate + COUNT_MARGIN)


def _stays(readings: Readings, key: str) -> tuple[Check, ...]:
    """A check that a reading is in later dwells what it is in this one."""
    value = readings.get(key)
    if value is None or not isfinite(value):
        return ()
    return (Check(key, value - STEADY, value + STEADY, f"{key} has changed within the point"),)
