"""Carries a compiled scan out: refuses what cannot be, then one run a pass. All scans go through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.protocols import Stoppable
from bluesky.utils import FailedStatus, MsgGenerator

from plans.compilation.arguments import check_dwell
from plans.compilation.compiled_scan import CompiledScan, ScanPass
from plans.compilation.estimate import program_duration
from plans.compilation.options import Options
from plans.compilation.positions import AxisName, Position
from plans.compilation.quality import Check
from plans.compilation.stopping_rule import StoppingRule, refuse_impossible
from plans.execution.failures import tell_cause
from plans.execution.fill_pattern import possible_reference
from plans.execution.point import MOVE_TIMEOUT, go_to, set_preset, take_point
from plans.protocols import Instruments

AXES: tuple[AxisName, ...] = ("energy", "delay", "fluence")


def measure(instruments: Instruments, program: CompiledScan, options: Options) -> MsgGenerator[str]:
    """Carry out a program: one run a pass.

    On each way out the axes are stopped and the laser shutter is shut. Axes of `CompiledScan.puts_back` go back to
    where they were after the last pass.

    Parameters
    ----------
    instruments : Instruments
    program : CompiledScan
    options : Options
        `checks` and `judge` are taken from it; everything else is in the program.

    Returns
    -------
    str
        The program's uid.

    Raises
    ------
    ValueError
        Before anything moves.
    ophyd.utils.LimitError
        Before anything moves, if a point is out of reach.
    plans.execution.failures.InstrumentError
        If an instrument fails on the way.
    """
    if any("reference" in one.start for one in program.passes):
        reference = yield from possible_reference(instruments.timing, options.get("reference"))
        program = program.with_reference(reference)
    refuse_out_of_reach(instruments, program)
    yield from _refuse_impossible_target(instruments, program, options)
    judge = options.get("judge")
    before = yield from _place(instruments)
    put_back = _put_back(program, before)
    program = program.noting(put_back=put_back) if put_back else program
    durations = program_duration(program, instruments.times, instruments.clock_rate, before)
    for one, duration in zip(program.passes, durations, strict=True):
        start = {**one.start, "estimated_time": duration.total}
        checks = tuple(check for check in options.get("checks", ()) if one.xray or not check.needs_xrays)
        yield from _one_pass(instruments, one, start, checks, judge if program.judged else None)
    for axis, value in put_back.items():
        yield from bps.mv(instruments.axis(axis), value, timeout=MOVE_TIMEOUT)
    return program.uid


def _put_back(program: CompiledScan, before: Position) -> dict[AxisName, float]:
    """Where axes go after the last pass: a measurement that goes on knows where they were when it was begun."""
    begun: Mapping[AxisName, float] = program.passes[0].start.get("put_back", {})
    places = {axis: begun.get(axis, getattr(before, axis)) for axis in program.puts_back}
    return {axis: value for axis, value in places.items() if value is not None}


def _place(instruments: Instruments) -> MsgGenerator[Position]:
    """Where the axes stand; None for one that is not there or reads no number."""
    found: dict[str, float] = {}
    for name in AXES:
        axis = getattr(instruments, name)
        value = (yield from bps.rd(axis, default_value=None)) if axis is not None else None
        if value is not None and isfinite(value):
            found[name] = float(value)
    return Position(0, **found)


def refuse_out_of_reach(instruments: Instruments, program: CompiledScan) -> None:
    """Ask every axis and counter whether it can do what the program wants of it; nothing moves.

    Raises
    ------
    ValueError
        Also the `LimitError` of the axis.
    """
    wanted = {(axis, getattr(here, axis)) for one in program.passes for here in one.positions for axis in AXES}
    on_the_way = {(move.axis, move.value) for one in program.passes for _, moves in one.moves() for move in moves}
    points = sorted((axis, value) for axis, value in wanted if value is not None)
    for axis, value in [*points, *sorted(on_the_way - wanted)]:  # the points first: an error names what was asked for
        instruments.axis(axis).check_value(value)
    for dwell in {one.dwelling.dwell for one in program.passes}:
        check_dwell(instruments.counters, dwell)
    if instruments.xray_shutter is None and not all(one.xray for one in program.passes):
        raise ValueError("a run without X-rays is not possible: this beamline has no xray_shutter")


def _one_pass(
    instruments: Instruments,
    one: ScanPass,
    start: dict[str, Any],
    checks: tuple[Check, ...],
    judge: StoppingRule | None,
) -> MsgGenerator[None]:
    """One run: once over the points."""

    if not one.xray:
        instruments = replace(instruments, xrays_back=None)

    def visit() -> MsgGenerator[None]:
        for counter in instruments.counters:
            yield from set_preset(counter, one.dwelling.dwell)
        yield from bps.checkpoint()
        previous: Position | None = None
        for position in one.positions:
            yield from go_to(instruments, position, previous)
            yield from take_point(instruments, position, one.dwelling, checks, judge)
            previous = position

    @bpp.stage_decorator(list(instruments.counters))
    @bpp.run_decorator(md=start)
    def run() -> MsgGenerator[None]:
        yield from tell_cause(visit())  # within the run, so that its stop document gives the cause

    plan = run() if one.xray else _without_xrays(instruments, run())
    yield from leave_at_rest(instruments, plan)


def leave_at_rest(instruments: Instruments, plan: MsgGenerator[None]) -> MsgGenerator[None]:
    """Whatever becomes of a plan, afterwards the axes are at rest and the laser shutter is shut.

    Once more if that itself is interrupted: an abort may come at any message.
    """

    rested: list[bool] = []

    def rest() -> MsgGenerator[None]:
        for _ in AXES:  # a move that was cut off fails when its axis is stopped here: that is no failure of the rest
            if not rested and (yield from tell_cause(_rest(instruments))):
                rested.append(True)

    yield from bpp.finalize_wrapper(bpp.finalize_wrapper(plan, rest), rest)


def _rest(instruments: Instruments) -> MsgGenerator[bool]:
    """Shut the laser shutter and stop the axes; False if a move that was under way broke in."""
    shutter = yield from bps.abs_set(instruments.laser_shutter, 0, group="rest")
    try:
        for axis in _stoppable(getattr(instruments, name) for name in AXES):
            yield from bps.stop(axis)
        yield from bps.wait("rest", timeout=MOVE_TIMEOUT)
    except FailedStatus as failed:
        if failed.args and failed.args[0] is not shutter:
            return False
        raise
    return True


def _stoppable(axes: Iterable[Any]) -> list[Stoppable]:
    return [axis for axis in axes if isinstance(axis, Stoppable)]


def _without_xrays(instruments: Instruments, plan: MsgGenerator[None]) -> MsgGenerator[None]:
    """Shut the X-ray shutter around a plan, and open it again if it was open."""
    shutter = instruments.xray_shutter
    assert shutter is not None  # refused before
    was_open = yield from bps.rd(shutter, default_value=1)

    def shut_and_run() -> MsgGenerator[None]:
        yield from tell_cause(bps.mv(shutter, 0, timeout=MOVE_TIMEOUT))
        yield from plan

    def put_back() -> MsgGenerator[None]:
        if was_open:
            yield from tell_cause(bps.mv(shutter, 1, timeout=MOVE_TIMEOUT))

    yield from bpp.finalize_wrapper(shut_and_run(), put_back)


def _refuse_impossible_target(instruments: Instruments, program: CompiledScan, options: Options) -> MsgGenerator[None]:
    target = options.get("target")
    if target is None:
        return
    if options.get("judge") is None:
        raise ValueError("target needs a judge, which knows the counting error; in a session the plan has one")
    laser_rate = yield from bps.rd(instruments.timing.laser_rate, default_value=1e6)
    first = program.passes[0]
    refuse_impossible(target, first.dwelling.seconds_on * int(first.start["passes"]), float(laser_rate))
