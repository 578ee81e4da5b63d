"""Windows of the boxcars, by the trace of one laser period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.commissioning.bunches import bunch_spacing
from plans.commissioning.counts import count
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell
from plans.protocols import MissingRoleError

PHASE_KEY = "phase"
"""Key, in the readings for the judge, of the axis of the trace, degrees of the laser period."""


def find_windows(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    passes: int = 3,
    dwell: float = 1.0,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the windows of the boxcars: where the pulses of the detector are in the laser period, and where none is.

    The trace of one laser period is averaged, X-rays on and laser off.

    Parameters
    ----------
    apply : bool
        Set windows and baselines: the first boxcar on the first pulse after the laser trigger, the second one on the
        last; and confirm them by measuring again, which shows clipped pulses.
    passes : int
        Traces.
    dwell : float
        Beamline seconds of each trace.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Centre of the first pulse (ns), with length, height and polarity of the pulses.

    Raises
    ------
    ValueError
        Before anything is set, naming the argument that is wrong; also where bunches are not evenly spaced.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show the pulse, then set the windows:

    >>> RE(find_windows())
    >>> RE(find_windows(apply=True))
    """
    check_passes_and_dwell(passes, dwell)
    boxcar = bench.boxcar
    if bench.instruments.timing is None:
        raise MissingRoleError("timing", "the bunches in a laser period are not known")
    spacing = yield from bunch_spacing(bench.instruments)
    divider = int((yield from bps.rd(bench.instruments.timing.laser_divider)))
    phase = yield from bps.rd(boxcar.pwa.phase)

    def measure() -> MsgGenerator[Rows]:
        rows = []
        for number in range(passes):
            readings = yield from count(bench, {}, dwell, number, also=(boxcar.pwa,))
            rows.append({**readings, PHASE_KEY: phase})
        return rows

    first, second = boxcar.box1, boxcar.box2
    settings = {
        "window_1": first.window_start, "baseline_1": first.baseline_start,
        "window_2": second.window_start, "baseline_2": second.baseline_start,
        "window_size": first.window_size, "window_size_2": second.window_size,
        "baseline_enable": first.baseline_enable, "baseline_enable_2": second.baseline_enable,
    }  # fmt: skip
    conditions = {"spacing_ns": spacing, "divider": float(divider)}
    search = Search("windows", measure, judge, settings, (), 0.2, dwell, conditions)
    return (yield from find(bench, search, apply, md))
