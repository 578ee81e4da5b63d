"""Time zero: coarse in the whole laser period, closer in steps, then by the rise of the transient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.bunches import bunch_spacing
from plans.commissioning.counts import count, prepare
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judged, Rows
from plans.compilation.arguments import check_number, check_passes_and_dwell
from plans.compilation.edges import Edge, find_edge, main_feature
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.protocols import Axis, MissingRoleError

STEPS = 16
"""Delays of each look for the onset."""
LOOKS = 14
"""Most looks for the onset."""
OFF_EVERY = 3
"""One laser-off count after so many with the laser on."""
RISE = (*range(-120, 241, 20), 280, 340, 420, 600, 900)
"""ps after the onset; delays at which the rise is counted."""
HOPELESS = 6
"""Looks over a whole bunch after which nothing is there to be found."""
T0_KEY = "t0"
"""Key of the t0 (s) of each count, in the readings for the judge."""
RISE_KEY = "of_rise"
"""Key that is 1 for counts of the rise."""
PS_PER_S = 1e12
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
    def is_certain(self) -> bool:
        """Whether there is a transient, and the sign of the delay is known."""

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
    target: float = 3.0,
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
        X-ray energy in keV; by default that of the edge's main transient feature.
    target : float
        ps; standard deviation of time zero from which on no further pass over the rise is counted.
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
    """
    check_passes_and_dwell(most_passes, dwell)
    if not check_number("target", target, "ps") > 0:
        raise ValueError(f"target must be above 0 ps, not {target!r}")
    probe = check_number("energy", main_feature(find_edge(edge), "energy") if energy is None else energy, "keV")
    time_zero, instruments = bench.needed("time_zero"), bench.instruments
    if instruments.laser_shutter is None:
        raise MissingRoleError("laser_shutter", "the transient needs a pump")
    delay, xrays = instruments.axis("delay"), instruments.axis("energy")
    xrays.check_value(probe)
    spacing = 1e3 * (yield from bunch_spacing(instruments))
    divider = int((yield from bps.rd(instruments.timing.laser_divider)))  # type: ignore[union-attr]
    if divider < 2:
        raise ValueError("find_time_zero compares the slots of a laser that pumps every second bunch or fewer")
    first_t0 = float((yield from bps.rd(time_zero)))
    conditions = {"spacing_ps": spacing, "divider": float(divider), "t0": first_t0}
    taken = _Counts(bench, time_zero, dwell, spacing * divider)
    known: list[KnownOnset] = []

    def measure() -> MsgGenerator[Rows]:
        yield from prepare(bench, dwell)
        yield from move(xrays, probe, MOVE_TIMEOUT)
        if not known:
            known.extend((yield from _look(taken, judge, conditions)))
        taken.forget_rise()  # the second time only the rise is measured: its bunch is known
        for _ in range(most_passes if known else 0):
            yield from taken.scan([known[0].sign * (known[0].middle + each) for each in RISE], taken.rise)
            found = judge(taken.rows, conditions)
            if found.stddev < target:
                break
        return taken.rows

    search = Search("time_zero", measure, judge, {"time_zero": time_zero}, (delay, xrays), 0.0, dwell, conditions)
    return (yield from find(bench, search, apply, md))


def _look(taken: _Counts, judge: OnsetJudge, conditions: Mapping[str, float]) -> MsgGenerator[list[KnownOnset]]:
    """Look for the onset until it is known closely; empty if it is not found."""
    found: KnownOnset | None = None
    for number in range(LOOKS):
        yield from taken.scan(_settings(found, number, conditions["spacing_ps"]), taken.coarse)
        found = judge.onset(taken.rows, conditions)
        if found is None or (number + 1 >= HOPELESS and not found.is_certain):
            return []
        if found.is_certain and found.is_narrow:
            return [found]
    return []


def _settings(found: KnownOnset | None, number: int, spacing: float) -> list[float]:
    """Delays of the next look (ps), in the range that is left."""
    if found is None or not found.is_certain:
        return [float(each) for each in spacing * (np.arange(STEPS) + number / HOPELESS) / STEPS]
    ends = found.low - MARGIN, found.high + MARGIN
    return [float(found.sign * each) for each in np.linspace(*ends, STEPS)]


class _Counts:
    """Counts at delays that refer to the t0 of the beginning, whatever t0 is meanwhile.

    Attributes
    ----------
    coarse, rise : list of dict
        Readings of the looks for the onset, and of the passes over the rise.
    """

    def __init__(self, bench: Bench, time_zero: Axis, dwell: float, period: float) -> None:
        self._bench, self._time_zero, self._dwell, self._period = bench, time_zero, dwell, period
        self._first: float | None = None
        self.coarse: list[dict[str, Any]] = []
        self.rise: list[dict[str, Any]] = []

    @property
    def rows(self) -> Rows:
        """All readings."""
        return [*self.coarse, *self.rise]

    def forget_rise(self) -> None:
        """Keep the looks for the onset only."""
        self.rise = []

    def scan(self, settings: Sequence[float], rows: list[dict[str, Any]]) -> MsgGenerator[None]:
        """Count with the laser on at each delay, and with the laser off after some of them."""
        t0 = float((yield from bps.rd(self._time_zero)))
        self._first = t0 if self._first is None else self._first
        moved = PS_PER_S * (t0 - self._first)
        delay = self._bench.instruments.axis("delay")
        reachable = _within_reach(delay, [each + moved for each in settings], self._period)
        for number, setting in enumerate(reachable):
            states = (1, 0) if number % OFF_EVERY == 0 else (1,)
            for laser_on in states:
                point = len(self.rows)
                readings = yield from count(self._bench, {delay: setting}, self._dwell, point, laser_on)
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
