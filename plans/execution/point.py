"""The stub that all scans share: move to a point, alternate the laser, count, save, checkpoint, retake bad dwells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import isclose, isfinite
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.protocols import Preparable
from bluesky.utils import FailedStatus, MsgGenerator

from plans.compilation.positions import Position, moves_to
from plans.compilation.quality import GOOD, Check
from plans.execution.dwell_assessment import CHANGED, DWELL, DwellAssessment
from plans.execution.failures import InstrumentError, wait_by_name
from plans.execution.messages import checkpoint, create, drop, move, prepare, put, read, save, trigger, wait
from plans.execution.point_rules import PointRules
from plans.execution.server_replies import with_replies
from plans.execution.steady_temperature import ramp
from plans.execution.wait_for_counts import COUNT_MARGIN, wait_for_counts
from plans.execution.watching import AXIS_KEYS, OFF_POINT, windows_of, within
from plans.protocols import Instruments, Supervision, TimedCounter

Readings = Mapping[str, Any]

MONITOR_STREAM = "monitor"  # of the dwells at monitor energies
LABEL_KEYS = ("point_index", "segment", "attempt", "laser_on")
ENERGY_KEY = AXIS_KEYS["energy"]
STEADY = 5e-5
"""keV; how far the energy of a point's dwells may lie from that of its first. 0.05 eV fakes 2 % of an edge step."""
PHASE_KEY = "laser_phase"
SLIPPED = f"{PHASE_KEY} has changed"
COUNTED_TOLERANCE = 0.01
"""Relative; how far what a counter has counted for may be from the dwell."""
PRESET_TOLERANCE = 1e-3  # relative; counters take times in ticks of their clock
MOVE_TIMEOUT = 150.0  # seconds of wall time for a move of an axis


class SteadyPhase:
    """Remembers the phase of the laser at the end of each dwell: one in which it changed is rejected."""

    def __init__(self) -> None:
        self._last: float | None = None

    def checks(self) -> tuple[Check, ...]:
        """That the phase is what it was at the end of the dwell before."""
        return () if self._last is None else (Check(PHASE_KEY, self._last, self._last, SLIPPED),)

    def note(self, readings: Readings) -> None:
        """Take the phase at the end of a dwell."""
        value = readings.get(PHASE_KEY)
        if value is not None and isfinite(value):
            self._last = float(value)


def go_to(
    instruments: Instruments,
    position: Position,
    previous: Position | None,
    supervision: Supervision,
    laser_on: int | None = None,
) -> MsgGenerator[None]:
    """Move to a point, and wait there for a steady temperature; the energy comes from below, against the backlash.

    Parameters
    ----------
    instruments : Instruments
    position : Position
    previous : Position, optional
        Where the axes are; None if that is not known.
    supervision : Supervision
        If one of its servers stops replying, the moves are repeated when it replies.
    laser_on : int, optional
        State of the laser in the first dwell there, to which its shutter moves beside the last axis.
    """
    known = [previous]

    def moves() -> MsgGenerator[None]:
        steps = moves_to(position, known.pop() if known else None)
        for left, step in zip(reversed(range(len(steps))), steps, strict=True):
            if step.axis == "temperature":
                yield from ramp(instruments, supervision, step.value)
                continue
            yield from put(instruments.axis(step.axis), step.value, group="move")
            if not left:
                yield from prepare_laser(instruments, laser_on)
            yield from wait("move", MOVE_TIMEOUT)

    yield from with_replies(supervision.servers, moves)


def take_point(
    instruments: Instruments, position: Position, rules: PointRules, phase: SteadyPhase | None = None
) -> MsgGenerator[None]:
    """Take all dwells of one point at the present position, with the laser on (1) or off (0) as in the pattern.

    A rejected dwell is recorded and retaken. If an axis has moved, it is brought back and the whole
    point is retaken: on and off must be measured at one setting, of the monochromator above all.

    Parameters
    ----------
    instruments : Instruments
    position : Position
        Where the axes are.
    rules : PointRules
    phase : SteadyPhase, optional
        What is known of the laser's phase from the point before.
    """
    phase = phase or SteadyPhase()
    attempt: int | None = 0
    while attempt is not None and attempt < rules.dwell_settings.attempts:
        if attempt:
            yield from go_to(instruments, position, None, rules.supervision)
        attempt = yield from _take_cycles(instruments, position, rules, attempt, phase)


def _take_cycles(
    instruments: Instruments, position: Position, rules: PointRules, first_attempt: int, phase: SteadyPhase
) -> MsgGenerator[int | None]:
    """Repeat the pattern as often as needed. Returns the number of the next attempt if an axis moved, else None."""
    settings, windows = rules.dwell_settings, windows_of(position, rules.supervision.tolerances)
    at_point = within(windows, OFF_POINT)
    for segment in range(settings.cycles * len(settings.pattern)):
        laser_on = settings.pattern[segment % len(settings.pattern)]
        for attempt in range(first_attempt, settings.attempts):
            label = (position.point_index, segment, attempt)
            checked = replace(rules, checks=(*rules.checks, *at_point, *phase.checks()), windows=windows)
            assessment = yield from take_dwell(instruments, label, laser_on, checked)
            phase.note(assessment.readings)
            if assessment.axis_moved:
                return attempt + 1
            if assessment.quality == GOOD:
                break
            again = partial(wait_for_counts, instruments, rules.supervision, assessment, settings.dwell)
            yield from with_replies(rules.supervision.servers, again)
        if segment == 0:
            at_point = (
                *_stays(assessment.readings, ENERGY_KEY),
                *(each for each in at_point if each.key != ENERGY_KEY),
            )
        if (segment + 1) % len(settings.pattern) == 0 and not rules.needs_more(position.point_index):
            return None
    return None


def read_into_event(instruments: Instruments, assessment: DwellAssessment, stream: str) -> MsgGenerator[None]:
    """Read all instruments into an event that is left open; it is dropped if one cannot be read."""
    yield from create(stream)
    try:
        yield from assessment.read()
        yield from read(instruments.dwell_label)
    except Exception:
        yield from drop()
        raise


def take_dwell(
    instruments: Instruments, label: tuple[int, int, int], laser_on: int, rules: PointRules
) -> MsgGenerator[DwellAssessment]:
    """Take one dwell and save it as one event, with a checkpoint right after.

    The shutter is set in every dwell, also where its state does not change: after a pause the RunEngine repeats the
    messages since the last checkpoint, and the shutter may have been shut in between. As soon as a good dwell is read
    out, `prepare` starts the shutter towards the next state, so that it moves while the event is saved. If a server
    stops replying, the dwell is taken again when it replies.

    Parameters
    ----------
    label : tuple of int
        Point index, segment, attempt.

    Returns
    -------
    DwellAssessment
        The readings, and whether the dwell counts.
    """
    assessment = DwellAssessment(instruments, rules.supervision, laser_on, rules.checks, rules.windows)

    def count_and_read() -> MsgGenerator[None]:
        yield from assessment.begin()
        yield from _count(instruments, label, laser_on, rules)
        yield from read_into_event(instruments, assessment, rules.stream)

    yield from with_replies(rules.supervision.servers, count_and_read, partial(_end_count, instruments, rules))
    if assessment.quality == GOOD:
        yield from prepare_laser(instruments, rules.next_laser_state(label[1]))
    yield from save()
    yield from checkpoint()
    return assessment


def set_preset(counter: TimedCounter, dwell: float) -> MsgGenerator[None]:
    """Set the preset time (beamline seconds) of a counter.

    Raises
    ------
    InstrumentError
        If the readback differs from the setpoint.
    """
    group = f"preset of {counter.name}"
    status = yield from bps.abs_set(counter.preset_time, dwell, group=group)
    yield from wait_by_name(group, {counter.name: status}, COUNT_MARGIN)
    readback = yield from bps.rd(counter.preset_time, default_value=dwell)
    if not isclose(readback, dwell, rel_tol=PRESET_TOLERANCE):
        raise InstrumentError(f"{counter.name} is set to count for {readback:g} s and does not take {dwell:g} s")


def _count(
    instruments: Instruments, label: tuple[int, int, int], laser_on: int, rules: PointRules
) -> MsgGenerator[None]:
    """Set the laser, then count with all counters together; the label of the dwell is set while they count."""
    yield from set_laser(instruments, rules.supervision, laser_on)
    statuses = {}
    for counter in instruments.counters:
        statuses[counter.name] = yield from trigger(counter, group=DWELL)
    labels = dict(zip(LABEL_KEYS, (*label, laser_on), strict=True))
    yield from put(instruments.dwell_label, labels, group=DWELL)
    dwell = rules.dwell_settings.dwell / instruments.clock_rate
    yield from wait_by_name(DWELL, statuses, dwell + COUNT_MARGIN)


def _end_count(instruments: Instruments, rules: PointRules) -> MsgGenerator[None]:
    """Wait for what is left of a count that has failed: the next one must not be put behind it."""
    with suppress(FailedStatus, TimeoutError):
        yield from wait(DWELL, rules.dwell_settings.dwell / instruments.clock_rate + COUNT_MARGIN)


def prepare_laser(instruments: Instruments, laser_on: int | None) -> MsgGenerator[None]:
    """Start the laser shutter, if it can be prepared, towards its next state, if there is one; `set_laser` waits."""
    if laser_on is not None and isinstance(instruments.laser_shutter, Preparable):
        yield from prepare(instruments.laser_shutter, laser_on, group=DWELL)


def set_laser(instruments: Instruments, supervision: Supervision, laser_on: int) -> MsgGenerator[None]:
    """Open (1) or shut (0) the laser shutter, if there is one; retries before the scan fails.

    Raises
    ------
    bluesky.utils.FailedStatus
        If its status has not followed after the last attempt.
    """
    if instruments.laser_shutter is None:
        return
    observer, interval = supervision.wait_observer, supervision.shutter_retry_interval
    wait = None
    for left in reversed(range(supervision.shutter_tries)):
        try:
            yield from move(instruments.laser_shutter, laser_on, MOVE_TIMEOUT)
            break
        except FailedStatus as failed:
            if wait is None and left:
                retries = f"{failed.__cause__ or failed}; retried up to {left} times, every {interval:g} s"
                wait = observer.begin("the laser shutter does not follow", retries)
            if not left:
                observer.give_up(wait)
                raise
            yield from bps.sleep(interval / instruments.clock_rate)
    if wait is not None:
        observer.end(wait)


def _stays(readings: Readings, key: str) -> tuple[Check, ...]:
    """A check that a reading stays in later dwells what it is in this one."""
    value = readings.get(key)
    if value is None or not isfinite(value):
        return ()
    return (Check(key, value - STEADY, value + STEADY, f"{key} {CHANGED}"),)


def counted(counters: Iterable[TimedCounter], dwell: float) -> tuple[Check, ...]:
    """Checks that counters have counted for the requested time: any client can end a count."""
    keys = [counter.counted_key for counter in counters if counter.counted_key]
    low, high = dwell * (1 - COUNTED_TOLERANCE), dwell * (1 + COUNTED_TOLERANCE)
    return tuple(Check(key, low, high, f"{key} is not the dwell") for key in keys)
