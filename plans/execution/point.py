"""The stub all scans share: go to a point, alternate the laser, count, save, checkpoint, and take again what is bad."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, isfinite
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import FailedStatus, MsgGenerator

from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.positions import Position, moves_to
from plans.compilation.quality import GOOD, Check
from plans.compilation.stopping_rule import StoppingRule
from plans.execution.dwell_assessment import DWELL, DwellAssessment
from plans.execution.failures import InstrumentError, wait_by_name
from plans.execution.messages import checkpoint, create, move, prepare, put, read, save, trigger
from plans.execution.wait_for_counts import COUNT_MARGIN, wait_for_counts
from plans.protocols import Instruments, TimedCounter

Readings = Mapping[str, Any]

STREAM = "primary"
PLACE_KEYS = ("point_index", "segment", "attempt", "laser_on")
ENERGY_KEY = "mono_energy"
STEADY = 5e-5
"""keV; how far the energy of a point's dwells may lie from that of its first. 0.05 eV fakes 2 % of an edge step."""
ARRIVED = 6e-5
"""keV; how far the energy of a point's first dwell may lie from the point: what an axis may be off, and rounding."""
OFF_POINT = f"{ENERGY_KEY} is not at the point"
CHANGED = f"{ENERGY_KEY} has changed within the point"
PRESET_TOLERANCE = 1e-3
"""Relative; counters take times in ticks of their clock."""
MOVE_TIMEOUT = 150.0
"""Seconds of wall time for a move of an axis."""


def go_to(instruments: Instruments, position: Position, previous: Position | None) -> MsgGenerator[None]:
    """Go to a point; the energy arrives from below, against the backlash of the drive.

    Parameters
    ----------
    instruments : Instruments
    position : Position
    previous : Position, optional
        Where the axes are; None if that is not known.
    """
    for step in moves_to(position, previous):
        yield from move(instruments.axis(step.axis), step.value, MOVE_TIMEOUT)


def take_point(
    instruments: Instruments,
    position: Position,
    dwelling: DwellSettings,
    checks: tuple[Check, ...] = (),
    judge: StoppingRule | None = None,
) -> MsgGenerator[None]:
    """Take all dwells of one point at the present position: the laser on (1) or off (0) as the pattern says.

    A dwell that does not count is recorded and taken again. If the energy was lost, the axis is brought back and the
    whole point is taken again: on and off must be measured at one setting of the monochromator.

    Parameters
    ----------
    instruments : Instruments
    position : Position
        Where the axes are.
    dwelling : DwellSettings
    checks : tuple of Check
        What makes a dwell count.
    judge : StoppingRule, optional
        Asked after each pattern whether another one is wanted.
    """
    attempt: int | None = 0
    while attempt is not None and attempt < dwelling.attempts:
        if attempt:
            yield from go_to(instruments, position, None)
        attempt = yield from _take_cycles(instruments, position, dwelling, attempt, checks, judge)


def _take_cycles(
    instruments: Instruments,
    position: Position,
    dwelling: DwellSettings,
    first_attempt: int,
    checks: tuple[Check, ...],
    judge: StoppingRule | None,
) -> MsgGenerator[int | None]:
    """The pattern, as often as wanted. Number of the next attempt if the energy was lost, else None."""
    steady = _arrived(position)
    for segment in range(dwelling.cycles * len(dwelling.pattern)):
        laser_on = dwelling.pattern[segment % len(dwelling.pattern)]
        for attempt in range(first_attempt, dwelling.attempts):
            place = (position.point_index, segment, attempt)
            following = _following(dwelling, segment, judge)
            verdict = yield from take_dwell(instruments, place, laser_on, dwelling.dwell, (*checks, *steady), following)
            if OFF_POINT in verdict.quality or CHANGED in verdict.quality:
                return attempt + 1
            if verdict.quality == GOOD:
                break
            yield from wait_for_counts(instruments, verdict, dwelling.dwell)
        if segment == 0:
            steady = _stays(verdict.readings, ENERGY_KEY)
        if (segment + 1) % len(dwelling.pattern) == 0 and not _wants_more(judge, position.point_index):
            return None
    return None


def _following(dwelling: DwellSettings, segment: int, judge: StoppingRule | None) -> int | None:
    """The laser of the next dwell at this point; None if there is none, or if that is still to be judged."""
    later = segment + 1
    pattern = dwelling.pattern
    ends = later == dwelling.cycles * len(pattern) or (judge is not None and later % len(pattern) == 0)
    return None if ends else pattern[later % len(pattern)]


def _wants_more(judge: StoppingRule | None, point_index: int) -> bool:
    """Whether a point is to be counted further; yes where the judge cannot say."""
    wanted = judge(point_index) if judge is not None else 0.0
    return wanted is None or wanted > 0


def take_dwell(
    instruments: Instruments,
    place: tuple[int, int, int],
    laser_on: int,
    dwell: float,
    checks: tuple[Check, ...],
    following: int | None = None,
) -> MsgGenerator[DwellAssessment]:
    """Take one dwell and save it as one event, with a checkpoint right after.

    The shutter is set in every dwell, also where it has not changed: after a pause the messages since the last
    checkpoint are repeated, and the shutter may have been shut in between. It is told of the following dwell as soon
    as this one is read out, so that it moves while the event is saved.

    Parameters
    ----------
    place : tuple of int
        Point index, segment, attempt.
    following : int, optional
        Whether the laser is on (1) or off (0) in the next dwell, if this one counts.

    Returns
    -------
    Verdict
        What was read, and whether it counts.
    """
    verdict = DwellAssessment(instruments, laser_on, checks)
    yield from verdict.begin()
    yield from _count(instruments, place, laser_on, dwell)
    yield from create(STREAM)
    yield from verdict.read()
    yield from read(instruments.place)
    if following is not None and verdict.quality == GOOD:
        yield from prepare(instruments.laser_shutter, following, group=DWELL)
    yield from save()
    yield from checkpoint()
    return verdict


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
    """Laser on or off, then let all counters count together; where this belongs is noted while they count."""
    yield from set_laser(instruments, laser_on)
    statuses = {}
    for counter in instruments.counters:
        statuses[counter.name] = yield from trigger(counter, group=DWELL)
    where = dict(zip(PLACE_KEYS, (*place, laser_on), strict=True))
    yield from put(instruments.place, where, group=DWELL)
    yield from wait_by_name(DWELL, statuses, dwell / instruments.clock_rate + COUNT_MARGIN)


def set_laser(instruments: Instruments, laser_on: int) -> MsgGenerator[None]:
    """Open (1) or shut (0) the laser shutter; one that does not follow is asked again before the scan is given up.

    Raises
    ------
    bluesky.utils.FailedStatus
        If it has not followed in all tries.
    """
    waiting = None
    for left in reversed(range(instruments.shutter_tries)):
        try:
            yield from move(instruments.laser_shutter, laser_on, MOVE_TIMEOUT)
            break
        except FailedStatus as failed:
            if waiting is None and left:
                again = f"{failed.__cause__ or failed}; asked {left} times more, each {instruments.shutter_wait:g} s"
                waiting = instruments.waits.begin("the laser shutter does not follow", again)
            if not left:
                instruments.waits.give_up(waiting)
                raise
            yield from bps.sleep(instruments.shutter_wait / instruments.clock_rate)
    if waiting is not None:
        instruments.waits.end(waiting)


def _arrived(position: Position) -> tuple[Check, ...]:
    """A check that the energy is that of the point."""
    if position.energy is None:
        return ()
    return (Check(ENERGY_KEY, position.energy - ARRIVED, position.energy + ARRIVED, OFF_POINT),)


def _stays(readings: Readings, key: str) -> tuple[Check, ...]:
    """A check that a reading is in later dwells what it is in this one."""
    value = readings.get(key)
    if value is None or not isfinite(value):
        return ()
    return (Check(key, value - STEADY, value + STEADY, CHANGED),)
