"""Time zero: coarse by the light of the laser or in its whole period, closer in steps, then by the transient's rise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.bunches import bunch_spacing
from plans.commissioning.counts import prepare
from plans.commissioning.delays import DelayCounts, sign_of_delay
from plans.commissioning.find import Search, find
from plans.commissioning.laser import Pumped, pumped
from plans.commissioning.light import is_possible, look_for_light
from plans.commissioning.onset import KnownOnset, OnsetJudge, OnsetRange
from plans.commissioning.roles import Bench, GatedCounter, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell, check_positive
from plans.compilation.edges import Edge
from plans.protocols import Axis

STEPS, CLOSER_STEPS = 16, 6
"""Delays of a look over the time between two bunches, and of a closer one."""
LOOKS = 24
"""Most looks for the onset."""
OFF_EVERY = 4
"""One laser-off count after so many with the laser on, while the onset is looked for."""
RISE = (-160, -100, -50, 0, 50, 100, 150, 210, 300, 500, 900, 1500)
"""ps after the onset; delays of the first pass over the rise."""
AT_A_TIME = 8
"""Delays of each further pass, those at which counts say most of time zero."""
ONSET = "onset_ps"
"""Number of the finding with the onset as fitted, in the coordinate of `KnownOnset.middle`."""
HOPELESS, HOPELESS_NEAR = 6, 20
"""Looks over a whole bunch, and over some ns, after which nothing is there to be found."""
SHORT_BELOW, SHORTER = 5000.0, 0.5
"""ps; range of the onset from which on dwells are shorter, by this factor, until it is found."""
Range = tuple[float, float]
MARGIN = 60.0
"""ps on both sides of the range that is looked at next."""


def find_time_zero(
    bench: Bench,
    judge: OnsetJudge,
    apply: bool = False,
    *,
    edge: str | Edge = "Br_K",
    energy: float | None = None,
    near: float | None = None,
    target: float = 2.5,
    most_passes: int = 30,
    fluence: float | None = None,
    lifetime: Sequence[float] | None = None,
    dwell: float = 4.0,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find time zero: the setting of the delay generator at which pump and probe coincide.

    With the X-ray shutter shut, the light of the laser on the detector shows to some ns when the laser comes, and the
    sign of the delay. Where there is no such light, the delay is scanned over the time between two bunches, so that all
    slots together see the whole period of the laser. Then the onset of the transient is scanned ever closer, and the
    rise is counted where it says most of time zero, until that is known to the target. Energy, delay, fluence, gate and
    both shutters are afterwards as before.

    Parameters
    ----------
    apply : bool
        Set t0 of the session, and the sign of the delay where that can be set; and confirm it by measuring the rise
        again.
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
        Most passes over the rise, of eight counts each.
    fluence : float, optional
        Laser fluence meanwhile, mJ/cm2; by default as it is. More of it saves time as long as the transient grows.
    lifetime : sequence of float, optional
        Lifetime (ps) of the fast decay of this sample's transient, and its error, where that is known: it takes half of
        the time then. A rise that contradicts it is doubted.
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
    known_decay = known_lifetime(lifetime)
    if near is not None:
        check_positive("near", near, "ps")
    time_zero, pump = bench.needed("time_zero"), (yield from pumped(bench, edge, energy, fluence))
    spacing = 1e3 * (yield from bunch_spacing(bench.instruments))
    conditions = {
        "spacing_ps": spacing,
        "divider": float(pump.divider),
        "t0": float((yield from bps.rd(time_zero))),
        "target_ps": sqrt(2) * target,
        "near_ps": near or 0.0,
        "tick_ps": 1e3 * getattr(bench.instruments.counters[0], "tick_ns", 0.0),
        "sign": (yield from sign_of_delay(bench)),
        "can_turn": float(bench.delay_sign is not None),
        **known_decay,
    }
    taken = DelayCounts(bench, time_zero, dwell, spacing * pump.divider)
    known: list[KnownOnset] = []
    rise = _RisePasses(taken, judge, conditions)

    def measure() -> MsgGenerator[Rows]:
        yield from prepare(bench, dwell)
        yield from pump.go_to_the_feature()
        if not known or not taken.rise:  # the second time only the rise is measured, if it was: its bunch is known
            taken.begin_looking()
            known[:] = yield from _look(taken, judge, conditions, known)
            yield from prepare(bench, dwell)
        taken.begin_rise()
        if known and known[0].is_narrow:
            yield from rise.measure(known[0], most_passes)
        return taken.rows

    settings = {"time_zero": time_zero} | ({} if bench.delay_sign is None else {"delay_sign": bench.delay_sign})
    search = Search(
        "time_zero", measure, judge, settings, _moved(bench, pump), 0.0, dwell, conditions,
        lambda: taken.all_rows, pump.delay,
    )  # fmt: skip
    return (yield from find(bench, search, apply, md))


def known_lifetime(lifetime: Sequence[float] | None) -> dict[str, float]:
    """The same as conditions of a finding.

    Raises
    ------
    ValueError
        If it is not a lifetime and its error, both above zero.
    """
    if lifetime is None:
        return {}
    if len(lifetime) != 2:
        raise ValueError(f"lifetime takes a value and its error in ps, such as (120, 20), not {lifetime!r}")
    value, error = (check_positive("lifetime", each, "ps") for each in lifetime)
    return {"lifetime_ps": value, "lifetime_error_ps": error}


def _moved(bench: Bench, pump: Pumped) -> Sequence[Axis]:
    """What measuring moves; the gate is wide while light is looked for."""
    counter = bench.instruments.counters[0]
    gate = (counter.gate_delay, counter.gate_width) if isinstance(counter, GatedCounter) else ()
    return (pump.delay, *pump.moved, *gate)


class _RisePasses:
    """Passes over the rise, each where the counts so far leave most to be learned of time zero."""

    def __init__(self, taken: DelayCounts, judge: OnsetJudge, conditions: Mapping[str, float]) -> None:
        self._taken, self._judge, self._conditions = taken, judge, conditions
        self._time_zero: float | None = None

    def measure(self, known: KnownOnset, most_passes: int) -> MsgGenerator[None]:
        """Count until time zero is known to the target, at most so many passes."""
        taken = self._taken
        steps: Sequence[float] = RISE if self._time_zero is None else self._best(taken.all_rows)
        for _ in range(most_passes):
            middle = known.middle if self._time_zero is None else self._time_zero
            yield from taken.scan([known.sign * (middle + each) for each in steps], taken.rise, off_every=0)
            found = self._judge(taken.rows, self._conditions)
            self._time_zero = found.numbers.get(ONSET, (middle, 0.0))[0]
            if found.stddev < self._conditions["target_ps"]:
                break
            steps = self._best(taken.rows)

    def _best(self, rows: Rows) -> Sequence[float]:
        return self._judge.best_delays(rows, self._conditions, AT_A_TIME) or RISE


def _look(
    taken: DelayCounts, judge: OnsetJudge, conditions: Mapping[str, float], known: Sequence[KnownOnset]
) -> MsgGenerator[list[KnownOnset]]:
    """Look for the onset until it is known closely enough; empty if it is not found.

    Where it is known, counts begin there, and still decide between all places that the light allows.
    """
    around = yield from _first_range(taken, judge, conditions)
    if around and known:
        around = _around(known[0])
    hopeless = HOPELESS if around is None else HOPELESS_NEAR
    found: KnownOnset | None = None
    for number in range(LOOKS):
        if found is not None and found.is_seen:
            around = _around(found)
            if found.high - found.low < SHORT_BELOW:
                yield from prepare(taken.bench, SHORTER * taken.dwell)  # the fast part of the transient is seen soon
        if around is not None:
            delays = [float(each) for each in np.linspace(*around, CLOSER_STEPS)]
        else:
            delays = [float(each) for each in conditions["spacing_ps"] * (np.arange(STEPS) + number / hopeless) / STEPS]
        yield from taken.scan(delays, taken.coarse, off_every=OFF_EVERY if len(delays) == STEPS else CLOSER_STEPS)
        found = judge.onset(taken.rows, conditions)
        if found is None or (number + 1 >= hopeless and not found.is_seen):
            return []
        if found.is_certain and (found.is_narrow or judge(taken.rows, conditions).stddev < conditions["target_ps"]):
            break
    return [found] if found is not None and found.is_certain else []


def _first_range(taken: DelayCounts, judge: OnsetJudge, conditions: Mapping[str, float]) -> MsgGenerator[Range | None]:
    """Delays where the onset is, as given or by the light of the laser; None if it may be anywhere in the period."""
    if near := conditions["near_ps"]:
        return -near, near
    if is_possible(taken, conditions):
        yield from look_for_light(taken, judge.light, conditions)
    light = judge.light(taken.rows, conditions)
    return None if light is None else _around(light.onset)


def _around(found: OnsetRange) -> Range:
    """Delays from a bit before the range of an onset to a bit after it, ps."""
    first, last = found.sign * (found.low - MARGIN), found.sign * (found.high + MARGIN)
    return min(first, last), max(first, last)
