"""Fluence scans: the laser fluence at one energy and delay, laser on and off inside each point."""

from __future__ import annotations

from typing import Unpack

from bluesky.utils import MsgGenerator
from numpy.typing import ArrayLike

from plans.compilation.arguments import check_number
from plans.compilation.compile import GridSpec, compile_scan
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge, find_edge, main_feature
from plans.compilation.grid import FLUENCES, checked_grid
from plans.compilation.options import Options
from plans.compilation.positions import Position
from plans.execution.run_scan import measure
from plans.protocols import Instruments


def fluence_scan(
    instruments: Instruments,
    edge: str | Edge = "Br_K",
    energy: float | None = None,
    delay: float = 100.0,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    fluences: ArrayLike | None = None,
    **options: Unpack[Options],
) -> MsgGenerator[str]:
    """Scan the laser fluence at one X-ray energy and delay, with the laser on and off inside each point.

    After a complete scan the fluence returns to its value from before.

    Parameters
    ----------
    instruments : Instruments
    edge : str
        Element and edge, such as ``Fe_K``.
    energy : float, optional
        X-ray energy in keV; by default that of the edge's main transient feature: that of its entry, or the largest
        transient of the newest energy scan of the same sample.
    delay : float
        Pump-probe delay of slot 0 in ps, positive when the pump comes first.
    passes : int
        Passes over the grid; each is a run, all share one ``scan_set``.
    dwell : float
        Beamline seconds of each laser-on or laser-off dwell.
    fluences : array_like, optional
        mJ/cm2, ascending; by default 16 points from 0.5 to 12.4.
    **options
        Shared by all scans, see `plans.compilation.options.Options`; not `fluence`.

    Returns
    -------
    str
        The ``scan_set``.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    ophyd.utils.LimitError
        Before anything moves, if a fluence, the energy or the delay is out of reach.
    plans.execution.failures.InstrumentError
        If an instrument fails during the scan; the laser shutter is then shut.

    Examples
    --------
    Two passes at the white line of bromine at 100 ps:

    >>> RE(fluence_scan(edge="Br_K", passes=2, dwell=3.0))
    """
    compiled = compiled_fluence_scan(edge, energy, delay, passes, dwell, fluences=fluences, **options)
    return (yield from measure(instruments, compiled, options))


def compiled_fluence_scan(
    edge: str | Edge = "Br_K",
    energy: float | None = None,
    delay: float = 100.0,
    passes: int = 1,
    dwell: float = 1.5,
    *,
    fluences: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledScan:
    """Compile `fluence_scan` with these arguments, without any device."""
    found = find_edge(edge)
    probe = check_number("energy", main_feature(found, "energy") if energy is None else energy, "keV")
    pump = check_number("delay", delay, "ps")
    grid = checked_grid(FLUENCES if fluences is None else fluences, "fluences", "mJ/cm2").tolist()
    if grid[0] < 0:
        raise ValueError(f"fluences must be 0 mJ/cm2 or more, not {grid[0]:g}")
    if options.get("fluence") is not None:
        raise ValueError("fluence is the scanned axis here: give fluences")
    positions = [Position(index, probe, pump, fluence) for index, fluence in enumerate(grid)]
    member = GridSpec("laser_fluence", positions, grid, found, {"probe_energy": probe, "pump_delay": pump})
    return compile_scan("fluence_scan", [member], passes, dwell, options)
