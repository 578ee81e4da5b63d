"""Frames of sweeps, counted while the energy moves, as dwells at the points of a grid.

A frame is an average over the energies from its beginning to its end. A point is a weighted mean of the frames around
it, with weights that make it the value of the spectrum at the point, to the third order: with x the energy of a frame
from the point and w the range of energies within it,

    sum K = 1,  sum K x = 0,  sum K (x^2 + w^2 / 12) = 0,  sum K (x^3 + x w^2 / 4) = 0,
    K = exposure * overlap * (a + b x + c x^2 + d x^3),

so that neither slope, curvature nor skewness of the spectrum, nor the range within a frame, shifts or broadens it, also
where frames are lost on one side: what is left is of the fourth order. Where frames are too few for a cubic, as without
one of them at the ends, it is a parabola. `overlap` is the fraction of the frame within the smaller of the two steps on
either side of the point. A frame between two points has a share in both, which correlates them: exactly so in
`Neighbours`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY
from reduction.counting.neighbours import Neighbours
from reduction.counting.row_parts import GroundState
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST_FRAMES = 2.5
"""Frames, in sum of their overlaps, without which a point is lost."""
MOST_NOISE = 4.0
"""Largest variance of a point in that of a plain mean of as many frames: more frames lie on one side of it."""
CONDITION = 1e-9
"""Of the equations for the weights, below which frames do not determine them."""


@dataclass(frozen=True)
class Shares:
    """Shares of the frames of one sweep in the points of a grid; N points, each with K frames that follow each other.

    Attributes
    ----------
    frames : ndarray of int, shape (F,)
        Frames that count, by their energy.
    first : ndarray of int, shape (N,)
        The first one of each point, in `frames`.
    weight : ndarray, shape (N, K)
        Of each point's frames; zeros for a point that is lost.
    """

    frames: IntArray
    first: IntArray
    weight: Array


def half_widths(grid: Array) -> Array:
    """How far from each point frames count, keV: the smaller of the steps on either side."""
    steps = np.diff(grid)
    return np.minimum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))


def shares_on_grid(begin: Array, end: Array, exposure: Array, grid: Array) -> Shares:
    """Shares of the frames of one sweep in each point.

    Parameters
    ----------
    begin, end : ndarray, shape (F,), keV
        Energies at the beginning and at the end of each frame, from the encoder; NaN for a frame that is not there.
    exposure : ndarray, shape (F,)
        0 for frames that do not count.
    grid : ndarray, shape (N,), keV
    """
    counts = np.flatnonzero(np.isfinite(begin) & np.isfinite(end) & (exposure > 0))
    frames = counts[np.argsort(begin[counts] + end[counts], kind="stable")]
    low, high = np.minimum(begin, end)[frames], np.maximum(begin, end)[frames]
    half = half_widths(grid)
    first = np.searchsorted(np.maximum.accumulate(high), grid - half, side="right")
    last = np.searchsorted(np.minimum.accumulate(low[::-1])[::-1], grid + half, side="left")
    at = first[:, None] + np.arange(max(int((last - first).max(initial=0)), 1))
    inside = at < last[:, None]
    at = np.minimum(at, max(frames.size - 1, 0))
    if not frames.size:
        return Shares(frames, first, np.zeros(at.shape))
    return Shares(frames, first, _weights(low[at], high[at], np.where(inside, exposure[frames][at], 0.0), grid, half))


def _weights(low: Array, high: Array, exposure: Array, grid: Array, half: Array) -> Array:
    """Weights K of frames from `low` to `high` in each point, shape (N, K)."""
    width = np.maximum(high - low, 1e-12)
    within = np.minimum(high, (grid + half)[:, None]) - np.maximum(low, (grid - half)[:, None])
    overlap = np.where(exposure > 0, np.clip(within / width, 0.0, 1.0), 0.0)
    weight, total = exposure * overlap, overlap.sum(axis=1)
    x, square = ((low + high) / 2 - grid[:, None]) / half[:, None], (width / half[:, None]) ** 2
    moments = np.stack([np.ones_like(x), x, x**2 + square / 12, x**3 + x * square / 4])  # means over a frame
    result = np.zeros_like(weight)
    for terms in (3, 4):  # the cubic where it is determined
        found = _solved(weight, x, moments[:terms])
        noise = (found**2).sum(axis=1) * np.maximum(total, 1.0)
        good = found.any(axis=1) & (noise <= MOST_NOISE) & (total >= LEAST_FRAMES)
        result[good] = found[good]
    return result


def _solved(weight: Array, x: Array, moments: Array) -> Array:
    """Weights times a polynomial for which the first moment is 1 and the others are 0; zeros if there is none."""
    terms = np.stack([x**power for power in range(len(moments))])
    matrix = np.einsum("ank,bnk,nk->nab", moments, terms, weight)
    total = np.where(matrix[:, :1, :1] > 0, matrix[:, :1, :1], 1.0)
    usable = np.abs(np.linalg.det(matrix / total)) > CONDITION
    found = np.zeros((len(weight), len(moments)))
    if usable.any():
        unit = np.broadcast_to(np.eye(len(moments))[:, :1], (int(usable.sum()), len(moments), 1))
        found[usable] = np.linalg.solve(matrix[usable], unit)[..., 0]
    return np.asarray(weight * np.einsum("na,ank->nk", found, terms))


@dataclass(frozen=True)
class _Band:
    """Shares of all sweeps, padded to K frames; axes R sweeps, N points, K frames.

    Attributes
    ----------
    frame : ndarray of int, shape (R, N, K)
        Number of each frame.
    first : ndarray of int, shape (R, N)
        As in `Shares`.
    weight : ndarray, shape (R, N, K)
    """

    frame: IntArray
    first: IntArray
    weight: Array

    @classmethod
    def of(cls, shares: Sequence[Shares]) -> _Band:
        widest = max(each.weight.shape[1] for each in shares)
        frame = np.zeros((len(shares), len(shares[0].first), widest), np.int64)
        weight = np.zeros(frame.shape)
        for row, each in enumerate(shares):
            weight[row, :, : each.weight.shape[1]] = each.weight
            at = each.first[:, None] + np.arange(widest)
            if each.frames.size:
                frame[row] = each.frames[np.minimum(at, each.frames.size - 1)]
        return cls(frame, np.stack([each.first for each in shares]), weight)

    def of_frames(self, values: Array) -> Array:
        """Values (F, R, ...) of the frames of each point, shape (R, N, K, ...); 0 where they have no weight."""
        found = values[self.frame, np.arange(len(self.frame))[:, None, None]]
        there = (self.weight != 0).reshape(*self.weight.shape, *[1] * (values.ndim - 2))
        return np.where(there, found, 0.0)

    def summed(self, factor: Array, values: Array) -> Array:
        """Sums over frames: factors (R, N, K) times values (F, R, ...), shape (N, R, ...)."""
        return np.asarray(np.einsum("rnk,rnk...->nr...", factor, self.of_frames(values)))

    def above(self, distance: int) -> tuple[IntArray, NDArray[np.bool_]]:
        """Where the frames of each point are among those of the point above it, and whether they are there."""
        number = self.first.shape[1] - distance
        at = np.arange(self.weight.shape[2]) + (self.first[:, :number] - self.first[:, distance:])[..., None]
        inside = (at >= 0) & (at < self.weight.shape[2])
        return np.where(inside, at, 0), inside


def on_grid(rows: DwellRows, shares: Sequence[Shares], grid: Array) -> DwellRows:
    """Dwells of the frames as dwells at the points of a grid, a row a sweep.

    Parameters
    ----------
    rows : DwellRows
        A point is a frame, by its number.
    shares : sequence of Shares
        Of each row.
    grid : ndarray, shape (N,), keV
        Ascending.

    Returns
    -------
    DwellRows
        With the correlation of neighbours.
    """
    band = _Band.of(shares)
    weight, number = band.weight, len(shares)
    there = weight.any(axis=2).T
    state = np.where(there, rows.state.max(axis=0), np.int8(EMPTY)).astype(np.int8)
    squares = (weight**2).sum(axis=2).T
    flux = band.of_frames(rows.flux)
    mean = (np.abs(weight) * flux).sum(axis=2) / np.maximum(np.abs(weight).sum(axis=2), 1e-300)
    factor = np.divide(mean[..., None] * weight, flux, out=np.zeros_like(weight), where=weight != 0)  # of photons
    counts = (rows.state != EMPTY) & (rows.exposure > 0)
    opened = np.where(counts, rows.weight, 0.0).sum(axis=0)
    gates = np.divide(opened, counts.sum(axis=0), out=np.zeros(number), where=counts.any(axis=0))
    variance = band.summed(factor**2, rows.slot_var)
    return replace(
        rows,
        state=state,
        weight=np.divide(gates, squares, out=np.zeros_like(squares), where=there),
        flux=mean.T,
        slot_mu=band.summed(factor, rows.slot_mu),
        slot_var=variance,
        slot_shift=band.summed(factor, rows.slot_shift),
        time=None if rows.time is None else band.summed(weight, rows.time),
        currents=None if rows.currents is None else rows.currents.nearest(_strongest(band)),
        ground=None if rows.ground is None else _ground(rows.ground, factor, band),
        neighbours=_neighbours(band, factor, rows.slot_var, variance),
    )


def _strongest(band: _Band) -> IntArray:
    """The frame with the largest weight of each point, shape (N, R)."""
    at = np.abs(band.weight).argmax(axis=2)[..., None]
    return np.asarray(np.take_along_axis(band.frame, at, axis=2)[..., 0].T)


def _ground(ground: GroundState, factor: Array, band: _Band) -> GroundState:
    return replace(
        ground,
        mu=band.summed(factor, ground.mu),
        bunch_var=band.summed(factor**2, ground.bunch_var),
        shift=band.summed(factor, ground.shift),
    )


def _neighbours(band: _Band, factor: Array, slot_var: Array, variance: Array) -> Neighbours:
    """Correlations of points by the frames that they share; factors have the shape (R, N, K)."""
    weight, (rows, points) = band.weight, band.first.shape
    squares, of_frames = (weight**2).sum(axis=2).T, band.of_frames(slot_var)
    counting, noise = [], []
    for distance in range(1, points):
        at, inside = band.above(distance)
        low, high = slice(0, points - distance), slice(distance, points)
        theirs = np.where(inside, np.take_along_axis(weight[:, high], at, axis=2), 0.0)
        shared = weight[:, low] * theirs
        if not shared.any():
            break
        beside = np.where(inside, np.take_along_axis(factor[:, high], at, axis=2), 0.0)
        both = np.einsum("rnk,rnk,rnks->nrs", factor[:, low], beside, of_frames[:, low])
        counting.append(_coefficient(both, variance[low] * variance[high], points))
        noise.append(_coefficient(shared.sum(axis=2).T, squares[low] * squares[high], points))
    slots = slot_var.shape[2]
    return Neighbours(np.array(counting).reshape(-1, points, rows, slots), np.array(noise).reshape(-1, points, rows))


def _coefficient(covariance: Array, product: Array, points: int) -> Array:
    """Coefficients of the points that have one so far above them, and 0 for the last ones."""
    result = np.zeros((points, *covariance.shape[1:]))
    np.divide(covariance, np.sqrt(product), out=result[: len(covariance)], where=product > 0)
    return result
