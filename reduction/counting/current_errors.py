"""Errors of slot means from the measured currents of the bunches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.current_model import CurrentModel, Jump
from reduction.counting.phases import Pattern

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class CurrentErrors:
    """Relative errors of slot means; axes N points, R rows, S slots, K readings of a dwell.

    Attributes
    ----------
    index : ndarray of int, shape (N, R, K)
        Readings that a dwell is a mean of.
    weight : ndarray, shape (N, R, K)
    age : ndarray, shape (N, R)
        Relative variance that a share has gained since the nearest readings.
    noise, unit : ndarray, shape (S, S)
        Relative covariance of slot means for the noise of one reading, and for a variance of 1 of every bunch.
    jumps : tuple of Jump
    members : ndarray, shape (S, B)
        Derivatives of the logarithms of the slot means by those of the measured currents, with opposite sign.
    """

    index: IntArray
    weight: Array
    age: Array
    noise: Array
    unit: Array
    jumps: tuple[Jump, ...]
    members: Array

    def only(self, points: NDArray[np.bool_]) -> CurrentErrors:
        """Those of some points, chosen by a mask."""
        return self._part(points, np.ones(self.age.shape[1], np.bool_))

    def rows(self, rows: NDArray[np.bool_]) -> CurrentErrors:
        """Those of some rows, chosen by a mask."""
        return self._part(np.ones(self.age.shape[0], np.bool_), rows)

    def _part(self, points: NDArray[np.bool_], rows: NDArray[np.bool_]) -> CurrentErrors:
        arrays = {name: getattr(self, name)[points][:, rows] for name in ("index", "weight", "age")}
        new_point, new_row = np.cumsum(points) - 1, np.cumsum(rows) - 1
        jumps = []
        for jump in self.jumps:
            kept = points[jump.point] & rows[jump.row]
            if kept.any():
                point, row = new_point[jump.point[kept]], new_row[jump.row[kept]]
                jumps.append(replace(jump, point=point, row=row, deviation=jump.deviation[kept]))
        return replace(self, jumps=tuple(jumps), **arrays)

    def nearest(self, chosen: IntArray) -> CurrentErrors:
        """Those of one dwell of its row for each of M means, chosen by their points, shape (M, R)."""
        own = np.arange(self.age.shape[1])
        arrays = {name: getattr(self, name)[chosen, own] for name in ("index", "weight", "age")}
        jumps = []
        for jump in self.jumps:
            point, entry = np.nonzero(chosen[:, jump.row] == jump.point)
            jumps.append(replace(jump, point=point, row=jump.row[entry], deviation=jump.deviation[entry]))
        return replace(self, jumps=tuple(jumps), **arrays)

    def variance(self) -> Array:
        """Relative variance of each slot mean of each dwell, shape (N, R, S)."""
        same = self.index[..., :, None] == self.index[..., None, :]
        shared = np.einsum("nrk,nrj,nrkj->nr", self.weight, self.weight, same)
        result = shared[..., None] * np.diagonal(self.noise) + self.age[..., None] * np.diagonal(self.unit)
        for jump in self.jumps:
            spread = (jump.deviation**2).sum(axis=1)
            np.add.at(result, (jump.point, jump.row), spread[:, None] * (self.members @ jump.size) ** 2)
        return np.asarray(result)

    def covariance(self, weights: Array) -> Array:
        """Relative covariance of means of dwells, shape (N, L, S, L, S).

        Parameters
        ----------
        weights : ndarray, shape (L, N, R)
            Of the dwells in each of L means.
        """
        shared = self._shared(weights)
        result = np.einsum("nlm,st->nlsmt", shared, self.noise)
        own = np.einsum("lnr,nr,lm->nlm", weights**2, self.age, np.eye(len(weights)))
        result += np.einsum("nlm,st->nlsmt", own, self.unit)
        for jump in self.jumps:
            pattern = self.members @ jump.size
            for point in np.unique(jump.point):
                mine = jump.point == point
                of_means = weights[:, point, jump.row[mine]] @ jump.deviation[mine]
                result[point] += np.einsum("lm,s,t->lsmt", of_means @ of_means.T, pattern, pattern)
        return np.asarray(result)

    def _shared(self, weights: Array) -> Array:
        """Sums over readings of the products of their weights in two means, shape (N, L, L)."""
        means = len(weights)
        result = np.empty((self.age.shape[0], means, means))
        for point, (index, weight) in enumerate(zip(self.index, self.weight, strict=True)):
            at = (index - index.min(initial=0)).ravel()
            of_means = [np.bincount(at, (each[point][:, None] * weight).ravel()) for each in weights]
            result[point] = np.array(of_means) @ np.array(of_means).T
        return result


def current_errors(
    model: CurrentModel, shape: tuple[int, int], pattern: Pattern, bunch_out: NDArray[np.bool_]
) -> CurrentErrors:
    """Errors of the slot means of a scan of `shape` (points, rows)."""
    pieces = model.passes[0].index.shape[1]
    index, weight = np.zeros((*shape, pieces), np.int64), np.zeros((*shape, pieces))
    age, first = np.zeros(shape), 0
    for one in model.passes:
        index[one.point, one.row] = one.index + first
        weight[one.point, one.row], age[one.point, one.row] = one.weight, model.change * one.age
        first += one.time.size
    members = _members(model.reference, pattern, bunch_out)
    noise = (members * model.noise) @ members.T
    return CurrentErrors(index, weight, age, noise, members @ members.T, model.jumps, members)


def _members(reference: Array, pattern: Pattern, bunch_out: NDArray[np.bool_]) -> Array:
    """Fraction of each bunch in the counts of each slot, less that in all, for shares are relative to the mean."""
    slot, bunch = pattern.slot_of_phase(), pattern.bunch_of_phase()
    counts = (slot >= 0) & ~bunch_out[bunch]
    fraction = np.zeros((pattern.num_slots, pattern.num_bunches))
    np.add.at(fraction, (slot[counts], bunch[counts]), np.exp(reference)[bunch[counts]])
    total = fraction.sum(axis=1, keepdims=True)
    fraction = np.divide(fraction, total, out=np.zeros_like(fraction), where=total > 0)
    return np.asarray(fraction - np.exp(reference) / np.exp(reference).sum())
