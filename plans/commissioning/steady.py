"""Flux and jet: a series of equal counts at one setting, of which nothing follows that could be set."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count, is_in_reach, present
from plans.commissioning.find import LOOK, Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell
from plans.protocols import Axis, MissingRoleError

FILTERS, COUNTS = (0.0, 0.5, 1.0, 1.5), 8
"""Absorbances that are added to the present one, in turn, so that a drift of the sample is no slope; how often."""
FILTER_KEY = "added_absorbance"
"""Key, in the readings for the judge, of what was added."""


def find_flux(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    counts: int = 40,
    dwell: float = 0.5,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find what is counted: photons per pulse, pile-up, saturation, noise of I0; and what to do about them.

    Counts again and again at the present setting, X-rays on and laser off; with an attenuator (role ``attenuator``)
    also with less flux, by which I0 and the detector are compared. Attenuator and gain are afterwards as before, or
    with ``apply`` as recommended, also where the second measurement has a doubt: noise and linearity of I0 are judged
    only once there is nothing left to set, and with another gain the dark of I0 is not known yet.

    Parameters
    ----------
    apply : bool
        Set the recommended absorbance of the attenuator, and the gain of I0 (role ``i0_gain``); and measure again. The
        dark of I0 is another one with another gain: measure it again.
    counts : int
        Counts, at least 16.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Photons per pulse, with the absorbance and the gain to set, and the time that an error of 0.1 % takes.

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
    >>> RE(find_flux(apply=True))
    """
    settings = {name: axis for name in ("attenuator", "i0_gain") if (axis := getattr(bench, name)) is not None}
    conditions: dict[str, float] = {"i0_most": bench.i0_most}
    if bench.attenuator is not None:
        before = yield from present(bench.attenuator)
        bench.attenuator.check_value(before + FILTERS[-1])
        conditions["least_absorbance"] = 0.0 if is_in_reach(bench.attenuator, 0.0) else before
    return (yield from _Series("flux", bench, judge, counts, dwell, conditions, settings).find(md, apply))


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
    return (yield from _Series("jet", bench, judge, counts, dwell, {}, {}).find(md))


class _Series:
    """Equal counts at one setting, then some with more filters if there is an attenuator among the settings."""

    def __init__(
        self,
        name: str,
        bench: Bench,
        judge: Judge,
        counts: int,
        dwell: float,
        conditions: Mapping[str, float],
        settings: Mapping[str, Axis],
    ) -> None:
        check_passes_and_dwell(counts, dwell)
        self._name, self._bench, self._judge, self._number, self._dwell = name, bench, judge, counts, dwell
        self._conditions, self._settings = conditions, settings

    def find(self, md: Mapping[str, Any] | None, apply: bool = False) -> MsgGenerator[Judged]:
        """The finding."""
        timing, times = self._bench.instruments.timing, self._bench.instruments.times
        if timing is None:
            raise MissingRoleError("timing", "the slots of the laser are not known")
        divider, overhead = int((yield from bps.rd(timing.laser_divider))), times.laser_shutter + times.dwell
        conditions = {**self._conditions, "dwell": self._dwell, "divider": float(divider), "overhead": overhead}
        search = Search(
            self._name, self._counts, self._judge, self._settings, (), inf, self._dwell, conditions, worst=LOOK
        )  # fmt: skip
        return (yield from find(self._bench, search, apply, md))

    def _counts(self) -> MsgGenerator[Rows]:
        own = {}
        for name, axis in self._settings.items():
            own[f"present_{name}"] = yield from present(axis)
        rows, filters = list[dict[str, Any]](), self._settings.get("attenuator")
        for number in range(self._number):
            labels = {**own, FILTER_KEY: 0.0}
            rows.append((yield from count(self._bench, {}, self._dwell, number, labels=labels)))
        if filters is None:
            return rows
        before = own["present_attenuator"]
        for added in [each for each in np.tile(FILTERS, COUNTS).tolist() if is_in_reach(filters, before + each)]:
            settings, labels = {filters: before + added}, {**own, FILTER_KEY: added}
            rows.append((yield from count(self._bench, settings, self._dwell, len(rows), labels=labels)))
        return rows
