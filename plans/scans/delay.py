"""Delay scans: the pump-probe delay at one or several energies, laser on and off inside each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from bluesky.utils import MsgGenerator
from numpy.typing import ArrayLike

from plans.compilation.arguments import checked_values
from plans.compilation.compile import GridSpec, compile_scan
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge, find_edge, main_feature
from plans.compilation.grid import checked_grid, delay_grid
from plans.compilation.options import Options
from plans.compilation.positions import Position
from plans.execution.run_scan import measure
from plans.protocols import Instruments


def delay_scan(
    instruments: Instruments,
    edge: str | Edge = "Br_K",
    energies: float | Sequence[float] | None = None,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    delays: ArrayLike | None = None,
    **options: Unpack[Options],
) -> MsgGenerator[str]:
    """Scan the pump-probe delay at one or several X-ray energies, with the laser on and off inside each point.

    Parameters
    ----------
    instruments : Instruments
    edge : str
        Element and edge, such as ``Fe_K``.
    energies : float or sequence of float, optional
        X-ray energies in keV, one trace each; each pass visits all of them. By default that of the edge's main
        transient feature: that of its entry, or the largest transient of the newest energy scan of the same sample.
    passes : int
        Passes over the grid; each is a run.
    dwell : float
        Beamline seconds of each laser-on or laser-off dwell.
    delays : array_like, optional
        Delays of slot 0 in ps, ascending, positive when the pump comes first; by default (`delay_grid`):
        -300 to 500 ps in steps of 25 ps, then 20 points to 130 ns equally spaced in their logarithm.
    **options
        Shared by all scans, see `plans.compilation.options.Options`.

    Returns
    -------
    str
        The ``scan_set``; with several energies the ``series``.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    ophyd.utils.LimitError
        Before anything moves, if an energy or a delay is out of reach.
    plans.execution.failures.InstrumentError
        If an instrument fails during the scan; the laser shutter is then shut.

    Examples
    --------
    Three passes at the white line of bromine:

    >>> RE(delay_scan(edge="Br_K", passes=3, dwell=3.0))

    Two energies, a custom grid of delays:

    >>> RE(delay_scan(energies=[13.4675, 13.472], delays=[-200, 0, 100, 1000, 10_000]))
    """
    compiled = compiled_delay_scan(edge, energies, passes, dwell, delays=delays, **options)
    return (yield from measure(instruments, compiled, options))


def compiled_delay_scan(
    edge: str | Edge = "Br_K",
    energies: float | Sequence[float] | None = None,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    delays: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledScan:
    """Compile `delay_scan` with these arguments, without any device."""
    found = find_edge(edge)
    wanted = checked_values("energies", main_feature(found, "energies") if energies is None else energies, "keV")
    grid = (delay_grid() if delays is None else checked_grid(delays, "delays", "ps")).tolist()
    fluence = options.get("fluence")
    members = [
        GridSpec(
            "laser_delay",
            [Position(index, energy, delay, fluence) for index, delay in enumerate(grid)],
            grid,
            found,
            {"probe_energy": energy},
        )
        for energy in wanted
    ]
    return compile_scan("delay_scan", members, passes, dwell, options)
