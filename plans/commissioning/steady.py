"""Flux and jet: a series of equal counts at one setting, of which nothing follows that could be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count, present
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell
from plans.protocols import MissingRoleError

FILTERS, COUNTS = (0.5, 1.0, 1.5), 8
"""Absorbances that are added to the present one, and counts with each."""
FILTER_KEY = "added_absorbance"
"""Key, in the readings for the judge, of what was added."""


def find_flux(
    bench: Bench, judge: Judge, *, counts: int = 40, dwell: float = 0.5, md: Mapping[str, Any] | None = None
) -> MsgGenerator[Judged]:
    """Find what is counted: photons per pulse, pile-up, saturation, noise of I0; and what to do about them.

    Counts again and again at the present setting, X-rays on and laser off; with an attenuator (role ``attenuator``)
    also with less flux, by which I0 and the detector are compared. Nothing is set, the attenuator is as before.

    Parameters
    ----------
    counts : int
        Counts, at least 16.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Photons per pulse, with the factor to attenuate by and the time that an error of 0.1 % takes.

    Raises
    ------
    ValueError
        Before anything is counted, naming the argument that is wrong.
    plans.execution.failures.InstrumentError
        If an instrument fails.

    Examples
    --------
    At a bright energy of the sample:

    >>> RE(find_flux())
    """
    filters: list[float] = []
    if bench.attenuator is not None:
        before = yield from present(bench.attenuator)
        filters = [before + each for each in FILTERS]
        bench.attenuator.check_value(filters[-1])
    return (yield from _series("flux", bench, judge, counts, dwell, md, filters))


def find_jet(
    bench: Bench, judge: Judge, *, counts: int = 240, dwell: float = 0.25, md: Mapping[str, Any] | None = None
) -> MsgGenerator[Judged]:
    """Find how steady the sample is, and the dwell at which laser on and off are best compared.

    Counts again and again at the present setting, X-rays on and laser off. Nothing is set.

    Parameters
    ----------
    counts : int
        Counts, at least 16; the longest dwell compared is a twelfth of all.
    dwell : float
        Beamline seconds of each count, the shortest dwell compared.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Noise of the thickness in percent, with its spectrum and the best dwell.

    Raises
    ------
    ValueError
        Before anything is counted, naming the argument that is wrong.
    plans.execution.failures.InstrumentError
        If an instrument fails.

    Examples
    --------
    At a bright energy of the sample:

    >>> RE(find_jet())
    """
    return (yield from _series("jet", bench, judge, counts, dwell, md))


def _series(
    name: str,
    bench: Bench,
    judge: Judge,
    counts: int,
    dwell: float,
    md: Mapping[str, Any] | None,
    filters: Sequence[float] = (),
) -> MsgGenerator[Judged]:
    check_passes_and_dwell(counts, dwell)
    timing, times = bench.instruments.timing, bench.instruments.times
    if timing is None:
        raise MissingRoleError("timing", "the slots of the laser are not known")
    divider = int((yield from bps.rd(timing.laser_divider)))
    conditions = {"dwell": dwell, "divider": float(divider), "overhead": times.laser_shutter + times.dwell}

    def measure() -> MsgGenerator[Rows]:
        rows = []
        for number in range(counts):
            rows.append((yield from count(bench, {}, dwell, number, labels={FILTER_KEY: 0.0})))
        for value, added in zip(filters, FILTERS, strict=False):
            for _ in range(COUNTS):
                settings, labels = {bench.attenuator: value}, {FILTER_KEY: added}
                rows.append((yield from count(bench, settings, dwell, len(rows), labels=labels)))  # type: ignore[arg-type]
        return rows

    moved = (bench.attenuator,) if filters and bench.attenuator is not None else ()
    search = Search(name, measure, judge, {}, moved, dwell=dwell, conditions=conditions)
    return (yield from find(bench, search, False, md))
