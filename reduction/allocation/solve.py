"""Least time in which sums of ``a / cycles`` fall to their budgets: a convex problem, solved by its dual.

With times n, costs w and prices p of the targets, ``min w.n`` subject to ``sum_j A_qj / n_j <= b_q`` and ``n >= m`` has
the Lagrangian minimum ``n_j = max(m_j, sqrt(sum_q p_q A_qj / w_j))``: one closed form for each point (Neyman's
allocation), and as many unknowns as targets. The dual function of the prices is concave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ITERATIONS = 200
CLOSE = 1e-6


def least_cycles(parts: Array, budget: Array, cost: Array, least: Array) -> Array:
    """Cycles of each point, shape (N,), of least total cost.

    Parameters
    ----------
    parts : ndarray, shape (Q, N)
        Variance of each sum from one cycle at each point.
    budget : ndarray, shape (Q,)
        Largest variances, above 0.
    cost : ndarray, shape (N,)
        Of one cycle, above 0.
    least : ndarray, shape (N,)
        Fewest cycles, above 0.
    """
    relative = parts / budget[:, None]
    open_ = (relative / least).sum(axis=1) > 1
    if not open_.any():
        return least.copy()
    relative = relative[open_]
    prices = _prices(relative, cost, least)
    return _until_met(relative, _cycles(prices, relative, cost, least), least)


def _prices(relative: Array, cost: Array, least: Array) -> Array:
    """Prices at which the dual function is largest; each begins at that of its target alone."""
    from scipy.optimize import minimize  # imported here: a session that allocates nothing starts sooner

    alone = np.sqrt(relative * cost).sum(axis=1) ** 2

    def negative(scaled: Array) -> tuple[float, Array]:
        prices = scaled * alone
        cycles = _cycles(prices, relative, cost, least)
        excess = (relative / cycles).sum(axis=1) - 1
        return -float(cost @ cycles + prices @ excess) / size, -excess * alone / size

    size = float(alone.max())
    start = np.full(alone.size, 1 / alone.size)
    found = minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * alone.size,
        options={"maxiter": ITERATIONS, "ftol": CLOSE**2, "gtol": CLOSE},
    )  # fmt: skip
    return np.asarray(found.x * alone)


def _cycles(prices: Array, relative: Array, cost: Array, least: Array) -> Array:
    return np.asarray(np.maximum(least, np.sqrt(prices @ relative / cost)))


def _until_met(relative: Array, cycles: Array, least: Array) -> Array:
    """The same shares, with what is above `least` increased until every target is met."""
    for _ in range(ITERATIONS):
        factor = float((relative / cycles).sum(axis=1).max())
        if factor <= 1 + CLOSE:
            break
        cycles = np.maximum(least, cycles * factor)
    return cycles
