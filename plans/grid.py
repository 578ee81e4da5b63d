"""Energy grids, compiled by pure functions before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

MEV_PER_KEV = 1_000_000


@dataclass(frozen=True)
class Region:
    """Equally spaced energies from `start` to `stop` keV, both ends included, `step` eV apart."""

    start: float
    stop: float
    step: float


def compile_regions(regions: Sequence[Region]) -> NDArray[np.float64]:
    """Energies (keV, ascending, none twice) of regions that may touch or overlap at their ends.

    Computed in whole meV, so that the same energy from two regions is one point.

    Raises
    ------
    ValueError
        If a region runs backwards, is not finite, its step does not divide it, or nothing is left.
    """
    points: set[int] = set()
    for region in regions:
        if not all(isfinite(number) for number in (region.start, region.stop, region.step)):
            raise ValueError(f"region {region} holds a value that is not a finite number")
        start, stop = round(region.start * MEV_PER_KEV), round(region.stop * MEV_PER_KEV)
        step = round(region.step * 1000)
        if step <= 0 or stop <= start:
            raise ValueError(f"region {region} must go upwards with a step above 0 eV")
        if (stop - start) % step:
            raise ValueError(f"region {region}: a step of {region.step} eV does not reach its end; change the step")
        points.update(range(start, stop + 1, step))
    if not points:
        raise ValueError("a grid needs at least one region")
    return np.array(sorted(points), dtype=np.float64) / MEV_PER_KEV


def checked_grid(energies: ArrayLike) -> NDArray[np.float64]:
    """A user's own grid (keV) as an array, refused if it is not a grid.

    Raises
    ------
    ValueError
        If it has fewer than two points, is not finite, or does not ascend strictly.
    """
    try:
        grid = np.asarray(energies, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"energies must be numbers in keV: {error}") from error
    if grid.ndim != 1 or grid.size < 2:
        raise ValueError(f"energies needs at least two points in one row, not shape {grid.shape}")
    if not np.isfinite(grid).all():
        raise ValueError("energies holds a value that is not a finite number")
    if not (np.diff(grid) > 0).all():
        first = int(np.flatnonzero(np.diff(grid) <= 0)[0])
        raise ValueError(
            f"energies must ascend without repeats; {grid[first]:.5f} keV is followed by {grid[first + 1]:.5f} keV"
        )
    return grid
