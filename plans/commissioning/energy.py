"""The offset of the energy, by the edge of a foil scanned from below and from above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_number, check_passes_and_dwell
from plans.compilation.edges import Edge, find_edge
from plans.compilation.positions import OVERSHOOT
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT

HALF_RANGE, STEP = 0.010, 0.0005
"""keV on both sides of the edge, and between two points."""
UP_KEY, SET_KEY = "upwards", "set_energy"
"""Keys, in the readings for the judge, of the direction of the approach and of the energy as set, keV."""


def find_energy(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    edge: str | Edge = "Br_K",
    passes: int = 5,
    dwell: float = 0.5,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the offset of the energy by the edge of a foil, and the backlash of the drive.

    The energy is scanned over the edge upwards and downwards, X-rays on and laser off, and is afterwards as before. A
    foil is a detector of kind ``foil``, between a chamber before it (kind ``transmission``, or I0) and one behind it.

    Parameters
    ----------
    apply : bool
        Set the calibration offset of the monochromator, and confirm it by measuring again. No energy is shifted by it:
        it is recorded with each run.
    edge : str
        Element and edge of the foil, such as ``Fe_K``.
    passes : int
        Scans in each direction, at least 2: their scatter gives the errors.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        True minus shown energy (eV), with the backlash.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong; also without a foil.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show the offset, then set it:

    >>> RE(find_energy(edge="Br_K"))
    >>> RE(find_energy(edge="Br_K", apply=True))
    """
    check_passes_and_dwell(passes, dwell)
    if check_number("passes", passes, "passes") < 2:
        raise ValueError(f"passes must be at least 2, whose scatter gives the errors, not {passes!r}")
    if bench.foil is None:
        raise ValueError('find_energy needs a foil: write a table [detectors.NAME] with kind = "foil" and its device')
    of_foil = find_edge(edge)
    calibration, xrays = bench.needed("calibration"), bench.instruments.axis("energy")
    upwards = of_foil.e0 + np.arange(-HALF_RANGE, HALF_RANGE + STEP / 2, STEP)
    for end in (upwards[0] - OVERSHOOT, upwards[-1] + OVERSHOOT):
        xrays.check_value(float(end))

    def measure() -> MsgGenerator[Rows]:
        rows: list[dict[str, Any]] = []
        for _ in range(passes):
            for up, energies in ((1, upwards), (0, upwards[::-1])):
                yield from move(xrays, float(energies[0] + (-OVERSHOOT if up else OVERSHOOT)), MOVE_TIMEOUT)
                for energy in energies:
                    readings = yield from count(bench, {xrays: float(energy)}, dwell, len(rows))
                    rows.append({**readings, UP_KEY: up, SET_KEY: float(energy)})
        return rows

    conditions = {"e0_keV": of_foil.e0}
    search = Search("energy", measure, judge, {"calibration": calibration}, (xrays,), 0.02, dwell, conditions)
    return (yield from find(bench, search, apply, {"edge_of_foil": of_foil.name, **(md or {})}))
