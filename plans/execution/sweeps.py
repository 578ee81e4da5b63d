"""The sweeps of a pass: back below the grid, set the laser, fly upwards, collect the frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.compilation.compiled_scan import ScanPass
from plans.compilation.quality import GOOD, Check
from plans.compilation.sweep import Sweep
from plans.execution.dwell_assessment import DWELL, DwellAssessment
from plans.execution.failures import wait_by_name
from plans.execution.messages import checkpoint, prepare, put, save, wait
from plans.execution.point import LABEL_KEYS, MOVE_TIMEOUT, SteadyPhase, go_to, read_into_event, set_laser
from plans.execution.point_rules import PointRules
from plans.execution.server_replies import with_replies
from plans.execution.wait_for_counts import COUNT_MARGIN, wait_for_counts
from plans.execution.watching import OFF_POINT, windows_of, within
from plans.protocols import Instruments, Sweeper, TimedCounter

FRAMES_STREAM = "frames"
"""Stream of the frames; that of the sweeps is the primary one, an event each."""
END_KEY, FRAMES_KEY = "sweep_end", "sweep_frames"
"""Data keys of a sweep: the energy at the end of its last frame (keV), and how many frames there are."""
MOST_LOST = 0.1
"""Fraction of the frames without which a sweep is taken again."""
END_TOLERANCE = 3e-4
"""keV; how far from the end of its trajectory the energy may be after a sweep."""


def take_sweeps(instruments: Instruments, one: ScanPass, rules: PointRules) -> MsgGenerator[None]:
    """Take one sweep for each entry of the pattern; a rejected one is recorded and taken again.

    An axis that has moved, the delay for example, is brought back before.

    Parameters
    ----------
    instruments : Instruments
        As they are for sweeps.
    one : ScanPass
    rules : PointRules
    """
    sweeper, sweep, phase = instruments.sweep, one.sweep, SteadyPhase()
    assert sweeper is not None and sweep is not None  # refused before
    settings = one.dwell_settings
    others = replace(one.positions[0], energy=None)
    yield from go_to(instruments, others, None, rules.supervision)
    yield from bps.declare_stream(sweeper, name=FRAMES_STREAM, collect=True)
    yield from checkpoint()
    for segment, laser_on in enumerate(settings.pattern):
        for attempt in range(settings.attempts):
            checks = (*rules.checks, *_whole(sweep), *phase.checks())
            last = segment + 1 == len(settings.pattern)
            assessment = _assessment(instruments, one, rules, laser_on, checks)
            fly = partial(_fly, instruments, sweep, assessment, rules, (0, segment, attempt), laser_on)
            yield from with_replies(rules.supervision.servers, fly, partial(_end, sweeper))
            yield from save()
            phase.note(assessment.readings)
            if not (last and assessment.quality == GOOD):  # back while the frames are collected
                yield from put(instruments.energy, sweep.energies[0], group="back")
            collect = partial(bps.collect, sweeper, name=FRAMES_STREAM, return_payload=False)
            yield from with_replies(rules.supervision.servers, collect)
            yield from checkpoint()
            if assessment.quality == GOOD:
                break
            if assessment.axis_moved:
                yield from go_to(instruments, others, None, rules.supervision)
            yield from with_replies(rules.supervision.servers, partial(_wait, instruments, rules, assessment))


def _wait(instruments: Instruments, rules: PointRules, assessment: DwellAssessment) -> MsgGenerator[None]:
    """Wait with the counters for a reading that needs them, such as I0."""
    counting = replace(instruments, counters=instruments.resting)
    presets = []
    for counter in counting.counters:
        presets.append((yield from bps.rd(counter.preset_time, default_value=1.0)))
    yield from wait_for_counts(counting, rules.supervision, assessment, max(presets), _gives)


def _gives(counter: TimedCounter, check: Check) -> bool:
    """Whether the key of a check is that of a counter, by the key of its time: ``i0`` and ``i0_time``."""
    return counter.counted_key == check.per or counter.counted_key.startswith(f"{check.key}_")


def _assessment(
    instruments: Instruments, one: ScanPass, rules: PointRules, laser_on: int, checks: tuple[Check, ...]
) -> DwellAssessment:
    held = windows_of(replace(one.positions[0], energy=None), rules.supervision.tolerances)
    checks = (*checks, *within(held, OFF_POINT))
    return DwellAssessment(instruments, rules.supervision, laser_on, checks, held, moving=(instruments.energy,))


def _whole(sweep: Sweep) -> tuple[Check, ...]:
    """Checks that the energy has arrived at the end, and that most frames are there."""
    end = sweep.energies[-1]
    expected = (1 - MOST_LOST) * sweep.seconds / sweep.frame
    return (
        Check(END_KEY, end - END_TOLERANCE, end + END_TOLERANCE, "the sweep has not reached its end"),
        Check(FRAMES_KEY, expected, float("inf"), "too many frames are lost"),
    )


def _fly(
    instruments: Instruments,
    sweep: Sweep,
    assessment: DwellAssessment,
    rules: PointRules,
    label: tuple[int, int, int],
    laser_on: int,
) -> MsgGenerator[None]:
    """One sweep up to the open event with its readings."""
    sweeper = instruments.sweep
    assert sweeper is not None
    yield from assessment.begin()
    yield from put(instruments.energy, sweep.energies[0], group="begin")
    yield from prepare(sweeper, sweep.trajectory(instruments.clock_rate), group="begin")  # its records may be new
    yield from set_laser(instruments, rules.supervision, laser_on)
    yield from wait("begin", MOVE_TIMEOUT)
    yield from bps.kickoff(sweeper, group="kickoff", wait=True)
    yield from put(instruments.dwell_label, dict(zip(LABEL_KEYS, (*label, laser_on), strict=True)), group=DWELL)
    status = yield from bps.complete(sweeper, group=DWELL, wait=False)
    seconds = sweep.seconds / instruments.clock_rate
    yield from wait_by_name(DWELL, {sweeper.name: status}, 1.5 * seconds + COUNT_MARGIN)
    yield from read_into_event(instruments, assessment, rules.stream)


def _end(sweeper: Sweeper) -> MsgGenerator[None]:
    """End what is left of a sweep that has failed."""
    yield from bps.stop(sweeper)
