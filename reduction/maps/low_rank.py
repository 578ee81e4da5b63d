"""The matrix of a given rank that is nearest to a measured one, in the metric of its covariance.

With A of shape (D, r) and B of shape (R, r) the matrix is ``A B^T``. The search is Gauss and Newton's with the damping
of Levenberg and Marquardt on all elements of A and B; it starts from the singular value decomposition of the matrix
whose rows and columns have equal noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.maps.transient_map import FreeMap

Array = NDArray[np.float64]

ROUNDS = 100
ENOUGH = 1e-3
"""Decrease of chi-square at which a search ends."""


@dataclass(frozen=True)
class LowRank:
    """The nearest matrix, shape (D, R), and its chi-square."""

    matrix: Array
    chi_square: float


def nearest_of_ranks(found: FreeMap) -> Iterator[LowRank]:
    """The nearest matrix of each rank, from 0 to the smaller of both dimensions, computed as they are asked for."""
    value, precision = found.value, found.precision
    nearest = LowRank(np.zeros_like(value), _chi_square(value, precision))
    yield nearest
    for rank in range(1, min(value.shape)):
        more = _decomposed(value - nearest.matrix, precision, 1)
        starts = [
            _decomposed(value, precision, rank),
            _decomposed(nearest.matrix, precision, rank - 1, more),
        ]
        found_from = [_searched(value, precision, *start) for start in starts]
        nearest = min(found_from, key=lambda each: each.chi_square)
        yield nearest
    yield LowRank(value.copy(), 0.0)


def _chi_square(residual: Array, precision: Array) -> float:
    return float(residual.ravel() @ precision.reshape(residual.size, -1) @ residual.ravel())


def _decomposed(
    value: Array, precision: Array, rank: int, more: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """A and B of a matrix by its singular values, with rows and columns of equal noise; `more` columns are appended."""
    weight = np.einsum("dede->de", precision)
    rows, columns = np.sqrt(weight.mean(axis=1)), np.sqrt(weight.mean(axis=0) / weight.mean())
    left, size, right = np.linalg.svd(rows[:, None] * value * columns, full_matrices=False)
    root = np.sqrt(size[:rank])
    a, b = left[:, :rank] * root / rows[:, None], right[:rank].T * root / columns[:, None]
    if more is not None:
        a, b = np.concatenate([a, more[0]], axis=1), np.concatenate([b, more[1]], axis=1)
    return a, b


def _searched(value: Array, precision: Array, a: Array, b: Array) -> LowRank:
    matrix = a @ b.T
    best, damping = _chi_square(value - matrix, precision), 1e-3
    for _ in range(ROUNDS):
        a, b = _balanced(a, b)
        step_a, step_b = _step(value - matrix, precision, a, b, damping)
        tried = (a + step_a) @ (b + step_b).T
        chi_square = _chi_square(value - tried, precision)
        if chi_square < best:
            gain = best - chi_square
            a, b, matrix, best, damping = a + step_a, b + step_b, tried, chi_square, damping / 10
            if gain < ENOUGH:
                break
        elif damping > 1e6:
            break
        else:
            damping *= 10
    return LowRank(matrix, best)


def _balanced(a: Array, b: Array) -> tuple[Array, Array]:
    """The same product with columns of equal norms: it does not determine them, and damping acts on both alike."""
    left, right = np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0)
    ratio = np.sqrt(right / np.where(left > 0, left, 1.0))
    ratio = np.where((left > 0) & (right > 0), ratio, 1.0)
    return a * ratio, b / ratio


def _step(residual: Array, precision: Array, a: Array, b: Array, damping: float) -> tuple[Array, Array]:
    """One damped step in A and B."""
    pull = np.einsum("dexf,xf->de", precision, residual)
    of_a, of_b = (
        np.einsum("dexf,fs->dexs", precision, b),
        np.einsum("dexf,xs->dsef", precision, a).transpose(0, 2, 1, 3),
    )
    aa = np.einsum("er,dexs->drxs", b, of_a).reshape(a.size, a.size)
    bb = np.einsum("dr,desf->erfs", a, of_b).reshape(b.size, b.size)
    ab = np.einsum("er,desf->drfs", b, of_b).reshape(a.size, b.size)
    curvature = np.block([[aa, ab], [ab.T, bb]])
    gradient = np.concatenate([(pull @ b).ravel(), (pull.T @ a).ravel()])
    diagonal = np.diagonal(curvature)
    damped = curvature + np.diag(damping * diagonal + 1e-12 * diagonal.max())
    step = np.linalg.solve(damped, gradient)
    return step[: a.size].reshape(a.shape), step[a.size :].reshape(b.shape)
