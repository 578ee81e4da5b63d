"""Whether a transient keeps its shape: late and early shapes compared, whatever their sizes.

chi-square of ``late cos(phi) - early sin(phi)``, with its covariance, is smallest at one angle phi; if both transients
have one shape, that minimum follows the chi-square distribution with one degree of freedom less than there are free
energies, since one was used for the ratio of their sizes, ``tan(phi)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from reduction.errors import ReductionError
from reduction.maps.transient_map import FreeMap, TransientMap
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

VISIBLE = 1e-3
"""p-value of no transient below which a delay counts as one with a transient."""
ANGLES = 181
"""Trial angles from which the best one is refined."""


@dataclass(frozen=True)
class ShapeChange:
    """Late against early transient.

    Attributes
    ----------
    early, late : float, ps
        Their delays.
    chi_square : float
        Of the difference at the best scale.
    dof : int
    p_value : float
        Of a difference at least as large if the shapes are the same.
    scale, scale_stddev : float
        Size of the late transient in units of the early one, if their shapes are the same.
    """

    early: float
    late: float
    chi_square: float
    dof: int
    p_value: float
    scale: float
    scale_stddev: float


def visible_rows(found: TransientMap) -> list[int]:
    """Delays at which there is a transient, by its chi-square against none."""
    free = found.free()
    return [row for row in range(found.delay.size) if _p_value_of_none(free, row) < VISIBLE]


def shape_change(found: TransientMap, early: int | None = None, late: int | None = None) -> ShapeChange:
    """Compare the shapes at two delays.

    Parameters
    ----------
    found : TransientMap
    early, late : int, optional
        Rows of the map; by default the first one after time zero and the last one with a transient.

    Raises
    ------
    reduction.errors.ReductionError
        If no two delays have a transient, or the same delay is given twice.
    """
    if early is None or late is None:
        seen = [row for row in visible_rows(found) if found.delay[row] > 0]
        if len(seen) < 2:
            raise ReductionError(
                f"{len(seen)} delay(s) after time zero have a transient beyond noise: shapes are compared at two"
            )
        early, late = seen[0] if early is None else early, seen[-1] if late is None else late
    if early == late:
        raise ReductionError(f"the delay {found.delay[early]:g} ps cannot be compared with itself")
    pair = found.rows([early, late]).free()
    grid = np.linspace(-np.pi / 2, np.pi / 2, ANGLES)
    angle = _refined(pair, float(grid[int(np.argmin([_chi_square(pair, each) for each in grid]))]), grid[1] - grid[0])
    best, dof = _chi_square(pair, angle), pair.value.shape[1] - 1
    scale = float(np.tan(angle))
    step = 1e-3
    bend = (_chi_square(pair, angle + step) - 2 * best + _chi_square(pair, angle - step)) / step**2
    stddev = float(np.sqrt(2 / bend) * (1 + scale**2)) if bend > 0 else float("inf")
    p_value = chi_square_p_value(best, dof)
    return ShapeChange(
        float(found.delay[early]), float(found.delay[late]), best, dof, p_value, scale, stddev
    )  # fmt: skip


def _chi_square(pair: FreeMap, angle: float) -> float:
    """Of the difference at an angle; 0 in both of its covariances would need a transient without noise."""
    early, late = -np.sin(angle), np.cos(angle)
    size = pair.value.shape[1]
    blocks = pair.covariance.reshape(2, size, 2, size)
    weights = np.array([early, late])
    covariance = np.einsum("a,aebf,b->ef", weights, blocks, weights)
    difference = weights @ pair.value
    return float(difference @ cho_solve(cho_factor(covariance), difference))


def _refined(pair: FreeMap, angle: float, step: float) -> float:
    from scipy.optimize import minimize_scalar  # imported here: a session that compares nothing starts faster

    ends = (angle - step, angle + step)
    return float(minimize_scalar(lambda at: _chi_square(pair, at), bounds=ends, method="bounded").x)


def _p_value_of_none(free: FreeMap, row: int) -> float:
    size = free.value.shape[1]
    own = free.covariance.reshape(*free.value.shape, *free.value.shape)[row, :, row, :]
    return chi_square_p_value(float(free.value[row] @ cho_solve(cho_factor(own), free.value[row])), size)
