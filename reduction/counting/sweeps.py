"""Frames of sweeps, counted while the energy moves, as dwells at the points of a grid.

A frame is an average over the energies from its beginning to its end. A point is a weighted mean of the frames around
it, with weights that make it the value of the spectrum at the point, to the second order: with x the energy of a frame
from the point and w the range of energies within it,

    sum K = 1,    sum K x = 0,    sum K (x^2 + w^2 / 12) = 0,    K = exposure * overlap * (a + b x + c x^2),

so that neither slope nor curvature of the spectrum, nor the range within a frame, shifts or broadens it: what is left
is of the fourth order. `overlap` is the fraction of the frame within the smaller of the two steps on either side of the
point. A frame between two points has a share in both, which correlates them: exactly so in `Neighbours`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY
from reduction.counting.neighbours import Neighbours
from reduction.counting.row_parts import GroundState
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]

LEAST_FRAMES = 2.5
"""Frames, in sum of their overlaps, without which a point is lost."""
MOST_NOISE = 4.0
"""Largest variance of a point in that of a plain mean of as many frames: more frames lie on one side of it."""
CONDITION = 1e-9
"""Of the three equations for the weights, below which frames do not determine them."""


@dataclass(frozen=True)
class Sweeps:
    """Energies of the frames; axes F frames by their number, R rows (a row is a sweep).

    Attributes
    ----------
    begin, end : ndarray, shape (F, R), keV
        At the beginning and at the end of each frame, from the encoder; NaN for a frame that is not there.
    """

    begin: Array
    end: Array


def half_widths(grid: Array) -> Array:
    """How far from each point frames count, keV: the smaller of the steps on either side."""
    steps = np.diff(grid)
    return np.minimum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))


def weights_on_grid(begin: Array, end: Array, exposure: Array, grid: Array) -> Array:
    """Weights K of the frames of one sweep in each point, shape (N, F); a row of zeros for a point that is lost.

    Parameters
    ----------
    begin, end : ndarray, shape (F,), keV
    exposure : ndarray, shape (F,)
        0 for frames that do not count.
    grid : ndarray, shape (N,), keV
    """
    half = half_widths(grid)[:, None]
    low, high = np.minimum(begin, end), np.maximum(begin, end)
    width = np.maximum(high - low, 1e-12)
    inside = np.minimum(high, grid[:, None] + half) - np.maximum(low, grid[:, None] - half)
    counts = np.isfinite(begin) & np.isfinite(end) & (exposure > 0)
    overlap = np.where(counts, np.clip(inside / width, 0.0, 1.0), 0.0)
    weight = np.where(counts, exposure, 0.0) * overlap
    at = np.where(counts, (low + high) / 2 - grid[:, None], 0.0) / half
    square = at**2 + np.where(counts, width / half, 0.0) ** 2 / 12
    terms = np.stack([np.ones_like(at), at, at**2])  # of K
    moments = np.stack([np.ones_like(at), at, square])  # of the conditions
    matrix = np.einsum("anf,bnf,nf->nab", moments, terms, weight)
    total = np.where(matrix[:, :1, :1] > 0, matrix[:, :1, :1], 1.0)
    usable = (overlap.sum(axis=1) >= LEAST_FRAMES) & (np.abs(np.linalg.det(matrix / total)) > CONDITION)
    found = np.zeros((grid.size, 3))
    if usable.any():
        unit = np.broadcast_to(np.array([1.0, 0.0, 0.0])[:, None], (int(usable.sum()), 3, 1))
        found[usable] = np.linalg.solve(matrix[usable], unit)[..., 0]
    result = weight * np.einsum("na,anf->nf", found, terms)
    noisy = (result**2).sum(axis=1) * np.maximum(overlap.sum(axis=1), 1.0) > MOST_NOISE
    return np.asarray(np.where(noisy[:, None], 0.0, result))


def on_grid(rows: DwellRows, sweeps: Sweeps, grid: Array) -> DwellRows:
    """Dwells of the frames as dwells at the points of a grid, a row a sweep.

    Parameters
    ----------
    rows : DwellRows
        A point is a frame, by its number.
    sweeps : Sweeps
    grid : ndarray, shape (N,), keV
        Ascending.

    Returns
    -------
    DwellRows
        With the correlation of neighbours.
    """
    points, frames, number = grid.size, len(rows.state), rows.state.shape[1]
    weights = np.zeros((number, points, frames))
    exposure = np.where(rows.state != EMPTY, rows.exposure, 0.0)
    for row in range(number):
        weights[row] = weights_on_grid(sweeps.begin[:, row], sweeps.end[:, row], exposure[:, row], grid)
    there = (weights != 0).any(axis=2).T
    state = np.where(there, rows.state.max(axis=0), np.int8(EMPTY)).astype(np.int8)
    squares = (weights**2).sum(axis=2).T
    used = np.where(exposure > 0, rows.flux, 1.0).T
    flux = np.abs(weights) @ used[..., None]
    flux = np.where(there, (flux[..., 0] / np.maximum(np.abs(weights).sum(axis=2), 1e-300)).T, 0.0)
    factor = np.einsum("nr,rnf,rf->rnf", flux, weights, 1 / used)  # of photons per pulse
    opened = np.where(exposure > 0, rows.weight, 0.0)
    gates = np.divide(opened.sum(axis=0), (exposure > 0).sum(axis=0), out=np.zeros(number), where=exposure.any(axis=0))
    variance = _summed(factor**2, rows.slot_var, exposure)
    return replace(
        rows,
        state=state,
        weight=np.divide(gates, squares, out=np.zeros_like(squares), where=there),
        flux=flux,
        slot_mu=_summed(factor, rows.slot_mu, exposure),
        slot_var=variance,
        slot_shift=_summed(factor, rows.slot_shift, exposure),
        time=None if rows.time is None else _summed(weights, rows.time, exposure),
        currents=None if rows.currents is None else rows.currents.nearest(weights),
        ground=None if rows.ground is None else _ground(rows.ground, factor, exposure),
        neighbours=_neighbours(weights, factor, rows.slot_var, exposure, variance),
    )


def _summed(factor: Array, values: Array, exposure: Array) -> Array:
    """Sums over frames: factors (R, N, F) times values (F, R, ...), shape (N, R, ...)."""
    counts = (exposure > 0).reshape(*exposure.shape, *[1] * (values.ndim - 2))
    return np.asarray(np.einsum("rnf,fr...->nr...", factor, np.where(counts, values, 0.0)))


def _ground(ground: GroundState, factor: Array, exposure: Array) -> GroundState:
    return replace(
        ground,
        mu=_summed(factor, ground.mu, exposure),
        bunch_var=_summed(factor**2, ground.bunch_var, exposure),
        shift=_summed(factor, ground.shift, exposure),
    )


def _neighbours(weights: Array, factor: Array, slot_var: Array, exposure: Array, variance: Array) -> Neighbours:
    """Correlations of points by the frames that they share; weights and factors have the shape (R, N, F)."""
    shared = np.einsum("rnf,rmf->rnm", np.abs(weights), np.abs(weights)).max(axis=0, initial=0.0)
    first, second = np.nonzero(np.triu(shared, 1))
    farthest = int((second - first).max(initial=0))
    rows, points = weights.shape[:2]
    counting = np.zeros((farthest, points, rows, slot_var.shape[2]))
    noise = np.zeros((farthest, points, rows))
    squares = (weights**2).sum(axis=2)
    for distance in range(1, farthest + 1):
        low, high = slice(0, points - distance), slice(distance, points)
        both = _summed(factor[:, low] * factor[:, high], slot_var, exposure)
        counting[distance - 1, low] = _coefficient(both, variance[low] * variance[high])
        product = (squares[:, low] * squares[:, high]).T
        noise[distance - 1, low] = _coefficient((weights[:, low] * weights[:, high]).sum(axis=2).T, product)
    return Neighbours(counting, noise)


def _coefficient(covariance: Array, product: Array) -> Array:
    return np.divide(covariance, np.sqrt(product), out=np.zeros_like(covariance), where=product > 0)
