"""Trajectory of the monochromator, with the records of the EPICS motor support for profile moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

import numpy as np

from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, long_out, states
from sim_ioc.records.fields import double_waveform as waveform
from sim_ioc.records.text import text_waveform
from sim_ioc.timebase.clock import SimulatedClock
from sim_ioc.timebase.timeline import Ramp

MOST_POINTS = 1000
SPEED_SLACK = 1e-6
OUTCOMES = ("Undefined", "Success", "Failure", "Abort")


class SimTrajectory(SimDevice):
    """Points and times, Build, Execute and Abort.

    Parameters
    ----------
    clock
        Beamline time.
    start
        Begins to follow ramps that join; returns when the axis has arrived, or was stopped: whether it has arrived.
    stop
        Stops the axis where it is.
    limits
        Of the positions.
    speed
        Highest, units a beamline second.
    prefix
        Of the records.
    """

    def __init__(
        self,
        clock: SimulatedClock,
        start: Callable[[Sequence[Ramp]], Awaitable[bool]],
        stop: Callable[[], Awaitable[None]],
        limits: Limits,
        speed: float,
        prefix: str = "7ida:Prof1:",
    ) -> None:
        super().__init__()
        self._clock, self._follow, self._halt, self._limits, self._speed = clock, start, stop, limits, speed
        self._built = False
        none = [0.0] * MOST_POINTS
        self.number = long_out(2, Shown("points"), Limits(2, MOST_POINTS), "points of the trajectory", self._changed)
        self.times = waveform(none, Shown("s", 6), "times from each point to the next, beamline seconds")
        self.positions = waveform(none, Shown("keV", 6), "energies of the points")
        for record in (self.times, self.positions):
            record.writable, record.handler = True, self._changed
        self._build = BusyRecord(self._start_build, lambda: None, ("Done", "Build"), "busy", "checks the trajectory")
        self.build_status = states("Undefined", OUTCOMES, "mbbi", "outcome of the last Build")
        self.message = text_waveform("", "why Build or Execute has failed", writable=False)
        self._execute = BusyRecord(
            self._start, self._abort, ("Done", "Execute"), "busy", "1 follows the trajectory from where the axis is"
        )
        self.status = states("Undefined", OUTCOMES, "mbbi", "outcome of the last Execute")
        self.abort = states("Done", ("Done", "Abort"), "bo", "1 stops the axis", self._put_abort)
        self.records = {
            f"{prefix}NumPoints": self.number,
            f"{prefix}Times": self.times,
            f"{prefix}M1Positions": self.positions,
            f"{prefix}Build": self._build.record,
            f"{prefix}BuildStatus": self.build_status,
            f"{prefix}BuildMessage": self.message,
            f"{prefix}Execute": self._execute.record,
            f"{prefix}ExecuteStatus": self.status,
            f"{prefix}Abort": self.abort,
        }

    async def _changed(self, _: object) -> None:
        self._built = False

    def _start_build(self) -> None:
        self.spawn(self._check())

    async def _check(self) -> None:
        fault = self._fault()
        self._built = not fault
        await self.message.post(fault)
        await self.build_status.post("Failure" if fault else "Success")
        await self._build.done()

    def _points(self) -> tuple[list[float], list[float]]:
        number = int(self.number.value)
        return list(map(float, self.positions.value[:number])), list(map(float, self.times.value[: number - 1]))

    def _fault(self) -> str:
        positions, times = self._points()
        if len(positions) != int(self.number.value) or len(times) != len(positions) - 1:
            return f"{len(positions)} energies and {len(times)} times are too few for {self.number.value} points"
        if not np.isfinite([*positions, *times]).all() or min(times) <= 0:
            return "times must be above 0"
        if not all(self._limits.low <= each <= self._limits.high for each in positions):
            return f"a point is outside the limits {self._limits.low:g} to {self._limits.high:g} keV"
        fastest = max(abs(last - first) / time for (first, last), time in zip(pairwise(positions), times, strict=True))
        if fastest > self._speed * (1 + SPEED_SLACK):
            return f"a speed of {1e3 * fastest:.4g} eV/s is above the highest, {1e3 * self._speed:g} eV/s"
        return ""

    def _start(self) -> None:
        self.spawn(self._run())

    async def _run(self) -> None:
        arrived = False
        if self._built:
            arrived = await self._follow(self._ramps())
            await self.message.post("" if arrived else "stopped")
        else:
            await self.message.post("Build has not succeeded")
        await self.status.post("Success" if arrived else "Abort" if self._built else "Failure")
        await self._execute.done()

    def _ramps(self) -> list[Ramp]:
        positions, times = self._points()
        at = self._clock.now() + np.concatenate([[0.0], np.cumsum(times)])
        ends = zip(pairwise(at.tolist()), pairwise(positions), strict=True)
        return [Ramp(begin, end, first, last) for (begin, end), (first, last) in ends]

    def _abort(self) -> None:
        self.spawn(self._stop())

    async def _stop(self) -> None:
        await self._halt()

    async def _put_abort(self, name: str) -> None:
        if name == "Abort":
            await self._halt()
            await self.abort.post("Done")
