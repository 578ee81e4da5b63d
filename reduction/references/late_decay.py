"""Transient of late slots from a family of decays, each member weighted by its evidence.

A member is two exponentials and a constant. The prior assumes neither rate nor size, nor a constant:
lifetimes are evenly spaced in their logarithm from a fifth of the distance between slots to a hundred times that, and
amplitudes are normal about 0 with standard deviations that are evenly spaced in their logarithm too. So a component may
have any size down to zero, and what the data do not constrain stays in the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from reduction.statistics.matrix_root import matrix_root

Array = NDArray[np.float64]

LIFETIMES = np.geomspace(0.2, 100.0, 12)
"""In units of the distance between slots; anything slower is a constant."""
A_DECADE = 3.2
"""Lifetimes in each factor of ten, where slots lie farther apart than `LIFETIMES` reaches."""
SIZES = np.geomspace(0.01, 30.0, 4)
"""Standard deviations of the amplitudes of the exponentials, in units of the transient."""
CONSTANTS = np.geomspace(1e-3, 10.0, 7)
"""Standard deviations of the constant."""


@dataclass(frozen=True)
class Coefficients:
    """Amplitudes of all exponentials of the family and the constant, shape (K,), and their covariance, (K, K)."""

    mean: Array
    covariance: Array


def basis(time: Array) -> Array:
    """Exponentials of the family and the constant at times after the pump, in distances between slots; (..., K)."""
    time = np.asarray(time, dtype=np.float64)[..., None]
    lifetimes = LIFETIMES
    if (longest := time.max(initial=0.0)) > LIFETIMES[-1]:  # bins of a slow laser
        lifetimes = np.geomspace(LIFETIMES[0], longest, int(np.ceil(A_DECADE * np.log10(longest / LIFETIMES[0]))))
    return np.concatenate([np.exp(-time / lifetimes), np.ones_like(time)], axis=-1)


def marginalised(gram: Array, projected: Array, unit: float = 1.0) -> Coefficients:
    """Average over all members of the family, each weighted by its evidence.

    Parameters
    ----------
    gram : ndarray, shape (K, K)
        ``X' W X`` of the basis X at what was measured, with the inverse covariance W of the measurement.
    projected : ndarray, shape (K,)
        ``X' W y``.
    unit : float
        Size of the transient in the units of y.
    """
    count = gram.shape[0]
    chosen, sizes = _members(count)
    prior = unit * sizes
    inverse, log_det = _inverse_of_factors(gram[chosen[:, :, None], chosen[:, None, :]], prior**-2)
    y = (inverse * projected[chosen].T[:, :, None]).sum(axis=1)  # its square is the chi-square that a member explains
    evidence = (y**2).sum(axis=0) - log_det - 2 * np.log(prior).sum(axis=1)
    weight = np.exp(0.5 * (evidence - evidence.max()))
    weight /= weight.sum()
    mean = (inverse * y[:, None]).sum(axis=0)
    root = np.sqrt(weight) * np.concatenate([inverse, mean[None]])
    stacked = np.moveaxis(root, (1, 2), (1, 0)).reshape(len(chosen), 3, -1)
    total, squares = np.zeros(count), np.zeros((count, count))
    np.add.at(total, chosen, (weight * mean).sum(axis=2).T)
    np.add.at(squares, (chosen[:, :, None], chosen[:, None, :]), stacked @ np.swapaxes(stacked, 1, 2))
    return Coefficients(total, squares - np.outer(total, total))


@cache
def _members(count: int) -> tuple[NDArray[np.int64], Array]:
    """Columns of each pair of exponentials and the constant, shape (M, 3); sizes of their amplitudes, shape (Q, 3)."""
    chosen = np.array([(a, b, count - 1) for a, b in combinations(range(count - 1), 2)])
    return chosen, np.array(list(product(SIZES, SIZES, CONSTANTS)))


def _inverse_of_factors(gram: Array, more: Array) -> tuple[Array, Array]:
    """Inverse Cholesky factors of each 3 x 3 matrix with each diagonal added, shape (3, 3, M, Q); log determinants.

    Written out, since a library call for each of thousands of small matrices is ten times slower.
    """
    (a, b, c), (_, d, e), (_, _, f) = np.moveaxis(gram, 0, 2)[..., None]
    p, q, r = more.T
    l11 = np.sqrt(a + p)
    l21, l31 = b / l11, c / l11
    l22 = np.sqrt(d + q - l21**2)
    l32 = (e - l21 * l31) / l22
    l33 = np.sqrt(f + r - l31**2 - l32**2)
    inverse = np.zeros((3, 3, *l33.shape))
    inverse[0, 0], inverse[1, 1], inverse[2, 2] = 1 / l11, 1 / l22, 1 / l33
    inverse[1, 0] = -l21 / (l11 * l22)
    inverse[2, 1] = -l32 / (l22 * l33)
    inverse[2, 0] = (l21 * l32 / l22 - l31) / (l11 * l33)
    return inverse, 2 * np.log(l11 * l22 * l33)


def residual_of_last_slot(
    z: Array, counting: Array, common: Array, efficiency: Array, order: NDArray[np.int64], times: Array
) -> tuple[Array, Array]:
    """Transient of the last slot at each of E delays, from all late slots and delays together.

    Parameters
    ----------
    z, counting : ndarray, shape (S, E)
        Logarithms of laser on over the laser-off mean, and their variances from counting.
    common : ndarray, shape (E,)
        Variance common to the slots of a delay.
    efficiency : ndarray, shape (S, M)
        Root of the covariance of the logarithms of the slots' efficiencies, common to all delays.
    order : ndarray of int, shape (S,)
        Slots by their delay after the pump.
    times : ndarray, shape (S, E)
        After the pump, in distances between slots.

    Returns
    -------
    residual : ndarray, shape (E,)
    root : ndarray, shape (E, K)
        Root of its covariance.
    """
    late, last = order[1:], order[-1]
    inverse = np.linalg.inv(common[:, None, None] + np.eye(late.size) * counting[late].T[:, None, :])
    members = basis(times)
    count = members.shape[2]
    shared = np.broadcast_to(efficiency[late], (times.shape[1], late.size, efficiency.shape[1]))
    design = np.concatenate([np.moveaxis(members[late], 0, 1), shared], axis=2)
    weighted = np.einsum("elm,elk->emk", inverse, design)
    gram = np.einsum("elj,elk->jk", design, weighted)
    projected = np.einsum("el,elk->k", z[late].T, weighted)
    # errors of the efficiencies are normal with variance 1 in these coordinates, and are eliminated
    out = gram[:count, count:] @ np.linalg.inv(np.eye(efficiency.shape[1]) + gram[count:, count:])
    found = marginalised(
        gram[:count, :count] - out @ gram[count:, :count],
        projected[:count] - out @ projected[count:],
        float(np.abs(z[order[0]] - z[last]).max()),
    )
    return members[last] @ found.mean, members[last] @ matrix_root(found.covariance)
