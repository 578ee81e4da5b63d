"""Energy grids, compiled by pure functions before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plans.compilation.arguments import refuse_another_unit

MEV_PER_KEV = 1_000_000
MOST_POINTS = 100_000


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


def checked_grid(values: ArrayLike, name: str = "energies", unit: str = "keV") -> NDArray[np.float64]:
    """A user's own grid as an array, refused if it is not a grid.

    Parameters
    ----------
    values : array_like
    name, unit : str
        What it is called in messages.

    Raises
    ------
    ValueError
        If it has fewer than two points, is not finite, or does not ascend strictly.
    """
    try:
        given = np.asarray(values)
        grid = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers in {unit}: {error}") from error
    if given.dtype.kind not in "iuf" or any(isinstance(each, bool) for each in np.ravel(np.asarray(values, object))):
        raise ValueError(f"{name} must be numbers in {unit}, not text or truth values")
    if grid.size > MOST_POINTS:
        raise ValueError(f"{name} has {grid.size} points; {MOST_POINTS} are possible")
    if grid.ndim != 1 or grid.size < 2:
        raise ValueError(f"{name} needs at least two points in one row, not shape {grid.shape}")
    if not np.isfinite(grid).all():
        raise ValueError(f"{name} holds a value that is not a finite number")
    for value in grid:
        refuse_another_unit(name, float(value), unit)
    if not (np.diff(grid) > 0).all():
        first = int(np.flatnonzero(np.diff(grid) <= 0)[0])
        before, after = (f"{value:.5f}" if unit == "keV" else f"{value:g}" for value in grid[first : first + 2])
        raise ValueError(f"{name} must ascend without repeats; {before} {unit} is followed by {after} {unit}")
    return grid


def delay_grid(
    first: float = -300.0, step: float = 25.0, linear_to: float = 500.0, last: float = 130_000.0, logarithmic: int = 20
) -> NDArray[np.float64]:
    """Pump-probe delays (ps): equally spaced around t0, then equally spaced in their logarithm.

    Parameters
    ----------
    first, step, linear_to : float
        Linear part, ps.
    last : float
        End of the logarithmic part, ps.
    logarithmic : int
        Points of the logarithmic part, after `linear_to`; rounded to 5 ps, the step of the delay generator.

    Raises
    ------
    ValueError
        If the parts do not ascend.
    """
    if not (first < linear_to < last and step > 0 and linear_to > 0 and logarithmic >= 1):
        raise ValueError(
            f"a delay grid ascends from first to linear_to (above 0) to last, not {first:g}, {linear_to:g}, {last:g} ps"
            f" with a step of {step:g} ps and {logarithmic} logarithmic points"
        )
    linear = np.arange(first, linear_to + step / 2, step)
    log = np.geomspace(linear_to, last, logarithmic + 1)[1:]
    return np.unique(np.concatenate([linear, np.round(log / 5) * 5]))


FLUENCES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 8.8, 9.6, 10.4, 11.2, 12.0, 12.4)
"""mJ/cm2; dense at the low end, which fixes the slope at zero, and around the plateau."""
