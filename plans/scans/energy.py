"""Energy scans: one run a pass over the grid of an edge, with the laser on and off inside each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from bluesky.utils import MsgGenerator
from numpy.typing import ArrayLike, NDArray

from plans.compilation.arguments import check_number, checked_values
from plans.compilation.compile import GridSpec, compile_scan
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge, check_windows, find_edges
from plans.compilation.grid import checked_grid
from plans.compilation.options import PATTERN, Options, window
from plans.compilation.positions import OVERSHOOT, Position
from plans.execution.run_scan import measure
from plans.protocols import Instruments

__all__ = ["OVERSHOOT", "PATTERN", "compiled_delay_series", "compiled_energy_scan", "delay_series", "energy_scan"]


def energy_scan(
    instruments: Instruments,
    edge: str | Edge | Sequence[str | Edge] = "Br_K",
    delay: float | None = 100.0,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    energies: ArrayLike | None = None,
    **options: Unpack[Options],
) -> MsgGenerator[str]:
    """Scan the X-ray energy over an edge at one pump-probe delay, with the laser on and off inside each point.

    Parameters
    ----------
    instruments : Instruments
    edge : str or sequence of str
        Element and edge, such as ``Fe_K`` or ``Pb_L3``; with several, each pass scans one after the other.
    delay : float
        Pump-probe delay of slot 0 in ps, positive when the pump comes first; None with a pattern that has the laser
        off only.
    passes : int
        Passes over the grid; each is a run, all share one ``scan_set``.
    dwell : float
        Beamline seconds of each laser-on or laser-off dwell.
    energies : array_like, optional
        A custom grid in keV, ascending; by default that of the edge.
    **options
        Shared by all scans, see `plans.compilation.options.Options`: pattern, order, attempts, target, longest,
        fluence, reference, background, checks, judge, scan_set, monitor_energies, monitor_share, settings, md.

    Returns
    -------
    str
        The ``scan_set``; with several edges the ``series``.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    ophyd.utils.LimitError
        Before anything moves, if a point or the delay is out of reach.
    plans.execution.failures.InstrumentError
        If an instrument fails during the scan; the laser shutter is then shut.

    Examples
    --------
    Two passes over the bromine edge at 10.1 ns, four dwells of 1.5 s a point:

    >>> RE(energy_scan(edge="Br_K", delay=10_100, passes=2, dwell=1.5))

    One pass that returns to 13.455 and 13.485 keV, in turn, to measure how the jet drifts:

    >>> RE(energy_scan(edge="Br_K", monitor_energies=(13.455, 13.485)))

    Both edges, each point until slot 0 is known to 1e-3 of the laser-off rate:

    >>> RE(energy_scan(edge=("Br_K", "Pb_L3"), passes=4, target=1e-3, longest=60))
    """
    compiled = compiled_energy_scan(edge, delay, passes, dwell, energies=energies, **options)
    return (yield from measure(instruments, compiled, options))


def compiled_energy_scan(
    edge: str | Edge | Sequence[str | Edge] = "Br_K",
    delay: float | None = 100.0,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    energies: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledScan:
    """Compile `energy_scan` with these arguments, without any device."""
    compiled = compile_scan("energy_scan", members_at(edge, delay, energies, options), passes, dwell, options)
    return with_delay_where_pumped(compiled, delay)


def members_at(
    edge: str | Edge | Sequence[str | Edge], delay: float | None, energies: ArrayLike | None, options: Options
) -> list[GridSpec]:
    """The grid of each edge at one pump-probe delay (ps)."""
    edges = find_edges(edge)
    pump = None if delay is None else check_number("delay", delay, "ps")
    return [member_of(each, grid_of(edges, each, energies, options), pump, options) for each in edges]


def with_delay_where_pumped(compiled: CompiledScan, delay: float | None) -> CompiledScan:
    """The scan, refused if it has the laser on and no delay.

    Raises
    ------
    ValueError
    """
    if any(1 in one.dwell_settings.pattern for one in compiled.passes):
        check_number("delay", delay, "ps")
    return compiled


def delay_series(
    instruments: Instruments,
    delays: Sequence[float],
    edge: str | Edge | Sequence[str | Edge] = "Br_K",
    passes: int = 1,
    dwell: float = 1.5,
    *,
    energies: ArrayLike | None = None,
    **options: Unpack[Options],
) -> MsgGenerator[str]:
    """Energy scans at several pump-probe delays; each pass visits every delay before the next pass begins.

    Parameters
    ----------
    instruments : Instruments
    delays : sequence of float
        Pump-probe delays of slot 0 in ps, in the order of the scans.
    edge, passes, dwell, energies
        As for `energy_scan`.
    **options
        Shared by all scans, see `plans.compilation.options.Options`.

    Returns
    -------
    str
        The ``series`` that the scans share; each delay and edge has a ``scan_set`` of its own.

    Raises
    ------
    ValueError, ophyd.utils.LimitError, plans.execution.failures.InstrumentError
        As `energy_scan`.

    Examples
    --------
    The bromine edge at 100 ps and at 10.1 ns, in turn, eight passes each:

    >>> RE(delay_series([100, 10_100], edge="Br_K", passes=8))
    """
    compiled = compiled_delay_series(delays, edge, passes, dwell, energies=energies, **options)
    return (yield from measure(instruments, compiled, options))


def compiled_delay_series(
    delays: Sequence[float],
    edge: str | Edge | Sequence[str | Edge] = "Br_K",
    passes: int = 1,
    dwell: float = 1.5,
    *,
    energies: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledScan:
    """Compile `delay_series` with these arguments, without any device."""
    edges = find_edges(edge)
    found = checked_values("delays", delays, "ps")
    members = [
        member_of(each, grid_of(edges, each, energies, options), delay, options) for delay in found for each in edges
    ]  # edges inside, so that both are measured close in time
    return compile_scan("energy_scan", members, passes, dwell, options)


def grid_of(edges: tuple[Edge, ...], edge: Edge, energies: ArrayLike | None, options: Options) -> NDArray[np.float64]:
    """Energies of one of several edges, keV.

    Raises
    ------
    ValueError
        If they are no grid, or do not suit the windows of the edge.
    """
    if energies is not None and len(edges) > 1:
        raise ValueError("energies are those of one edge; with several edges leave them out")
    grid = edge.grid() if energies is None else checked_grid(energies)
    low, high = window(options.get("settings"), "pre_edge", edge.pre_edge)
    if not ((low <= grid) & (grid <= high)).any():
        raise ValueError(
            f"energies need a point in the pre-edge window of {edge.name}, {low:g} to {high:g} keV: without it nothing"
            " is known of the offset"
        )
    check_windows(high, window(options.get("settings"), "integral", edge.integral)[0])
    return grid


def member_of(edge: Edge, grid: NDArray[np.float64], delay: float | None, options: Options) -> GridSpec:
    """The passes over a grid of energies at a delay (ps)."""
    fluence = options.get("fluence")
    positions = [Position(index, float(energy), delay, fluence) for index, energy in enumerate(grid)]
    fixed = {} if delay is None else {"pump_delay": delay}
    return GridSpec("mono_energy", positions, grid.tolist(), edge, fixed)
