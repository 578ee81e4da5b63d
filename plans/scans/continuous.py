"""Energy scans in which the energy moves all the time: sweeps in one direction, one run a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from bluesky.utils import MsgGenerator
from numpy.typing import ArrayLike

from plans.compilation.arguments import check_passes_and_dwell
from plans.compilation.compile import GridSpec, compile_scan
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge
from plans.compilation.options import Options
from plans.compilation.sweep import FRAMES_KEY, check_frame, sweep_over
from plans.execution.run_scan import measure
from plans.protocols import Instruments
from plans.scans.energy import members_at, with_delay_where_pumped

SWEEPS = (1, 0)
NOT_TAKEN = {
    "order": "sweeps go upwards",
    "target": "the time of a sweep is that of its trajectory",
    "longest": "the time of a sweep is that of its trajectory",
    "monitor_energies": "a sweep does not return",
    "monitor_share": "a sweep does not return",
}
"""Options of other scans, and why sweeps do not have them."""


def continuous_scan(
    instruments: Instruments,
    edge: str | Edge | Sequence[str | Edge] = "Br_K",
    delay: float | None = 100.0,
    passes: int = 1,
    dwell: float = 0.4,
    frame: float = 0.1,
    *,
    energies: ArrayLike | None = None,
    **options: Unpack[Options],
) -> MsgGenerator[str]:
    """Sweep the X-ray energy over an edge while the counter takes frames, for surveys and references in the same shots.

    Parameters
    ----------
    instruments : Instruments
    edge : str or sequence of str
        Element and edge, as for `energy_scan`.
    delay : float
        Pump-probe delay of slot 0 in ps; None with a pattern that has the laser off only.
    passes : int
        Each a run with one sweep for each entry of ``pattern``.
    dwell : float
        Beamline seconds from each point of the grid to the next, in each sweep.
    frame : float
        Beamline seconds of a frame, 0.02 to 0.2; at least three in a dwell.
    energies : array_like, optional
        A custom grid in keV, ascending; by default that of the edge.
    **options
        As for `energy_scan`, see `plans.compilation.options.Options`; ``pattern`` is that of the sweeps, ``(1, 0)`` by
        default. ``(1,)`` has the laser always on, with reference ``slots``.

    Returns
    -------
    str
        The ``scan_set``; with several edges the ``series``.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    ophyd.utils.LimitError
        Before anything moves, if a point is out of reach, or the monochromator is not fast enough.
    plans.execution.failures.InstrumentError
        If an instrument fails during the scan; monochromator and laser are then at rest.

    Examples
    --------
    A survey of the bromine edge in a minute, the laser on all the time:

    >>> RE(continuous_scan(edge="Br_K", pattern=(1,)))

    Ten passes at 10.1 ns, each with the laser on in one sweep and off in the next:

    >>> RE(continuous_scan(edge="Br_K", delay=10_100, passes=10, dwell=1.5))
    """
    compiled = compiled_continuous_scan(edge, delay, passes, dwell, frame, energies=energies, **options)
    return (yield from measure(instruments, compiled, options))


def compiled_continuous_scan(
    edge: str | Edge | Sequence[str | Edge] = "Br_K",
    delay: float | None = 100.0,
    passes: int = 1,
    dwell: float = 0.4,
    frame: float = 0.1,
    *,
    energies: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledScan:
    """Compile `continuous_scan` with these arguments, without any device."""
    for name, why in NOT_TAKEN.items():
        if options.get(name) is not None:
            raise ValueError(f"{name} is no option of a continuous scan: {why}; leave it out")
    check_passes_and_dwell(passes, dwell)
    length = check_frame(frame, float(dwell))
    swept: Options = {"pattern": SWEEPS, **options}
    members = [_swept(each, dwell, length) for each in members_at(edge, delay, energies, options)]
    return with_delay_where_pumped(compile_scan("continuous_scan", members, passes, dwell, swept), delay)


def _swept(member: GridSpec, dwell: float, frame: float) -> GridSpec:
    frames = sweep_over(member.grid, dwell, frame).frames
    return replace(member, fixed_axes={**member.fixed_axes, FRAMES_KEY: frame, "frames": frames})
