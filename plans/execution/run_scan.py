"""Executes a compiled scan: checks everything that can be refused beforehand, then one run a pass. All scans use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from math import isfinite
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.protocols import Stoppable
from bluesky.utils import FailedStatus, MsgGenerator

from plans.compilation.arguments import check_dwell
from plans.compilation.compiled_scan import CompiledScan, ScanPass
from plans.compilation.estimate import Duration, pass_durations
from plans.compilation.needed_roles import AXES, refuse_missing_roles
from plans.compilation.options import Options
from plans.compilation.positions import Position
from plans.compilation.stopping_rule import refuse_impossible
from plans.execution.failures import raise_cause
from plans.execution.fill_pattern import possible_reference
from plans.execution.messages import wait_for
from plans.execution.point import (
    MONITOR_STREAM,
    MOVE_TIMEOUT,
    SteadyPhase,
    counted,
    go_to,
    set_preset,
    take_point,
)
from plans.execution.point_rules import PointRules
from plans.execution.server_replies import with_replies
from plans.execution.sweeps import take_sweeps
from plans.execution.watching import MOVED, held_windows, within
from plans.protocols import AxisName, Instruments, Supervision, XrayShutterGuard
from plans.watch import ServerWatcher


def measure(instruments: Instruments, compiled: CompiledScan, options: Options) -> MsgGenerator[str]:
    """Execute a compiled scan: one run a pass.

    However a pass ends, the axes are stopped and the laser shutter is shut. After the last pass the axes of
    `CompiledScan.axes_to_restore` return to where they were.

    Parameters
    ----------
    instruments : Instruments
    compiled : CompiledScan
    options : Options
        Only `checks`, `judge` and `supervision` are used; everything else is compiled already.

    Returns
    -------
    str
        The uid of the compiled scan.

    Raises
    ------
    ValueError
        Before anything moves.
    ophyd.utils.LimitError
        Before anything moves, if a point is out of reach.
    plans.execution.failures.InstrumentError
        If an instrument fails during the scan.
    """
    refuse_missing_roles(compiled, instruments)
    if any("reference" in one.start for one in compiled.passes):
        sweeps = all(one.sweep is not None for one in compiled.passes)
        always_on = all(0 not in one.dwell_settings.pattern for one in compiled.passes)
        reference = yield from possible_reference(instruments.timing, options.get("reference"), always_on, sweeps)
        compiled = compiled.with_reference(reference)
    refuse_out_of_reach(instruments, compiled)
    yield from _refuse_impossible_target(instruments, compiled, options)
    before = yield from _present_position(instruments)
    restored = _positions_to_restore(compiled, before)
    compiled = compiled.with_entries(put_back=restored) if restored else compiled
    durations = pass_durations(compiled, instruments.times, instruments.clock_rate, before)
    supervision = options.get("supervision") or Supervision()
    # What cut off an earlier scan may have left them staged, or counting.
    for counter in dict.fromkeys([*instruments.counters, *instruments.images]):
        yield from bps.unstage(counter)

    def alike(group: Iterable[tuple[ScanPass, Duration]]) -> MsgGenerator[None]:
        for one, duration in group:
            devices = instruments.taking_images() if one.images else instruments
            devices = instruments.sweeping() if one.sweep else devices
            rules = _point_rules(one, compiled, options, _not_counting(instruments, devices))
            alone = rules.skips and one.start.get("scan_set") == compiled.uid
            if alone and next(rules.visited(one.positions), None) is None:
                continue
            start = {**one.start, "estimated_time": duration.total}
            yield from _one_pass(devices, one, start, before, rules)

    @bpp.stage_decorator([supervision.servers])
    def passes() -> MsgGenerator[None]:
        timed = zip(compiled.passes, durations, strict=True)
        for _, group in groupby(timed, key=lambda each: each[0].images):  # images have times of their own
            yield from bpp.stage_wrapper(alike(group), [supervision.watch])
        for axis, value in restored.items():
            again = partial(bps.mv, instruments.axis(axis), value, timeout=MOVE_TIMEOUT)
            yield from with_replies(supervision.servers, again)

    yield from passes()
    return compiled.uid


def _not_counting(instruments: Instruments, devices: Instruments) -> tuple[str, ...]:
    """What the data keys of the counters and area detectors begin with that a pass does not trigger."""
    idle = {*instruments.counters, *instruments.images} - {*devices.counters}
    return tuple(f"{counter.name}_" for counter in idle)


def _point_rules(one: ScanPass, compiled: CompiledScan, options: Options, unread: tuple[str, ...]) -> PointRules:
    """How the points of one pass are taken: without X-rays, nothing waits for them, and nothing unread is checked."""
    checks = [check for check in options.get("checks", ()) if not check.key.startswith(unread)]
    supervision = options.get("supervision") or Supervision()
    return PointRules(
        one.dwell_settings,
        checks=tuple(check for check in checks if one.xray or not check.needs_xrays),
        stopping_rule=options.get("judge") if compiled.stops_early else None,
        skips=compiled.allocates and bool(one.start.get("scan_index")),
        supervision=supervision if one.xray else replace(supervision, restore_xrays=None),
    )


def _positions_to_restore(compiled: CompiledScan, before: Position) -> dict[AxisName, float]:
    """Where axes go after the last pass. A resumed measurement has recorded where they were when it began."""
    recorded: Mapping[AxisName, float] = compiled.passes[0].start.get("put_back", {})
    values = {axis: recorded.get(axis, getattr(before, axis)) for axis in compiled.axes_to_restore}
    return {axis: value for axis, value in values.items() if value is not None}


def _present_position(instruments: Instruments) -> MsgGenerator[Position]:
    """Readbacks of the axes; None for an axis that does not exist or has no finite readback."""
    found: dict[str, Any] = {}
    for name in AXES:
        axis = getattr(instruments, name)
        value = (yield from bps.rd(axis, default_value=None)) if axis is not None else None
        if value is not None and isfinite(value):
            found[name] = float(value)
    return Position(0, **found)


def refuse_out_of_reach(instruments: Instruments, compiled: CompiledScan) -> None:
    """Check every setpoint of the scan against the limits of its axis or counter; nothing moves.

    Raises
    ------
    ValueError
        Also the `LimitError` of the axis.
    """
    wanted = {(axis, getattr(here, axis)) for one in compiled.passes for here in one.positions for axis in AXES}
    on_the_way = {(move.axis, move.value) for one in compiled.passes for _, moves in one.moves() for move in moves}
    points = sorted((axis, value) for axis, value in wanted if value is not None)
    for axis, value in [*points, *sorted(on_the_way - wanted)]:  # points first: an error names what the user typed
        instruments.axis(axis).check_value(value)
    for sweep in dict.fromkeys(one.sweep for one in compiled.passes if one.sweep):
        assert instruments.sweep is not None  # refused before
        instruments.sweep.check_trajectory(sweep.trajectory(instruments.clock_rate))
        for end in (sweep.energies[0], sweep.energies[-1]):
            instruments.energy.check_value(end)
    for images, dwell in {(one.images, one.dwell_settings.dwell) for one in compiled.passes if not one.sweep}:
        check_dwell(instruments.images if images else instruments.counters, dwell)


def _one_pass(
    instruments: Instruments, one: ScanPass, start: dict[str, Any], before: Position, rules: PointRules
) -> MsgGenerator[None]:
    """One run: once over the points. `before` is where the axes were."""
    before = before if one.xray else replace(before, energy=None)  # without X-rays it may be anywhere
    held = held_windows(one.positions[0], before, rules.supervision.tolerances)
    kept = (*within(held, MOVED), *counted(instruments.counters, one.dwell_settings.dwell))
    rules = replace(rules, checks=(*rules.checks, *kept))
    at_monitors = replace(
        rules, dwell_settings=one.monitor_settings or one.dwell_settings, stopping_rule=None, stream=MONITOR_STREAM
    )

    supervision = rules.supervision

    def prepare() -> MsgGenerator[None]:
        for counter in instruments.counters:
            yield from set_preset(counter, one.dwell_settings.dwell)
        yield from wait_for(partial(supervision.watch.begin_run, held))

    def visit() -> MsgGenerator[None]:
        yield from with_replies(supervision.servers, prepare)
        yield from bps.checkpoint()
        if one.sweep is not None:
            yield from take_sweeps(instruments, one, rules)
            return
        previous: Position | None = None
        phase = SteadyPhase()
        for position in rules.visited(one.positions):
            at_point = at_monitors if position.monitor else rules
            first = at_point.dwell_settings.pattern[0] if previous is not None else None
            yield from go_to(instruments, position, previous, supervision, first)
            yield from take_point(instruments, position, at_point, phase)
            previous = position

    @bpp.stage_decorator([*instruments.counters, *([instruments.sweep] if one.sweep else [])])
    @bpp.run_decorator(md=start)
    def run() -> MsgGenerator[None]:
        yield from raise_cause(visit())  # within the run, so that its stop document gives the cause

    plan = run() if one.xray else without_xrays(instruments, rules.supervision.xray_shutter, run())
    yield from leave_at_rest(instruments, plan, supervision.servers)


def leave_at_rest(instruments: Instruments, plan: MsgGenerator[None], servers: ServerWatcher) -> MsgGenerator[None]:
    """However a plan ends, afterwards the axes are at rest and the laser shutter is shut.

    Done again if the first time is interrupted: an abort may come at any message. After an abort nothing waits for a
    server that does not reply.
    """

    rested: list[bool] = []

    def rest() -> MsgGenerator[None]:
        for _ in AXES:  # stopping an axis fails the move that was cut off: that is no failure of the clean-up
            if not rested and (yield from raise_cause(_rest(instruments))):
                rested.append(True)

    def plan_and_rest() -> MsgGenerator[None]:
        yield from plan
        yield from with_replies(servers, rest)

    yield from bpp.finalize_wrapper(bpp.finalize_wrapper(plan_and_rest(), rest), rest)


def _rest(instruments: Instruments) -> MsgGenerator[bool]:
    """Shut the laser shutter and stop the axes; False if the failure of an interrupted move came in between."""
    shutter = None
    if instruments.laser_shutter is not None:
        shutter = yield from bps.abs_set(instruments.laser_shutter, 0, group="rest")
    try:
        for axis in _stoppable([instruments.sweep, *(getattr(instruments, name) for name in AXES)]):
            yield from bps.stop(axis)
        yield from bps.wait("rest", timeout=MOVE_TIMEOUT)
    except FailedStatus as failed:
        if failed.args and failed.args[0] is not shutter:
            return False
        raise
    return True


def _stoppable(axes: Iterable[Any]) -> list[Stoppable]:
    return [axis for axis in axes if isinstance(axis, Stoppable)]


def without_xrays(instruments: Instruments, guard: XrayShutterGuard, plan: MsgGenerator[None]) -> MsgGenerator[None]:
    """Shut the X-ray shutter around a plan, and reopen it if it was open, and if the guard agrees."""
    shutter = instruments.xray_shutter
    assert shutter is not None  # refused before
    was_open = yield from bps.rd(shutter, default_value=1)

    def shut_and_run() -> MsgGenerator[None]:
        guard.before_shut()
        yield from raise_cause(bps.mv(shutter, 0, timeout=MOVE_TIMEOUT))
        yield from plan

    def reopen() -> MsgGenerator[None]:
        if was_open and guard.may_reopen():
            yield from raise_cause(bps.mv(shutter, 1, timeout=MOVE_TIMEOUT))

    yield from bpp.finalize_wrapper(shut_and_run(), reopen)


def _refuse_impossible_target(instruments: Instruments, compiled: CompiledScan, options: Options) -> MsgGenerator[None]:
    target, timing = options.get("target"), instruments.timing
    if target is None or isinstance(target, Mapping) or timing is None:
        return
    if options.get("judge") is None:
        raise ValueError("target needs a stopping rule (judge); the plans of a session have one")
    laser_rate = yield from bps.rd(timing.laser_rate, default_value=1e6)
    first = compiled.passes[0]
    refuse_impossible(target, first.dwell_settings.seconds_on * int(first.start["passes"]), float(laser_rate))
