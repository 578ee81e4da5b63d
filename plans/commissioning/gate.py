"""The gate of the photon counter, by counts against its delay, and by the bunch that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.commissioning.bunches import bunch_spacing
from plans.commissioning.counts import count, mixed
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell

WIDTH = 4
"""Ticks of the gate while its delay is scanned."""
PASSES = 3


def find_gate(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    passes: int = PASSES,
    dwell: float = 0.2,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find delay and width of the gate, and of which bunch its counts are.

    The delay takes all ticks of the time between two bunches, in an order without trend, X-rays on and laser off.
    The counts of the bunches, compared with the currents of the fill pattern, show whether a plateau is that of the
    gate's own bunch or of a neighbour; where they do not, nothing is set.

    Parameters
    ----------
    apply : bool
        Set delay and width, and confirm them by measuring again.
    passes : int
        Passes over the delays: the scatter between them shows in the errors.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Time from the bunch marker to the middle of the pulse (ns), with length of the pulse, jitter, and by how many
        bunches the first plateau is off.

    Raises
    ------
    ValueError
        Before anything is set, naming the argument that is wrong; also where bunches are not evenly spaced.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show where the pulse is, then set the gate:

    >>> RE(find_gate())
    >>> RE(find_gate(apply=True))
    """
    check_passes_and_dwell(passes, dwell)
    counter = bench.gated
    spacing = yield from bunch_spacing(bench.instruments)
    locked = int((yield from bps.rd(counter.gate_clock)))
    conditions = {"spacing_ns": spacing, "tick_ns": counter.tick_ns, "jitter_ns": 0.0 if locked else counter.tick_ns}
    delays = range(ceil(spacing / counter.tick_ns) + WIDTH)
    for value in (0, delays[-1]):
        counter.gate_delay.check_value(value)

    def measure() -> MsgGenerator[Rows]:
        rows = []
        for number in range(passes):
            for delay in mixed(len(delays)):
                settings = {counter.gate_width: WIDTH, counter.gate_delay: delay}
                rows.append((yield from count(bench, settings, dwell, delay + number * len(delays))))
        return rows

    settings = {"gate_delay": counter.gate_delay, "gate_width": counter.gate_width}
    search = Search(
        "gate", measure, judge, settings, resolution=0.5, dwell=dwell, conditions=conditions, scanned=counter.gate_delay
    )
    return (yield from find(bench, search, apply, md))
