"""Grids relative to the energy of an edge: equal steps below and through it, equal steps in wave number above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FINEST, COARSEST = 0.25, 1.0
"""Limits in eV of the default step through the edge, which is half the core-hole width."""
ROUND = 0.05
"""The default step is a multiple of this, eV."""
DEFAULT_REGIONS = ((-50.0, -20.0, 5.0), (-20.0, -10.0, 2.0), (-10.0, 30.0, None), (30.0, 100.0, "0.1k"))
"""Default grid relative to E0, eV; the step through the edge follows from the core-hole width."""
EV2_PER_K2 = 3.80998212
"""Energy (eV) of a photoelectron with a wave number of 1/angstrom, hbar^2 / 2 m: CODATA 2018."""


def relative_grid(rows: Sequence[Sequence[Any]], e0: float, core_hole_width: float) -> NDArray[np.float64]:
    """Energies (keV, whole meV, ascending, none twice) of rows relative to E0.

    Parameters
    ----------
    rows : sequence of (float, float, step)
        Start and stop in eV from E0; the step in eV, in 1/angstrom as a text such as ``"0.1k"``, or None: half the
        core-hole width, within `FINEST` and `COARSEST`.
    e0 : float
        keV.
    core_hole_width : float
        eV.

    Raises
    ------
    ValueError
        If a row is no such row, runs backwards, or the grid would begin at or below 0 keV.
    """
    natural = ROUND * round(float(np.clip(core_hole_width / 2, FINEST, COARSEST)) / ROUND)
    parts: list[NDArray[np.float64]] = []
    for start, stop, step in map(row_of, rows):
        if not start < stop:
            raise ValueError(f"the region from {start:g} to {stop:g} eV must go upwards")
        parts.append(_relative_points(float(start), float(stop), natural if step is None else step))
    mev = np.unique(np.round(1e3 * np.concatenate(parts)).astype(np.int64) + round(e0 * 1e6))
    if mev[0] <= 0:
        raise ValueError(f"E0 is {1e3 * e0:g} eV, too low for a grid that begins {-min(map(min, parts)):g} eV below")
    return mev / 1e6


def row_of(row: Any) -> Any:
    """A region as it was given.

    Raises
    ------
    ValueError
        If it is no sequence of three.
    """
    if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != 3:
        raise ValueError(f"a region is [start, stop, step], not {row!r}")
    return row


def _relative_points(start: float, stop: float, step: float | str) -> NDArray[np.float64]:
    """Points of one region, both ends included, eV from E0."""
    number = float(step.removesuffix("k")) if isinstance(step, str) else float(step)
    if not 0 < number < np.inf:
        raise ValueError(f"the step {step!r} of a region must be above 0")
    if not isinstance(step, str):
        return np.append(np.arange(start, stop - 1e-6, number), stop)
    if start < 0:
        raise ValueError(f"a step of {step} counts wave numbers of photoelectrons: it needs a region above E0")
    first, last = np.sqrt(np.array([start, stop]) / EV2_PER_K2)
    return np.append(EV2_PER_K2 * np.arange(first, last - 1e-6, number) ** 2, stop)
