"""Temperature series: spectra of several edges and a diffraction image at each temperature, without the laser."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Unpack

import numpy as np
from bluesky.utils import MsgGenerator

from plans.compilation.arguments import check_number, check_positive
from plans.compilation.compile import GridSpec, compile_scan
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge, find_edges
from plans.compilation.options import Options
from plans.compilation.positions import Position
from plans.compilation.steps import IMAGE_AXIS, STEP
from plans.execution.run_scan import measure
from plans.protocols import Instruments

COLDEST = -273.15
NOT_TAKEN = ("scan_set", "target", "longest", "fluence", "reference", "monitor_energies", "monitor_share", "judge")


def temperature_series(
    instruments: Instruments,
    temperatures: Sequence[float],
    edges: str | Edge | Sequence[str | Edge] = ("Br_K", "Pb_L3"),
    diffraction: float | None = 12.9,
    passes: int = 1,
    dwell: float = 1.0,
    *,
    exposure: float = 60.0,
    back: bool = True,
    **options: Unpack[Options],
) -> MsgGenerator[str]:
    """Spectra and a diffraction image at several temperatures of the sample, without the laser.

    At each temperature: ramp, wait until the inside of the cell is steady, `passes` over each edge, one image at the
    energy of the diffraction. A resumed series goes on where it stopped, at that temperature.

    Parameters
    ----------
    instruments : Instruments
    temperatures : sequence of float
        Inside the cell, degC, in the order of the series.
    edges : str or sequence of str
        Edges whose spectra are measured, one after the other in each pass; () for images alone.
    diffraction : float, optional
        X-ray energy of the image, keV; None for no image.
    passes : int
        Passes over each edge at each temperature.
    dwell : float
        Beamline seconds of each dwell.
    exposure : float
        Beamline seconds of the image.
    back : bool
        Whether the first temperature is measured again at the end, to see what has not come back.
    **options
        Those of all scans (see `plans.compilation.options.Options`) that make sense without a laser: pattern, order,
        attempts, background, checks, settings, md.

    Returns
    -------
    str
        The ``series``; each edge and each image at each temperature has a ``scan_set`` of its own.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    ophyd.utils.LimitError
        Before anything moves, if an energy is out of reach, or a temperature is above the interlock.
    plans.execution.failures.InstrumentError
        If an instrument fails: a ramp that stands still, an interlock that trips, a cell that does not become steady.

    Examples
    --------
    The series of the paper, with 25 degC again at its end:

    >>> RE(temperature_series([25, 35, 40, 45, 55, 60, 65, 120, 140], passes=2, dwell=2.0))
    """
    compiled = compiled_temperature_series(
        temperatures, edges, diffraction, passes, dwell, exposure=exposure, back=back, **options
    )
    return (yield from measure(instruments, compiled, options))


def compiled_temperature_series(
    temperatures: Sequence[float],
    edges: str | Edge | Sequence[str | Edge] = ("Br_K", "Pb_L3"),
    diffraction: float | None = 12.9,
    passes: int = 1,
    dwell: float = 1.0,
    *,
    exposure: float = 60.0,
    back: bool = True,
    **options: Unpack[Options],
) -> CompiledScan:
    """Compile `temperature_series` with these arguments, without any device."""
    _refuse_options(options)
    found = find_edges(edges) if edges or diffraction is None else ()
    energy = None if diffraction is None else check_positive("diffraction", diffraction, "keV")
    exposure = check_positive("exposure", exposure, "s")
    steps = checked_temperatures(temperatures)
    steps = [*steps, steps[0]] if back and len(steps) > 1 else steps
    members: list[GridSpec] = []
    for number, temperature in enumerate(steps):
        fixed = {"temperature": temperature, STEP: number}
        members += [_spectrum(edge, fixed) for edge in found]
        members += [] if energy is None else [_image(energy, exposure, fixed)]
    return compile_scan("temperature_series", members, passes, dwell, {"pattern": (0,), **options})


def checked_temperatures(temperatures: Any) -> list[float]:
    """Temperatures (degC) as floats, in their order.

    Raises
    ------
    ValueError
        If there is none, one is no number or below absolute zero, or one follows itself.
    """
    several = isinstance(temperatures, (Sequence, np.ndarray)) and not isinstance(temperatures, str)
    found = [check_number("temperatures", each, "degC") for each in (temperatures if several else [temperatures])]
    if not found:
        raise ValueError("temperatures must hold at least one number of degC")
    if min(found) < COLDEST:
        raise ValueError(f"temperatures: {min(found):g} degC is below absolute zero")
    if repeated := [here for here, following in pairwise(found) if here == following]:
        raise ValueError(f"temperatures: {repeated[0]:g} degC stands twice in a row; use passes")
    return found


def _refuse_options(options: Options) -> None:
    if taken := [name for name in NOT_TAKEN if options.get(name) is not None]:
        raise ValueError(f"a temperature series does not take {', '.join(taken)}")
    if "temperature" in (options.get("md") or {}):
        raise ValueError("md: temperature is written by the series itself; leave it out")


def _spectrum(edge: Edge, fixed: dict[str, Any]) -> GridSpec:
    grid = edge.grid()
    positions = [Position(index, float(energy), temperature=fixed["temperature"]) for index, energy in enumerate(grid)]
    return GridSpec("mono_energy", positions, grid.tolist(), edge, fixed)


def _image(energy: float, exposure: float, fixed: dict[str, Any]) -> GridSpec:
    position = Position(0, energy, temperature=fixed["temperature"])
    return GridSpec(IMAGE_AXIS, [position], [0.0], None, {"probe_energy": energy, **fixed}, exposure)
