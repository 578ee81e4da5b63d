"""Mixed model of the logarithms of rates: one level for each energy, one for each pass, and a drift in each pass.

``y = level of its energy + level of its pass + ln(1 + slope t) + g(t) + noise``. The levels are free, and so is the
slope common to all passes where the order of the visits separates it from the spectrum. The drift g is a Gaussian
process, independent in each pass, with five parts whose standard deviations are the parameters of the model: a slope of
its own in each pass, a smooth curve (an integrated random walk, that is a cubic spline), a random walk, 1/f noise (a
sum of exponential correlations with lifetimes an octave apart), and noise that is independent from visit to visit.
Levels follow by generalised least squares, and the likelihood of the parameters is the restricted one, in which the
levels are integrated out (Patterson and Thompson, Biometrika 58, 545, 1971; Rasmussen and Williams, Gaussian Processes
for Machine Learning, 2006, section 2.7). The logarithm bends a thickness that changes in proportion to the time, so the
model is linear about the slope of each pass, found beforehand by iteration.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARTS = 5
"""Slope of each pass, smooth curve, random walk, 1/f noise by octave, independent noise."""
SEPARATED = 0.01
"""Fraction of the variance of the time that energies and passes must leave for a common slope to be determined."""

ROUNDS = 3
STEEPEST = 0.8
"""Slope of a thickness, relative over half a pass, up to which the model is expanded about it."""


@dataclass(frozen=True)
class Visits:
    """Visits of energies in K moments of a measurement, a visit being all dwells of a point in a pass.

    Attributes
    ----------
    pass_index : ndarray of int, shape (K,)
    effect : ndarray of int, shape (K,)
        Energy, from 0.
    time : ndarray, shape (K,), s
    level, variance : ndarray, shape (K,)
        Logarithm of the rate, and its variance from counting and from noise of dwells.
    length : ndarray, shape (K,), s
        Of each visit, over which the drift is averaged.
    """

    pass_index: NDArray[np.int64]
    effect: NDArray[np.int64]
    time: Array
    level: Array
    variance: Array
    length: Array

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Visits:
        """Some of the visits."""
        return Visits(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @property
    def connected(self) -> bool:
        """Whether energies that passes have in common relate the levels of all of them."""
        passes, index = np.unique(self.pass_index, return_inverse=True)
        energies, energy = np.unique(self.effect, return_inverse=True)
        met = np.zeros((passes.size, energies.size), np.bool_)
        met[index, energy] = True
        reached = met[0]
        for _ in passes:
            reached = met[(met & reached).any(axis=1)].any(axis=0)
        return bool(reached.all())


@dataclass(frozen=True)
class Solution:
    """Generalised least squares for given parameters.

    Attributes
    ----------
    likelihood : float
        Logarithm of the restricted likelihood, up to a constant.
    levels : ndarray, shape (N + 1,) or (N,)
        Of the energies (their mean is 0), then the common slope if there is one.
    covariance : ndarray
        Of `levels`.
    inverse : ndarray, shape (P, n, n)
        Inverse of the Cholesky factor of each pass' covariance.
    """

    likelihood: float
    levels: Array
    covariance: Array
    inverse: Array


class DriftModel:
    """The model with the visits of all passes, padded to the longest pass; axes P passes, n visits.

    Parameters
    ----------
    visits : Visits
    gap : float, optional
        Seconds between visits, half of which is the shortest lifetime of the 1/f noise; by default their median.

    Attributes
    ----------
    slope_separated : bool
        Whether the order of the visits separates a slope common to all passes from the spectrum.
    """

    def __init__(self, visits: Visits, gap: float | None = None) -> None:
        self.passes = np.unique(visits.pass_index)
        self.energies = int(visits.effect.max()) + 1
        number = max(int((visits.pass_index == index).sum()) for index in self.passes)
        self.there = np.zeros((self.passes.size, number), np.bool_)
        for row, index in enumerate(self.passes):
            self.there[row, : (visits.pass_index == index).sum()] = True
        order = np.argsort(visits.pass_index, kind="stable")
        self.time, self._level, self._variance, self._length = (self._padded(each[order]) for each in _numbers(visits))
        effect = self._padded(visits.effect[order]).astype(np.int64)
        self._variance[~self.there] = 1.0
        self._energy = ((effect[..., None] == np.arange(self.energies)) & self.there[..., None]).astype(np.float64)
        first = np.where(self.there, self.time, np.inf).min(axis=1)
        last = np.where(self.there, self.time, -np.inf).max(axis=1)
        self._middle, self._half = (first + last) / 2, max(float((last - first).max()) / 2, 1e-9)
        self._before = float(self._length.max()) / (4 * self._half)  # the walk begins with the first visit
        self.gap = float(np.median(np.diff(self.time, axis=1)[self.there[:, 1:]])) if gap is None else gap
        self._lifetimes = _octaves(max(self.gap / 2, 1e-9), 16 * self._half)
        self._slopes = np.zeros(self.passes.size)
        self.slope_separated = self._slope_separated()
        self._expand()

    def _expand(self) -> None:
        """Kernels and design about the slopes of the passes."""
        self._kernels = self.kernels(self.time) * (self.there[:, :, None] & self.there[:, None, :])
        slope = [self._by_slope(self.time) * self.there] if self.slope_separated else []
        self._design = np.concatenate([self._energy, *(each[..., None] for each in slope)], axis=2)

    def expand_about_slopes(self, parameters: Array) -> None:
        """Find the slope of each pass by iteration, and linearise the model about it.

        Of several passes, what smooth curve and random walk explain is no slope: a bend that all of them have is not
        seen when they alternate. In a single pass monitor energies see it.
        """
        find = self._slope_of_curve if self.passes.size == 1 else self._mean_slopes
        for _ in range(ROUNDS):
            self._slopes = np.clip(find(parameters, self.solve(parameters)), -STEEPEST, STEEPEST)
            self._expand()

    def _slope_of_curve(self, parameters: Array, solution: Solution) -> Array:
        """Slope of the thickness of a single pass along a straight line through the whole curve, shape (1,)."""
        position = self.position(self.time)
        curve, _ = self.drift(parameters, solution, self.time)
        slope, level = np.polyfit(position[0], np.exp(curve[0] - curve[0].mean()), 1)
        return np.array([slope / level])

    def _mean_slopes(self, parameters: Array, solution: Solution) -> Array:
        """Common slope plus the mean of each pass' own one, shape (P,)."""
        common = solution.levels[-1] if self.slope_separated else 0.0
        level = np.where(self.there, self._level - self._bend(self.time), 0.0)
        white = solution.inverse @ (level - self._design @ solution.levels)[..., None]
        offset = solution.inverse @ self.there[..., None]
        white = white - offset * ((offset * white).sum(axis=1) / (offset**2).sum(axis=1))[:, None]
        by_slope = solution.inverse @ (self._by_slope(self.time) * self.there)[..., None]
        own = parameters[0] ** 2 * (by_slope * white).sum(axis=(1, 2))
        return np.asarray(common + own)

    def _by_slope(self, time: Array) -> Array:
        """Derivative of the logarithm of the thickness by the slope, times (P, t)."""
        position = self.position(time)
        return np.asarray(position / np.maximum(1 + self._slopes[:, None] * position, 1 - STEEPEST))

    def _bend(self, time: Array) -> Array:
        """Logarithm of the thickness at times (P, t) for the slopes of the passes, less its expansion about them."""
        rise = np.maximum(self._slopes[:, None] * self.position(time), -STEEPEST)
        return np.asarray(np.log1p(rise) - self._slopes[:, None] * self._by_slope(time))

    def _padded(self, values: Array | NDArray[np.int64]) -> Array:
        padded = np.zeros(self.there.shape)
        padded[self.there] = values
        return padded

    def position(self, time: Array) -> Array:
        """Time (P, t) as a position in the pass, from -1 to 1."""
        return np.asarray((time - self._middle[:, None]) / self._half)

    def kernels(self, time: Array) -> Array:
        """Covariances of the parts with unit parameters between times (P, t) and those of the visits, (5, P, t, n).

        A visit is the mean of the walk over its length, whose variance is smaller by a sixth of what it walks in that
        time: otherwise the steps between long visits would look like those of a smaller walk. Curve and random walk of
        unit parameter have moved by one standard deviation at the end of the pass.
        """
        x, y = self.position(time)[:, :, None], self.position(self.time)[:, None, :]
        slope = self._by_slope(time)[:, :, None] * self._by_slope(self.time)[:, None, :]
        apart = self._half * np.abs(x - y)
        walk = (1 + np.clip(np.minimum(x, y), -1, None)) / 2
        smooth = walk**3 + 0.75 * np.abs(x - y) * walk**2
        octaves = sum(np.exp(-apart / lifetime) for lifetime in self._lifetimes)
        walk += self._before - (apart == 0) * (self._length / (12 * self._half))[:, None, :]
        return np.stack([slope, smooth, walk, octaves, (apart == 0).astype(np.float64)])

    def _variances(self, time: Array) -> Array:
        """Diagonals of `kernels` of times with themselves, shape (5, P, t)."""
        x = self.position(time)
        walk, one = (1 + np.clip(x, -1, None)) / 2, np.ones_like(x)
        return np.stack([self._by_slope(time) ** 2, walk**3, walk + self._before, self._lifetimes.size * one, one])

    def _slope_separated(self) -> bool:
        """Whether enough of the time is left when levels of energies and passes are projected out."""
        position = self.position(self.time) * self.there
        columns = np.concatenate([self._energy, position[..., None]], axis=2)
        columns = columns - self.there[..., None] * (columns.sum(axis=1) / self.there.sum(axis=1)[:, None])[:, None]
        products = np.einsum("pni,pnj->ij", columns, columns)
        free = products[:-1, :-1] + 1 / self.energies
        left = products[-1, -1] - products[-1, :-1] @ np.linalg.solve(free, products[:-1, -1])
        return bool(left > SEPARATED * products[-1, -1])

    def solve(self, parameters: Array) -> Solution:
        """Levels and likelihood for given standard deviations of the parts, shape (5,).

        The levels of the passes are eliminated pass by pass. Those of the energies are determined up to a constant: a
        term in the normal equations holds their mean at 0.
        """
        parameters = np.where([self.passes.size > 1, *[True] * 4], parameters, 0.0)
        covariance = np.einsum("k,kpij->pij", parameters**2, self._kernels)
        own = np.arange(self.there.shape[1])
        covariance[:, own, own] += self._variance
        inverse = np.linalg.inv(np.linalg.cholesky(covariance))
        offset = inverse @ self.there[..., None]
        power = (offset**2).sum(axis=(1, 2))
        level = np.where(self.there, self._level - self._bend(self.time), 0.0)
        columns = inverse @ np.concatenate([self._design, level[..., None]], axis=2)
        columns = columns - offset * (np.swapaxes(offset, 1, 2) @ columns) / power[:, None, None]
        flat = columns.reshape(-1, columns.shape[2])
        products = flat.T @ flat
        normal, scale = products[:-1, :-1].copy(), np.trace(products[:-1, :-1]) / self.energies
        normal[: self.energies, : self.energies] += scale / self.energies
        found = np.linalg.inv(normal)
        found[: self.energies, : self.energies] -= 1 / (scale * self.energies)  # of their mean, which that term holds
        levels = found @ products[:-1, -1]
        squares = products[-1, -1] - levels @ products[:-1, -1]
        determinant = np.linalg.slogdet(normal)[1] - np.log(scale)
        determinant += np.log(power).sum() - 2 * np.log(np.diagonal(inverse, axis1=1, axis2=2)).sum()
        return Solution(float(-0.5 * (determinant + squares)), levels, found, inverse)

    def drift(self, parameters: Array, solution: Solution, time: Array) -> tuple[Array, Array]:
        """Mean and variance of the drift, its pass' level included, at times (P, t); both shape (P, t).

        Independent noise is no part of it: it does not last from one visit to the next.
        """
        parameters = np.where([self.passes.size > 1, True, True, True, False], parameters, 0.0)
        residual = np.where(self.there, self._level - self._bend(self.time), 0.0) - self._design @ solution.levels
        inverse = solution.inverse
        offset = inverse @ self.there[..., None]
        power = (offset**2).sum(axis=(1, 2))
        white = inverse @ residual[..., None]
        level = (offset * white).sum(axis=(1, 2)) / power
        across = np.einsum("k,kptn->ptn", parameters**2, self.kernels(time) * self.there[:, None, :])
        pull = across @ np.swapaxes(inverse, 1, 2)
        mean = level[:, None] + (pull @ (white - offset * level[:, None, None]))[..., 0]
        to_level = 1 - (pull @ offset)[..., 0]
        variance = np.einsum("k,kpt->pt", parameters**2, self._variances(time)) - (pull**2).sum(axis=2)
        variance += to_level**2 / power[:, None]
        columns = inverse @ self._design
        of_level = np.swapaxes(offset, 1, 2) @ columns / power[:, None, None]
        by_levels = -(pull @ columns) - to_level[..., None] * of_level
        if self.slope_separated:
            mean = mean + solution.levels[-1] * self._by_slope(time)
            by_levels[..., -1] += self._by_slope(time)
        variance += ((by_levels @ solution.covariance) * by_levels).sum(axis=2)
        return mean + self._bend(time), np.maximum(variance, 0.0)


def _numbers(visits: Visits) -> tuple[Array, Array, Array, Array]:
    return visits.time, visits.level, visits.variance, visits.length


def _octaves(shortest: float, longest: float) -> Array:
    """Lifetimes an octave apart from the shortest to at least the longest."""
    return np.asarray(shortest * 2.0 ** np.arange(1 + max(0, int(np.ceil(np.log2(longest / shortest))))))
