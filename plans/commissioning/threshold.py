"""The threshold of the discriminator, by counts against threshold."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator
from numpy.typing import ArrayLike

from plans.commissioning.bunches import bunch_spacing
from plans.commissioning.counts import count, mixed
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell
from plans.compilation.grid import checked_grid

THRESHOLDS = tuple(float(each) for each in np.round(np.geomspace(4.0, 600.0, 32), 1))
"""mV; from electronic noise to pulses of several photons."""


def find_threshold(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    thresholds: ArrayLike | None = None,
    dwell: float = 0.5,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the threshold of the discriminator: half the height of one photon, in the plateau of the counts.

    Counts against threshold, in an order without trend, X-rays on and laser off. The gate is meanwhile as wide as
    the bunches are apart, so that it sees a pulse wherever it is set; afterwards it is as before.

    Parameters
    ----------
    apply : bool
        Set the threshold, and confirm it by measuring again.
    thresholds : array_like, optional
        mV, ascending; by default 32 from 4 to 600.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Half the height of one photon (mV), with height, resolution, noise and the slope of the counts.

    Raises
    ------
    ValueError
        Before anything is set, naming the argument that is wrong.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show the plateau, then set the threshold:

    >>> RE(find_threshold())
    >>> RE(find_threshold(apply=True))
    """
    check_passes_and_dwell(1, dwell)
    levels = checked_grid(THRESHOLDS if thresholds is None else thresholds, "thresholds", "mV")
    discriminator, counter = bench.needed("threshold"), bench.gated
    spacing = yield from bunch_spacing(bench.instruments)
    wide = ceil(spacing / counter.tick_ns)
    for value in levels:
        discriminator.check_value(float(value))

    def measure() -> MsgGenerator[Rows]:
        rows = []
        for point in mixed(levels.size):
            settings = {counter.gate_width: wide, discriminator: float(levels[point])}
            rows.append((yield from count(bench, settings, dwell, point)))
        return rows

    search = Search(
        "threshold", measure, judge, {"threshold": discriminator}, (counter.gate_width,), resolution=1.0, dwell=dwell,
        scanned=discriminator,
    )  # fmt: skip
    return (yield from find(bench, search, apply, md))
