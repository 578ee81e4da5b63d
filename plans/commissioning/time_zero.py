"""Time zero: coarse in the whole laser period, closer in steps, then by the rise of the transient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Protocol

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.bunches import bunch_spacing
from plans.commissioning.counts import count, prepare
from plans.commissioning.find import Search, find
from plans.commissioning.laser import pumped
from plans.commissioning.roles import Bench, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell, check_positive
from plans.compilation.edges import Edge
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.protocols import Axis

STEPS, CLOSER_STEPS = 16, 6
"""Delays of a look over the time between two bunches, and of a closer one."""
LOOKS = 16
"""Most looks for the onset."""
OFF_EVERY = 4
"""One laser-off count after so many with the laser on, while the onset is looked for."""
RISE = (-160, -120, -80, -40, 0, 40, 80, 120, 160, 210, 250, 400, 600, 1000, 1500)
"""ps after the onset; delays of the first pass over the rise."""
BEST = (-150, -100, -20, 0, 20, 80, 100, 210, 250, 600, 1500)
"""ps after time zero; delays of further passes. Those where counts say most of time zero beside the six other
parameters of the rise, and as much if it is 20 ps off: a third of the time of evenly spaced delays."""
ONSET = "onset_ps"
"""Number of the finding with the onset as fitted, in the coordinate of `KnownOnset.middle`."""
HOPELESS = 6
"""Looks over a whole bunch after which nothing is there to be found."""
T0_KEY = "t0"
"""Key of the t0 (s) of each count, in the readings for the judge."""
RISE_KEY = "of_rise"
"""Key that is 1 for counts of the rise."""
PS_PER_S = 1e12
SHORT_BELOW, SHORTER = 5000.0, 0.5
"""ps; range of the onset from which on dwells are shorter, by this factor, until it is found."""
Range = tuple[float, float]
MARGIN = 60.0
"""ps on both sides of the range that is looked at next."""


class KnownOnset(Protocol):
    """Where a transient begins."""

    low: float
    high: float
    sign: int

    @property
    def middle(self) -> float:
        """ps"""

    @property
    def is_seen(self) -> bool:
        """Whether there is a transient; counts close to where it begins tell the sign of the delay, too."""

    @property
    def is_certain(self) -> bool:
        """Whether there is one, and the sign of the delay is known."""

    @property
    def is_narrow(self) -> bool:
        """Whether the rise can be measured."""


class OnsetJudge(Protocol):
    """Looks for the onset while counts go on, and judges in the end."""

    def onset(self, rows: Rows, conditions: Mapping[str, float]) -> KnownOnset | None:
        """From the counts so far; None without light."""

    def __call__(self, rows: Rows, conditions: Mapping[str, float]) -> Judged: ...


def find_time_zero(
    bench: Bench,
    judge: OnsetJudge,
    apply: bool = False,
    *,
    edge: str | Edge = "Br_K",
    energy: float | None = None,
    near: float | None = None,
    target: float = 2.5,
    most_passes: int = 20,
    dwell: float = 4.0,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find time zero: the setting of the delay generator at which pump and probe coincide.

    The delay is scanned over the time between two bunches, so that all slots together see the whole period of the
    laser; then ever closer around the onset of the transient, of either sign of the delay; then the rise is counted
    until time zero is known to the target. Energy, delay and laser are afterwards as before.

    Parameters
    ----------
    apply : bool
        Set t0 of the session, and confirm it by measuring the rise again.
    edge : str
        Element and edge, such as ``Fe_K``.
    energy : float, optional
        X-ray energy to set, keV; by default that of the edge's main transient feature, less the offset of the energy.
    near : float, optional
        ps within which t0 is right already, as after a rougher search; by default it may be anywhere in the period.
    target : float
        ps; standard deviation of time zero that both measurements with ``apply`` have together: each counts until its
        own is below ``sqrt(2)`` times it, from some 50 ps on without the rise.
    most_passes : int
        Most passes over the rise.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        t0 (ps) with sigma of the response, by how much t0 was off, and the sign of the delay.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show it, then set it:

    >>> RE(find_time_zero())
    >>> RE(find_time_zero(apply=True, target=5))
    >>> RE(find_time_zero(apply=True, near=500))

    Roughly, which takes a tenth of the time:

    >>> RE(find_time_zero(apply=True, target=100))
    """
    check_passes_and_dwell(most_passes, dwell)
    check_positive("target", target, "ps")
    if near is not None:
        check_positive("near", near, "ps")
    time_zero, pump = bench.needed("time_zero"), (yield from pumped(bench, edge, energy))
    delay, xrays, divider = pump.delay, pump.energy, pump.divider
    spacing = 1e3 * (yield from bunch_spacing(bench.instruments))
    first_t0 = float((yield from bps.rd(time_zero)))
    goal = sqrt(2) * target
    conditions = {"spacing_ps": spacing, "divider": float(divider), "t0": first_t0, "target_ps": goal}
    taken = _Counts(bench, time_zero, dwell, spacing * divider)
    known: list[KnownOnset] = []

    def measure() -> MsgGenerator[Rows]:
        yield from prepare(bench, dwell)
        yield from move(xrays, pump.probe, MOVE_TIMEOUT)
        if not known or not taken.rise:  # the second time only the rise is measured, if it was: its bunch is known
            taken.begin_looking()
            around = _around(known[0]) if known else (-near, near) if near is not None else None
            known[:] = yield from _look(taken, judge, conditions, around)
            yield from prepare(bench, dwell)
        taken.begin_rise()
        onset: float = known[0].middle if known else 0.0
        for number in range(most_passes if known and known[0].is_narrow else 0):
            found = judge(taken.rows, conditions)
            if found.stddev < goal:
                break
            onset = found.numbers.get(ONSET, (onset, 0.0))[0] if number else onset
            steps = BEST if number else RISE
            yield from taken.scan([known[0].sign * (onset + each) for each in steps], taken.rise, off_every=0)
        return taken.rows

    search = Search(
        "time_zero", measure, judge, {"time_zero": time_zero}, (delay, xrays), 0.0, dwell, conditions,
        lambda: taken.all_rows,
    )  # fmt: skip
    return (yield from find(bench, search, apply, md))


def _look(
    taken: _Counts, judge: OnsetJudge, conditions: Mapping[str, float], around: Range | None
) -> MsgGenerator[list[KnownOnset]]:
    """Look for the onset until it is known closely enough; empty if it is not found."""
    found: KnownOnset | None = None
    for number in range(LOOKS):
        if found is not None and found.is_seen and found.high - found.low < SHORT_BELOW:
            yield from prepare(taken.bench, SHORTER * taken.dwell)  # the fast part of the transient is seen soon
        delays = _settings(found, number, conditions["spacing_ps"], around)
        yield from taken.scan(delays, taken.coarse, off_every=OFF_EVERY if len(delays) == STEPS else CLOSER_STEPS)
        found = judge.onset(taken.rows, conditions)
        if found is None or (number + 1 >= HOPELESS and not found.is_seen):
            return []
        if found.is_certain and (found.is_narrow or judge(taken.rows, conditions).stddev < conditions["target_ps"]):
            break
    return [found] if found is not None and found.is_certain else []


def _settings(found: KnownOnset | None, number: int, spacing: float, around: Range | None) -> list[float]:
    """Delays of the next look (ps), in the range that is left."""
    if found is not None and found.is_seen:
        around = _around(found)
    if around is not None:
        return [float(each) for each in np.linspace(*around, CLOSER_STEPS)]
    return [float(each) for each in spacing * (np.arange(STEPS) + number / HOPELESS) / STEPS]


def _around(found: KnownOnset) -> Range:
    """Delays from a bit before the range of an onset to a bit after it, ps."""
    return found.sign * (found.low - MARGIN), found.sign * (found.high + MARGIN)


class _Counts:
    """Counts at delays that refer to the t0 of the beginning, whatever t0 is meanwhile.

    Attributes
    ----------
    coarse, rise : list of dict
        Readings of the looks for the onset, and of the present passes over the rise.
    earlier : list of dict
        Readings of earlier measurements.
    """

    def __init__(self, bench: Bench, time_zero: Axis, dwell: float, period: float) -> None:
        self.bench, self.dwell = bench, dwell
        self._time_zero, self._period = time_zero, period
        self._first: float | None = None
        self.coarse: list[dict[str, Any]] = []
        self.rise: list[dict[str, Any]] = []
        self.earlier: list[dict[str, Any]] = []

    @property
    def rows(self) -> Rows:
        """Readings for the present judgement."""
        return [*self.coarse, *self.rise]

    @property
    def all_rows(self) -> Rows:
        """Readings of all measurements."""
        return [*self.coarse, *self.earlier, *self.rise]

    def begin_looking(self) -> None:
        """Begin a search for the onset that does not depend on the one before."""
        self.earlier, self.coarse = [*self.earlier, *self.coarse], []

    def begin_rise(self) -> None:
        """Begin a measurement of the rise that does not depend on the one before."""
        self.earlier, self.rise = [*self.earlier, *self.rise], []

    def scan(self, settings: Sequence[float], rows: list[dict[str, Any]], off_every: int) -> MsgGenerator[None]:
        """Count with the laser on at each delay, and with the laser off after some of them, if any."""
        t0 = float((yield from bps.rd(self._time_zero)))
        self._first = t0 if self._first is None else self._first
        moved = PS_PER_S * (t0 - self._first)
        delay = self.bench.instruments.axis("delay")
        reachable = _within_reach(delay, [each + moved for each in settings], self._period)
        for number, setting in enumerate(reachable):
            states = (1, 0) if off_every and number % off_every == 0 else (1,)
            for laser_on in states:
                point = len(self.all_rows)
                readings = yield from count(self.bench, {delay: setting}, self.dwell, point, laser_on)
                rows.append({**readings, T0_KEY: t0, RISE_KEY: int(rows is self.rise)})


def _within_reach(delay: Axis, settings: Sequence[float], period: float) -> list[float]:
    """Delays shifted by whole periods of the laser, which are all the same for the sample, until all are in reach.

    Raises
    ------
    ValueError
        That of the delay, if there is no such shift.
    """
    failure: ValueError | None = None
    middle = float(np.mean(settings))
    nearest = -round(middle / period)
    for turns in (nearest, nearest - 1, nearest + 1):
        shifted = [each + turns * period for each in settings]
        try:
            for each in (min(shifted), max(shifted)):
                delay.check_value(each)
        except ValueError as error:
            failure = failure or error
        else:
            return shifted
    assert failure is not None
    raise failure
