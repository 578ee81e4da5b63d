"""Errors of a curve without counts, from its own scatter.

Each point is compared with the cubic through its four neighbours, two on each side. For independent errors of equal
size the difference has a known multiple of their variance, which depends on the distances only. The smaller 80 % of the
differences around a point give the size, so that features sharper than four points, and outliers, do not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEIGHBOURS = 2
"""On each side."""
WINDOW = 61
"""Differences of which the smaller ones give the size."""
SMALLER = 0.8
"""Share of them that counts."""
SQUARES_OF_SMALLER = 0.4377
"""Mean square of the smaller 80 % of standard normal deviates."""
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
    half = min(WINDOW, scaled.size) // 2
    padded = np.pad(scaled, half, mode="reflect") if half else scaled
    windows = np.lib.stride_tricks.sliding_window_view(padded, min(2 * half + 1, padded.size))
    count = max(1, round(SMALLER * windows.shape[1]))
    smaller = np.sort(windows, axis=1)[: scaled.size, :count]
    found = np.sqrt(smaller.mean(axis=1) / SQUARES_OF_SMALLER)
    return np.concatenate([[found[0]] * NEIGHBOURS, found, [found[-1]] * NEIGHBOURS])


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
