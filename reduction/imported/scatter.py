"""Errors of a curve without counts, from its own scatter.

Each point is compared with the cubic through its four neighbours, two on each side. For independent errors of equal
size the difference has a known multiple of their variance, which depends on the distances only. The differences around
a point give the size; those above 2.5 standard deviations, features sharper than four points and outliers, do not
count. What is left of a normal distribution has a known variance, so that the estimate has no bias (below 1 %); it
has about 20 degrees of freedom, since neighbouring differences share points.
"""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEIGHBOURS = 2
"""On each side."""
WINDOW = 61
"""Differences that give the size around a point."""
LARGEST = 2.5
"""Standard deviations of a difference that counts."""
ITERATIONS = 10
"""Until the differences that count no longer change."""
MEDIAN_SQUARE = 0.4549
"""Of a standard normal deviate; the first size, which most features do not move."""
KEPT_SQUARES = 1 - 2 * LARGEST * exp(-(LARGEST**2) / 2) / sqrt(2 * pi) / erf(LARGEST / sqrt(2))
"""Mean square of a standard normal deviate that does not exceed `LARGEST`."""
FEWEST = 8


def scatter_of(x: Array, y: Array) -> Array:
    """Standard deviation of each point, shape (N,).

    Parameters
    ----------
    x : ndarray, shape (N,), ascending
    y : ndarray, shape (N,)

    Raises
    ------
    ValueError
        For fewer than 8 points.
    """
    if x.size < FEWEST:
        raise ValueError(f"{x.size} points have no scatter: {FEWEST} are needed")
    inside = np.arange(NEIGHBOURS, x.size - NEIGHBOURS)
    offsets = np.array([-2, -1, 1, 2])
    places = inside[:, None] + offsets
    weights = _lagrange(x[places], x[inside])
    difference = y[inside] - (weights * y[places]).sum(axis=1)
    scaled = difference**2 / (1 + (weights**2).sum(axis=1))
    found = np.sqrt(_variances(scaled[_windows(scaled.size)]))
    return np.concatenate([[found[0]] * NEIGHBOURS, found, [found[-1]] * NEIGHBOURS])


def _windows(size: int) -> NDArray[np.int64]:
    """Indices of the differences around each of `size`, as many at the ends as elsewhere."""
    width = min(WINDOW, size)
    first = np.clip(np.arange(size) - width // 2, 0, size - width)
    return np.asarray(first[:, None] + np.arange(width))


def _variances(squares: Array) -> Array:
    """Variance of each row of squared differences, those above `LARGEST` standard deviations apart."""
    found = np.median(squares, axis=1) / MEDIAN_SQUARE
    for _ in range(ITERATIONS):
        kept = squares <= LARGEST**2 * found[:, None]
        found = np.where(kept, squares, 0.0).sum(axis=1) / np.maximum(kept.sum(axis=1), 1) / KEPT_SQUARES
    return np.asarray(found)


def _lagrange(nodes: Array, at: Array) -> Array:
    """Weights, shape (N, 4), of the cubic through four nodes at one place each."""
    weights = np.ones_like(nodes)
    for i in range(nodes.shape[1]):
        for j in range(nodes.shape[1]):
            if i != j:
                weights[:, i] *= (at - nodes[:, j]) / (nodes[:, i] - nodes[:, j])
    return weights


def edge_height(x: Array, y: Array) -> float:
    """Largest rise between neighbouring tenths of a curve, in units of its scatter: how clearly it has an edge."""
    y = y[np.argsort(x, kind="stable")]
    width = max(2, y.size // 10)
    sums = np.cumsum(np.concatenate([[0.0], y]))
    means = (sums[width:] - sums[:-width]) / width
    noise = float(np.sqrt(np.mean(np.diff(y) ** 2)))
    return float(np.max(means[width:] - means[:-width], initial=0.0)) / (noise or 1.0)
