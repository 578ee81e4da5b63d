"""Counts at delays that refer to the t0 of the beginning, whatever t0 is meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count, present
from plans.commissioning.roles import Bench, Rows
from plans.protocols import Axis

T0_KEY, SIGN_KEY = "t0", "delay_sign"
"""Keys of t0 (s) and of the sign of the delay of each count, in the readings for the judge."""
RISE_KEY, LIGHT_KEY = "of_rise", "of_light"
"""Keys that are 1 for counts of the rise, and for those without X-rays."""
PS_PER_S = 1e12


class DelayCounts:
    """Counts at delays, by what they are for.

    A delay is that of the beginning, whatever t0 and the sign of the delay are set to meanwhile.

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
        self._first: tuple[float, float] | None = None
        self._now = (0.0, 1.0)
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
        moved, turned = yield from self._moved()
        shift = turned * _within_reach(self.delay, [moved + turned * each for each in settings], self._period)
        return [each + shift for each in settings]

    def one(
        self, setting: float, rows: list[dict[str, Any]], laser_on: int = 1, more: Mapping[str, Any] | None = None
    ) -> MsgGenerator[None]:
        """Count at one delay."""
        moved, turned = yield from self._moved()
        point, settings = len(self.all_rows), {self.delay: moved + turned * setting}
        own = dict(zip((T0_KEY, SIGN_KEY), self._now, strict=True))
        labels = {**own, RISE_KEY: int(rows is self.rise), LIGHT_KEY: 0, **(more or {})}
        rows.append((yield from count(self.bench, settings, self.dwell, point, laser_on, labels=labels)))

    def _moved(self) -> MsgGenerator[tuple[float, float]]:
        """The delay of now (ps) that is 0 in the beginning, and 1, or -1 where the sign was turned meanwhile."""
        t0 = float((yield from bps.rd(self._time_zero)))
        self._now = t0, (yield from sign_of_delay(self.bench))
        self._first = self._now if self._first is None else self._first
        return PS_PER_S * self._now[1] * (t0 - self._first[0]), self._now[1] * self._first[1]


def sign_of_delay(bench: Bench) -> MsgGenerator[float]:
    """1, or -1 where the delay generator works the other way; 1 where that cannot be set."""
    return 1.0 if bench.delay_sign is None else (yield from present(bench.delay_sign))


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
