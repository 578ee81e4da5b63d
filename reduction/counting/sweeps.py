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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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


class _Sweep:
    """The frames of each point of one sweep, in its column of the rows of all; N points, each with K frames.

    Parameters
    ----------
    rows : DwellRows
        A point is a frame, by its number.
    row : int
    shares : Shares
    """

    def __init__(self, rows: DwellRows, row: int, shares: Shares) -> None:
        self._rows, self._row, self._first, self._weight = rows, row, shares.first, shares.weight
        at = shares.first[:, None] + np.arange(shares.weight.shape[1])
        last = shares.frames.size - 1
        self._frame = shares.frames[np.minimum(at, last)] if shares.frames.size else np.zeros(at.shape, np.int64)
        self._there = shares.weight.any(axis=1)
        self._squares = (shares.weight**2).sum(axis=1)
        flux, size = self._of_frames(rows.flux), np.abs(shares.weight)
        self._mean = (size * flux).sum(axis=1) / np.maximum(size.sum(axis=1), 1e-300)
        self._factor = np.divide(
            self._mean[:, None] * shares.weight, flux, out=np.zeros_like(flux), where=shares.weight != 0
        )

    def _of_frames(self, values: Array) -> Array:
        """Values (F, R, ...) of the frames of each point, shape (N, K, ...); 0 where they have no weight."""
        found = values[:, self._row][self._frame]
        return np.where((self._weight != 0).reshape(*self._weight.shape, *[1] * (values.ndim - 2)), found, 0.0)

    def _summed(self, factor: Array, values: Array) -> Array:
        """Sums over frames: factors (N, K) times values (F, R, ...), shape (N, ...)."""
        return np.asarray(np.einsum("nk,nk...->n...", factor, self._of_frames(values)))

    def on_grid(self) -> dict[str, NDArray[Any]]:
        """By name, the row of each array of `DwellRows`, shape (N, ...)."""
        rows, row, squares = self._rows, self._row, self._squares
        counts = (rows.state[:, row] != EMPTY) & (rows.exposure[:, row] > 0)
        gates = rows.weight[counts, row].mean() if counts.any() else 0.0
        found = {
            "state": np.where(self._there, rows.state[:, row].max(), np.int8(EMPTY)).astype(np.int8),
            "weight": np.divide(gates, squares, out=np.zeros_like(squares), where=self._there),
            "flux": self._mean,
            "slot_mu": self._summed(self._factor, rows.slot_mu),
            "slot_var": self._summed(self._factor**2, rows.slot_var),
            "slot_shift": self._summed(self._factor, rows.slot_shift),
        }
        return found if rows.time is None else found | {"time": self._summed(self._weight, rows.time)}

    def ground(self, ground: GroundState) -> dict[str, Array]:
        """The same of a ground state."""
        summed = self._summed
        squares = self._factor**2
        return {
            "mu": summed(self._factor, ground.mu), "bunch_var": summed(squares, ground.bunch_var),
            "shift": summed(self._factor, ground.shift),
        }  # fmt: skip

    def strongest(self) -> IntArray:
        """The frame with the largest weight of each point, shape (N,)."""
        at = np.abs(self._weight).argmax(axis=1)[:, None]
        return np.asarray(np.take_along_axis(self._frame, at, axis=1)[:, 0])

    def neighbours(self, variance: Array) -> list[tuple[Array, Array]]:
        """By distance, correlations of points by the frames that they share: of counts (N, S), and of noise (N,).

        Parameters
        ----------
        variance : ndarray, shape (N, S)
            Of the points.
        """
        of_frames, points, found = self._of_frames(self._rows.slot_var), self._first.size, []
        for distance in range(1, points):
            low, high = slice(0, points - distance), slice(distance, points)
            at = np.arange(self._weight.shape[1]) + (self._first[low] - self._first[high])[:, None]
            inside = (at >= 0) & (at < self._weight.shape[1])
            theirs = self._above(self._weight[high], at, inside)
            if not (shared := self._weight[low] * theirs).any():
                break
            both = self._factor[low] * self._above(self._factor[high], at, inside)
            counting = np.einsum("nk,nks->ns", both, of_frames[low])
            noise = _coefficient(shared.sum(axis=1), self._squares[low] * self._squares[high], points)
            found.append((_coefficient(counting, variance[low] * variance[high], points), noise))
        return found

    @staticmethod
    def _above(values: Array, at: IntArray, inside: NDArray[np.bool_]) -> Array:
        """What the points above have at the frames of those below them."""
        return np.where(inside, np.take_along_axis(values, np.where(inside, at, 0), axis=1), 0.0)


def on_grid(rows: DwellRows, shares: Sequence[Shares]) -> DwellRows:
    """Dwells of the frames as dwells at the points of a grid, a row a sweep; one sweep after the other.

    Parameters
    ----------
    rows : DwellRows
        A point is a frame, by its number.
    shares : sequence of Shares
        Of each row.

    Returns
    -------
    DwellRows
        With the correlation of neighbours.
    """
    points, ground, strongest, beside = [], [], [], []
    for row, each in enumerate(shares):
        sweep = _Sweep(rows, row, each)
        points.append(sweep.on_grid())
        ground.append({} if rows.ground is None else sweep.ground(rows.ground))
        strongest.append(sweep.strongest())
        beside.append(sweep.neighbours(points[-1]["slot_var"]))
    return replace(
        rows,
        **_stacked(points),
        currents=None if rows.currents is None else rows.currents.nearest(np.stack(strongest, axis=1)),
        ground=None if rows.ground is None else replace(rows.ground, **_stacked(ground)),
        neighbours=_joined(beside, rows.num_slots),
    )


def _stacked(of_each: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, Any]:
    """Arrays of single rows side by side."""
    return {name: np.stack([each[name] for each in of_each], axis=1) for name in of_each[0]}


def _joined(of_each: Sequence[Sequence[tuple[Array, Array]]], slots: int) -> Neighbours:
    """Correlations of all sweeps, 0 beyond the distances of each."""
    points = max((each[0][1].size for each in of_each if each), default=0)
    counting = np.zeros((max(map(len, of_each)), points, len(of_each), slots))
    noise = np.zeros(counting.shape[:3])
    for row, each in enumerate(of_each):
        for distance, (of_counts, of_noise) in enumerate(each):
            counting[distance, :, row], noise[distance, :, row] = of_counts, of_noise
    return Neighbours(counting, noise)


def _coefficient(covariance: Array, product: Array, points: int) -> Array:
    """Coefficients of the points that have one so far above them, and 0 for the last ones."""
    result = np.zeros((points, *covariance.shape[1:]))
    np.divide(covariance, np.sqrt(product), out=result[: len(covariance)], where=product > 0)
    return result
