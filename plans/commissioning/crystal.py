"""Rocking curve of the second crystal, by I0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count, present
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell, check_positive

POINTS = 25
"""Angles of a scan."""
ANGLE_KEY = "angle"
"""Key of the angle (urad) of each count, in the readings for the judge."""


def find_crystal(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    reach: float = 40.0,
    passes: int = 2,
    dwell: float = 0.2,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the angle of the second crystal of the monochromator at which the flux is highest: its rocking curve.

    I0 against the angle, X-rays on and laser off, always upwards, so that the play of the drive does not count.

    Parameters
    ----------
    apply : bool
        Set the angle, and confirm it by measuring again.
    reach : float
        How far the scan goes on both sides of the present angle, urad.
    passes : int
        Scans.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        The angle (urad), with the width of the curve and the flux before.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    plans.execution.failures.InstrumentError
        If an instrument fails; the angle is then as before.

    Examples
    --------
    Show the curve, then set its top:

    >>> RE(find_crystal())
    >>> RE(find_crystal(apply=True))
    """
    check_passes_and_dwell(passes, dwell)
    check_positive("reach", reach, "urad")
    crystal = bench.needed("second_crystal")
    before = yield from present(crystal)
    angles = before + np.linspace(-reach, reach, POINTS)
    for end in (angles[0], angles[-1]):
        crystal.check_value(float(end))

    def measure() -> MsgGenerator[Rows]:
        rows = []
        for number, angle in enumerate(np.tile(angles, passes)):
            labels = {ANGLE_KEY: float(angle)}
            rows.append((yield from count(bench, {crystal: float(angle)}, dwell, number, labels=labels)))
        return rows

    search = Search("crystal", measure, judge, {"crystal": crystal}, (), 0.1, dwell, {"before": before})
    return (yield from find(bench, search, apply, md))
