"""Counts at delays that refer to the t0 of the beginning, whatever t0 is meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count
from plans.commissioning.roles import Bench, Rows
from plans.protocols import Axis

T0_KEY = "t0"
"""Key of the t0 (s) of each count, in the readings for the judge."""
RISE_KEY, LIGHT_KEY = "of_rise", "of_light"
"""Keys that are 1 for counts of the rise, and for those without X-rays."""
PS_PER_S = 1e12


class DelayCounts:
    """Counts at delays, by what they are for.

    Attributes
    ----------
    light, coarse, rise : list of dict
        Readings of the light of the laser, of the looks for the onset, and of the present passes over the rise.
    earlier : list of dict
        Readings of earlier measurements.
    """

    def __init__(self, bench: Bench, time_zero: Axis, dwell: float, period: float) -> None:
        self.bench, self.dwell, self.delay = bench, dwell, bench.instruments.axis("delay")
        self._time_zero, self._period = time_zero, period
        self._first: float | None = None
        self._t0 = 0.0
        self.light: list[dict[str, Any]] = []
        self.coarse: list[dict[str, Any]] = []
        self.rise: list[dict[str, Any]] = []
        self.earlier: list[dict[str, Any]] = []

    @property
    def rows(self) -> Rows:
        """Readings for the present judgement."""
        return [*self.light, *self.coarse, *self.rise]

    @property
    def all_rows(self) -> Rows:
        """Readings of all measurements."""
        return [*self.light, *self.coarse, *self.earlier, *self.rise]

    def begin_looking(self) -> None:
        """Begin a search for the onset that does not depend on the one before."""
        self.earlier, self.light, self.coarse = [*self.earlier, *self.coarse], [], []

    def begin_rise(self) -> None:
        """Begin a measurement of the rise that does not depend on the one before."""
        self.earlier, self.rise = [*self.earlier, *self.rise], []

    def scan(self, settings: Sequence[float], rows: list[dict[str, Any]], off_every: int) -> MsgGenerator[None]:
        """Count with the laser on at each delay, and with the laser off after some of them, if any."""
        reachable = yield from self.in_reach(settings)
        for number, setting in enumerate(reachable):
            states = (1, 0) if off_every and number % off_every == 0 else (1,)
            for laser_on in states:
                yield from self.one(setting, rows, laser_on)

    def in_reach(self, settings: Sequence[float]) -> MsgGenerator[list[float]]:
        """The same delays, whole periods of the laser away if they are in reach only there."""
        moved = yield from self._moved()
        shift = _within_reach(self.delay, [each + moved for each in settings], self._period)
        return [each + shift for each in settings]

    def one(
        self, setting: float, rows: list[dict[str, Any]], laser_on: int = 1, more: Mapping[str, Any] | None = None
    ) -> MsgGenerator[None]:
        """Count at one delay."""
        moved = yield from self._moved()
        point = len(self.all_rows)
        labels = {T0_KEY: self._t0, RISE_KEY: int(rows is self.rise), LIGHT_KEY: 0, **(more or {})}
        settings = {self.delay: setting + moved}
        rows.append((yield from count(self.bench, settings, self.dwell, point, laser_on, labels=labels)))

    def _moved(self) -> MsgGenerator[float]:
        """By how much t0 is another one than in the beginning, ps."""
        self._t0 = float((yield from bps.rd(self._time_zero)))
        self._first = self._t0 if self._first is None else self._first
        return PS_PER_S * (self._t0 - self._first)


def _within_reach(delay: Axis, settings: Sequence[float], period: float) -> float:
    """A shift by whole periods of the laser, which are all the same for the sample, that brings all delays in reach.

    Raises
    ------
    ValueError
        That of the delay, if there is no such shift.
    """
    failure: ValueError | None = None
    nearest = -round(float(np.mean(settings)) / period)
    for turns in (nearest, nearest - 1, nearest + 1):
        try:
            for each in (min(settings), max(settings)):
                delay.check_value(each + turns * period)
        except ValueError as error:
            failure = failure or error
        else:
            return turns * period
    assert failure is not None
    raise failure
