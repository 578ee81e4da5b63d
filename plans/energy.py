"""Energy scans: one run a pass over the grid of an edge, laser on and off inside each point."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any
from uuid import uuid4

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import MsgGenerator
from numpy.typing import ArrayLike, NDArray

from plans.arguments import check_dwell, check_numbers, checked_pattern
from plans.edges import Edge, find_edge
from plans.estimate import pass_duration
from plans.failures import tell_cause
from plans.grid import checked_grid
from plans.point import MOVE_TIMEOUT, approach, set_preset, take_point
from plans.protocols import Instruments
from plans.quality import Check

PATTERN = (1, 0, 0, 1)
OVERSHOOT = 0.001
"""keV; how far below a point it is approached from after a move downwards. Over three times the backlash."""
REFERENCES = ("paper", "shutter", "slots", "combined")


def energy_scan(
    instruments: Instruments,
    edge: str = "Br_K",
    delay: float = 100.0,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    energies: ArrayLike | None = None,
    pattern: Sequence[int] = PATTERN,
    reference: str | None = None,
    checks: tuple[Check, ...] = (),
    scan_set: str | None = None,
    settings: dict[str, Any] | None = None,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Scan the X-ray energy over an edge at one pump-probe delay, with the laser on and off inside each point.

    Parameters
    ----------
    instruments : Instruments
    edge : str
        ``Br_K`` or ``Pb_L3``.
    delay : float
        Pump-probe delay of slot 0 in ps, positive when the pump comes first.
    passes : int
        Passes over the grid; each is a run, all share one ``scan_set``.
    dwell : float
        Beamline seconds of each laser-on or laser-off dwell.
    energies : array_like, optional
        A grid of your own in keV, ascending; by default that of the edge.
    pattern : sequence of int
        Laser on (1) and off (0) dwells of each point, in order.
    reference : str, optional
        What the laser-on slots are compared with: ``paper`` (the same slot with the laser off), ``shutter`` (all slots
        with the laser off), ``slots`` (the clean slots of the same shots) or ``combined`` (both). By default
        ``combined`` where each slot sees every bunch, else ``paper``.
    checks : tuple of Check
        Readings that have to be right for a dwell to count.
    scan_set : str, optional
        Uid of an earlier set to go on with; a new one by default.
    settings : dict, optional
        Reduction settings to record beside those the edge gives.
    md : dict, optional
        More metadata for the start documents.

    Returns
    -------
    str
        The ``scan_set``.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    ophyd.utils.LimitError
        Before anything moves, if a point or the delay is out of reach.
    plans.failures.InstrumentError
        If an instrument fails on the way; the laser shutter is shut then.

    Examples
    --------
    Two passes over the bromine edge at 10.1 ns, four dwells of 1.5 s a point:

    >>> RE(energy_scan(edge="Br_K", delay=10_100, passes=2, dwell=1.5))
    """
    found = find_edge(edge)
    grid = found.grid() if energies is None else checked_grid(energies)
    check_numbers(delay, passes, dwell)
    pattern = checked_pattern(pattern)
    _refuse_unknown_reference(reference)
    reference = yield from _possible_reference(instruments, reference)
    _refuse_out_of_reach(instruments, grid, delay)
    check_dwell(instruments.counters, dwell)
    scan_set = scan_set or str(uuid4())
    start = {
        "plan_name": "energy_scan",
        "edge": found.name,
        "scan_set": scan_set,
        "reference": reference,
        "pump_delay": float(delay),
        "grid": grid.tolist(),
        "pattern": list(pattern),
        "dwell": float(dwell),
        "passes": int(passes),
        "num_points": int(grid.size),
        "num_events": int(grid.size) * len(pattern),
        "approach": "from below",
        "estimated_time": pass_duration(grid.size, len(pattern), dwell, instruments.clock_rate),
        "settings": _settings(found, reference, settings),
        "hints": {"dimensions": [[["mono_energy"], "primary"]]},
        **(md or {}),
    }
    for scan_index in range(int(passes)):
        yield from _one_pass(instruments, grid, pattern, dwell, delay, checks, {**start, "scan_index": scan_index})
    return scan_set


def _one_pass(
    instruments: Instruments,
    grid: NDArray[np.float64],
    pattern: tuple[int, ...],
    dwell: float,
    delay: float,
    checks: tuple[Check, ...],
    md: dict[str, Any],
) -> MsgGenerator[None]:
    """One run: once over the grid, upwards."""

    def visit() -> MsgGenerator[None]:
        yield from bps.mv(instruments.delay, delay, timeout=MOVE_TIMEOUT)
        for counter in instruments.counters:
            yield from set_preset(counter, dwell)
        yield from approach(instruments, float(grid[0]), OVERSHOOT)
        yield from bps.checkpoint()
        for point_index, energy in enumerate(grid):
            yield from bps.mv(instruments.energy, float(energy), timeout=MOVE_TIMEOUT)
            yield from take_point(instruments, point_index, pattern, dwell, checks)

    @bpp.stage_decorator(list(instruments.counters))
    @bpp.run_decorator(md=md)
    def run() -> MsgGenerator[None]:
        yield from tell_cause(visit())  # within the run, so that its stop document gives the cause

    def shut() -> MsgGenerator[None]:
        yield from tell_cause(bps.mv(instruments.laser_shutter, 0, timeout=MOVE_TIMEOUT))

    yield from bpp.finalize_wrapper(run(), shut)


def _settings(edge: Edge, reference: str, chosen: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "pre_edge": list(edge.pre_edge),
        "integral": list(edge.integral),
        "reference": reference,
        **(chosen or {}),
    }


def _refuse_unknown_reference(reference: str | None) -> None:
    if reference is not None and reference not in REFERENCES:
        raise ValueError(f"reference must be one of {', '.join(REFERENCES)}, not {reference!r}")


def _possible_reference(instruments: Instruments, reference: str | None) -> MsgGenerator[str]:
    """The reference wanted, or the best one; refused where it would compare slots that see different bunches."""
    bunches = yield from bps.rd(instruments.timing.num_bunches, default_value=1)
    divider = yield from bps.rd(instruments.timing.laser_divider, default_value=1)
    comparable = gcd(int(bunches), int(divider)) == 1
    if reference is None:
        return "combined" if comparable else "paper"
    if reference in ("slots", "combined") and not comparable:
        raise ValueError(
            f"reference {reference!r} is not possible with {bunches} bunches and laser divider {divider}: each slot"
            " sees only some bunches; use reference 'paper' (laser shutter)"
        )
    return reference


def _refuse_out_of_reach(instruments: Instruments, grid: NDArray[np.float64], delay: float) -> None:
    for energy in (*grid, grid[0] - OVERSHOOT):
        instruments.energy.check_value(float(energy))
    instruments.delay.check_value(delay)
