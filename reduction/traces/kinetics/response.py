"""Shape of the instrument response of a delay scan: a Gaussian, or a histogram of a measured response.

A response is an array (J, 3): lower end, upper end and weight of each bin, ends in units of the standard deviation of
the response. An empty array stands for a Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAUSSIAN: Array = np.zeros((0, 3))
BINS = 80
NEGLIGIBLE = 1e-5
"""Fraction of a response that is cut off at either end."""


def response_of(shape: Sequence[Sequence[float]]) -> tuple[Array, float]:
    """A measured response and its standard deviation (ps).

    Parameters
    ----------
    shape : sequence of (ps, density)
        Distribution of the delay (+) of a transient's onset after time zero, times ascending, density in any unit.
        Its mean is taken as time zero.

    Raises
    ------
    ValueError
        If there are fewer than five pairs, times do not ascend, or the densities are not valid for a response.
    """
    table = np.asarray(shape, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2 or len(table) < 5:
        raise ValueError("a measured response needs at least five pairs of time (ps) and density")
    time, density = table.T
    if not np.isfinite(table).all() or not (np.diff(time) > 0).all() or density.min() < 0 or not density.max() > 0:
        raise ValueError("a measured response needs ascending times and densities from 0 that are not all 0")
    fine = np.linspace(time[0], time[-1], 100 * BINS)
    weight = np.interp(fine, time, density)
    cumulative = np.cumsum(weight) / weight.sum()
    first, last = np.searchsorted(cumulative, (NEGLIGIBLE, 1 - NEGLIGIBLE))
    weights, ends = np.histogram(fine[first : last + 1], BINS, weights=weight[first : last + 1])
    mean = np.average(fine, weights=weight)
    sigma = float(np.sqrt(np.average((fine - mean) ** 2, weights=weight)))
    ends = (ends - mean) / sigma
    return np.column_stack([ends[:-1], ends[1:], weights / weights.sum()]), sigma


def seen_through(delay: Array, lifetimes: Array, sigma: float, response: Array) -> Array:
    """Exponentials that start at 0, convolved with a histogram, shape (T, L); an infinite lifetime is a step.

    Within a bin from a to b the integral of ``exp(-(t - u) / tau)`` over the u below t is ``F(t - a) - F(t - b)`` with
    ``F(x) = tau (1 - exp(-max(x, 0) / tau))``.
    """
    low, high, weight = response.T
    ends = sigma * np.append(low, high[-1])
    since = np.maximum(delay[:, None, None] - ends, 0.0)
    tau = np.where(np.isinf(lifetimes), 1.0, lifetimes)[:, None]
    with np.errstate(invalid="ignore"):
        integral = np.where(np.isinf(lifetimes)[:, None], since, -tau * np.expm1(-since / tau))
    return np.asarray(-np.diff(integral, axis=2) @ (weight / np.diff(ends)))
