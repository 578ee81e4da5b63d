"""Covariance of values of several slots at many points, kept as its diagonal and factors.

Counting makes each point independent; what points share (offset, edge integral, efficiencies, drift) are a few dozen
curves. With the local part L, curves F and signs +-1 the covariance of slot s at point e and slot t at point f is

    delta_ef L_ste + sum_r sign_r F_rse F_rtf,

exactly: of 1,000 points and 5 slots these are megabytes where the whole matrix has 200. Negative signs are those of
products of two different curves, ``-(G X^T + X G^T) = ((G - X) (G - X)^T - (G + X) (G + X)^T) / 2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-13
"""Of the sum of all parts of a variance."""


@dataclass(frozen=True)
class Factored:
    """Covariance of S slots at E points.

    Attributes
    ----------
    local : ndarray, shape (S, S, E)
        Between slots at the same point.
    factors : ndarray, shape (R, S, E)
        Curves that points share; NaN in a slot or point without a value.
    signs : ndarray, shape (R,)
        1 or -1.
    """

    local: Array
    factors: Array
    signs: Array

    @classmethod
    def of(cls, local: Array, shared: Array) -> Factored:
        """From the local part (S, S, E) and changes by independent parameters, shape (S, E, M)."""
        curves = np.moveaxis(shared, -1, 0)
        curves = curves[curves.any(axis=(1, 2))]
        return cls(local, np.ascontiguousarray(curves), np.ones(len(curves)))

    @classmethod
    def of_whole(cls, covariance: Array) -> Factored:
        """From the whole covariance, shape (S, S, E, E), where neighbouring points are correlated by themselves."""
        slots, points = covariance.shape[1:3]
        flat = covariance.transpose(0, 2, 1, 3).reshape(slots * points, -1)
        scale = np.sqrt(np.maximum(np.diagonal(flat), 0.0))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        value, vector = np.linalg.eigh(inverse[:, None] * flat * inverse)
        kept = np.abs(value) > ROUNDING * np.abs(value).max(initial=0.0)
        curves = scale[:, None] * vector[:, kept] * np.sqrt(np.abs(value[kept]))
        factors = np.ascontiguousarray(curves.T.reshape(-1, slots, points))
        return cls(np.zeros((slots, slots, points)), factors, np.sign(value[kept]))

    @property
    def variance(self) -> Array:
        """Shape (S, E); exactly 0 where only rounding is left, as of a pre-edge of one point."""
        own, squares = np.einsum("sse->se", self.local), self.factors**2
        variance = own + np.tensordot(self.signs, squares, 1)
        return np.asarray(np.where(variance <= ROUNDING * (own + squares.sum(axis=0)), 0.0, variance))

    def between(self, slot: int, other: int) -> Array:
        """Covariance of two slots, shape (E, E)."""
        left = self.signs[:, None] * self.factors[:, slot]
        found = left.T @ self.factors[:, other]
        found[np.diag_indices_from(found)] += self.local[slot, other]
        return np.asarray(found)

    def of_slots(self) -> Array:
        """Covariance of each slot, shape (S, E, E)."""
        return np.stack([self.between(slot, slot) for slot in range(len(self.local))])

    def of_all(self, slots: Sequence[int] | None = None) -> Array:
        """Covariance of all slots, or of some, and of all points, shape (S, S, E, E)."""
        slots = range(len(self.local)) if slots is None else slots
        return np.stack([np.stack([self.between(slot, other) for other in slots]) for slot in slots])

    def combined(self, weights: Array) -> Factored:
        """Covariance of sums of slots with weights, shape (Q, S)."""
        local = np.einsum("qs,ste,pt->qpe", weights, self.local, weights)
        return Factored(local, np.einsum("qs,rse->rqe", weights, self.factors), self.signs)

    def with_products(self, left: Array, right: Array) -> Factored:
        """With ``-(G X^T + X G^T)`` of curves G (left) and X (right), shape (K, S, E), added.

        Each pair is scaled to curves of one size, so that their difference loses no digits.
        """
        sizes = [np.sqrt(np.einsum("kse,kse->k", each, each)) for each in (left, right)]
        there = (sizes[0] > 0) & (sizes[1] > 0)
        scale = np.sqrt(sizes[1][there] / sizes[0][there] / 2)[:, None, None]
        first, second = left[there] * scale, right[there] / (2 * scale)
        curves = np.concatenate([self.factors, first - second, first + second])
        unit = np.ones(len(first))
        return Factored(self.local, curves, np.concatenate([self.signs, unit, -unit]))

    def squared_correlations(self) -> Array:
        """Sums of squared correlations of all pairs of points of two slots, shape (S, S); points without error add 0.

        Of the factors G_s = F_s F_s^T, scaled by the standard deviations, it is the trace of a product, so that no
        matrix of all points is formed.
        """
        variance = self.variance
        inverse = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
        local = self.local * inverse[:, None] * inverse
        factors = self.factors * inverse
        at_point = np.einsum("r,rse,rte->ste", self.signs, factors, factors, optimize=True)
        products = np.einsum("rse,qse->srq", factors, factors, optimize=True)
        between = np.einsum("srq,r,q,trq->st", products, self.signs, self.signs, products, optimize=True)
        return np.asarray(between + (local * (local + 2 * at_point)).sum(axis=2))

    def placed(self, slots: NDArray[np.bool_], points: NDArray[np.bool_]) -> Factored:
        """Covariance of all slots and points, of which these are some; NaN elsewhere."""
        local = np.full((slots.size, slots.size, points.size), np.nan)
        local[np.ix_(slots, slots, points)] = self.local
        rank = max(len(self.factors), 1)
        factors = np.full((rank, slots.size, points.size), np.nan)
        factors[np.ix_(np.arange(rank), slots, points)] = self.factors if len(self.factors) else 0.0
        return Factored(local, factors, self.signs if len(self.signs) else np.ones(1))
