"""Estimates the duration of a compiled scan, in beamline seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plans.compilation.compiled_scan import CompiledScan, ScanPass
from plans.compilation.needed_roles import AXES
from plans.compilation.positions import AxisName, Move, Position
from plans.compilation.sweep import Sweep
from plans.protocols import MoveTimes


@dataclass(frozen=True)
class Duration:
    """Beamline seconds, by their use.

    Attributes
    ----------
    dwells, axes, shutters, messages : float
    """

    dwells: float = 0.0
    axes: float = 0.0
    shutters: float = 0.0
    messages: float = 0.0

    @property
    def total(self) -> float:
        return self.dwells + self.axes + self.shutters + self.messages

    def __add__(self, other: Duration) -> Duration:
        return Duration(
            self.dwells + other.dwells,
            self.axes + other.axes,
            self.shutters + other.shutters,
            self.messages + other.messages,
        )


def pass_durations(
    compiled: CompiledScan, times: MoveTimes, clock_rate: float = 1.0, start: Position | None = None
) -> list[Duration]:
    """Duration of each pass if no dwell is retaken and each point is counted to its limit.

    Parameters
    ----------
    compiled : CompiledScan
    times : MoveTimes
    clock_rate : float
        Beamline seconds a wall second; messages take wall time and so cost this much more beamline time.
    start : Position, optional
        Where the axes are before; an axis of unknown position is taken to need no travel for its first move.
    """
    timer = _Timer(times, clock_rate, start)
    return [timer.take(one) for one in compiled.passes]


def return_duration(compiled: CompiledScan, times: MoveTimes, clock_rate: float, start: Position | None) -> Duration:
    """Time for axes to return to `start` after the last pass; only that of their settling where it is not known."""
    last = compiled.passes[-1].positions[-1]
    timer = _Timer(times, clock_rate, last)
    return sum((timer.go(Move(axis, _back(axis, start, last))) for axis in compiled.axes_to_restore), Duration())


def _back(axis: AxisName, start: Position | None, last: Position) -> float:
    """Where an axis returns to."""
    return float(next(value for value in (getattr(start, axis, None), getattr(last, axis)) if value is not None))


class _Timer:
    """Adds up the times of passes, keeping track of where the axes are."""

    def __init__(self, times: MoveTimes, clock_rate: float, start: Position | None) -> None:
        self._times, self._clock_rate = times, clock_rate
        self._at = {axis: getattr(start, axis, None) for axis in AXES}

    def take(self, one: ScanPass) -> Duration:
        """Time of one pass; the laser shutter is shut before and after."""
        whole = Duration(
            shutters=0.0 if one.xray else 2 * self._times.xray_shutter, messages=self._wall(self._times.run)
        )
        if one.sweep is not None:
            return whole + self._sweeps(one, one.sweep)
        laser_on = 0
        for position, moves in one.moves():
            settings = one.settings_at(position)
            states = settings.pattern * settings.cycles
            travels = _changes(laser_on, states)
            laser_on = states[-1]
            whole += Duration(
                dwells=settings.dwell * len(states),
                shutters=travels * self._times.laser_shutter,
                messages=self._wall(len(states) * self._times.dwell),
            )
            whole = sum((self.go(move) for move in moves), whole)
        return whole + Duration(shutters=laser_on * self._times.laser_shutter)

    def _sweeps(self, one: ScanPass, sweep: Sweep) -> Duration:
        """Time of the sweeps of a pass, with the way back to their beginning."""
        pattern, whole = one.dwell_settings.pattern, Duration()
        shutters = (_changes(0, pattern) + pattern[-1]) * self._times.laser_shutter
        for _, moves in one.moves():
            whole = sum((self.go(move) for move in moves), whole + Duration(dwells=sweep.seconds))
            self._at["energy"] = sweep.energies[-1]
        return whole + Duration(shutters=shutters, messages=self._wall(len(pattern) * self._times.dwell))

    def go(self, move: Move) -> Duration:
        """Time of one move."""
        return Duration(axes=self._move(move), messages=self._wall(self._times.message))

    def _wall(self, seconds: float) -> float:
        return seconds * self._clock_rate

    def _move(self, move: Move) -> float:
        before, self._at[move.axis] = self._at[move.axis], move.value
        if move.axis == "delay":
            return self._times.delay
        distance = abs(move.value - before) if before is not None else 0.0
        if move.axis == "temperature":
            times = self._times
            return 60 * distance / times.temperature_speed + times.temperature if distance else 0.0
        if move.axis == "fluence":
            return distance / self._times.fluence_speed + self._times.fluence
        return distance / self._times.energy_speed + self._times.energy_settle


def _changes(first: int, states: Sequence[int]) -> int:
    """How often the laser shutter moves."""
    return sum(before != after for before, after in zip((first, *states), states, strict=False))
