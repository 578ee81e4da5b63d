"""After-effects of a recorded hit on the next gate: afterpulses and blinding, found from the pair counters.

A hit is seen with probability q after a gate without a hit, and with a + beta q after one with a hit: ``a`` are
afterpulses, ``1 - beta`` is the fraction of the next gate's photons that a hit hides. With N gates that have an opened
gate before them, of which B followed a hit, and K hits among the N, C of them after a hit:

    pooled      q = (K - a B) / (N - (1 - beta) B)      for every phase, with a and beta of the whole scan
    per phase   q = (K - C) / (N - B)                   no a, no beta, but only the gates without a hit before

Both use the recorded hits alone: a dead time that unrecorded photons extend (paralysable) is not covered and can only
be flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.statistics.matrix_root import matrix_root

Array = NDArray[np.float64]

ITERATIONS = 4
"""Iterations of the fit: its weights depend weakly on its result."""
FEWEST = 10
"""Coincidences of a scan."""


@dataclass(frozen=True)
class AfterEffects:
    """Afterpulses and blinding in a scan.

    Attributes
    ----------
    afterpulse, beta : float
    covariance : ndarray, shape (2, 2)
        Of (afterpulse, beta).
    """

    afterpulse: float
    beta: float
    covariance: Array


@dataclass(frozen=True)
class Corrected:
    """Photons per pulse; same shape as the counters.

    Attributes
    ----------
    mu, variance : ndarray
        Infinite and NaN where there are more hits than any rate can explain; NaN where no pair was counted.
    shift : ndarray, shape (..., 2)
        Change of mu by one standard deviation of each of two independent combinations of a and beta.
    """

    mu: Array
    variance: Array
    shift: Array


def fit_after_effects(parts: Iterable[Sequence[Array]]) -> AfterEffects:
    """Afterpulses and blinding from lag 1, pooled over all dwells and phases.

    Every cell (dwell, phase) has ``C = B (a + beta q)`` with q measured by the gates without a hit before. That q is
    noisy, which would bias beta towards 0; so the equations are weighted by a q from the means over the dwell and over
    the phase, whose noise is not the cell's own (instrumental variables). They hold on average for any number of hits.

    Parameters
    ----------
    parts : iterable of (gates, hits, previous_hits, coincidences), each ndarray of shape (D, P)
        N, K, B, C of each dwell and phase, in any number of parts. It is iterated several times, so that a large scan
        need not be in memory as a whole.

    Raises
    ------
    ReductionError
        If there are too few hits, or too little difference between rates, to separate the two effects.
    """
    relative = _relative_rates(parts)
    a, beta = 0.0, 1.0
    for _ in range(ITERATIONS):
        sums = [_equations(part, relative, a, beta) for part in parts]
        matrix, right, squares = (sum(part[i] for part in sums) for i in range(3))
        lowest, highest = min(part[3] for part in sums), max(part[4] for part in sums)
        if sum(part[5] for part in sums) < FEWEST or not highest > lowest:
            raise ReductionError(
                "too few coincidences to determine after-effects: count longer, or turn after_effects off"
            )
        a, beta = np.linalg.solve(matrix, right)
    inverse = np.linalg.inv(matrix)
    return AfterEffects(float(a), float(beta), inverse @ squares @ inverse.T)


def _equations(
    part: Sequence[Array], relative: Array, a: float, beta: float
) -> tuple[Array, Array, Array, float, float, float]:
    """Matrix, right side and covariance of the right side; the lowest and highest q, and all coincidences."""
    gates, hits, previous_hits, coincidences = part
    after_none, hits_after_none = gates - previous_hits, hits - coincidences
    cells = (previous_hits > 0) & (after_none > 0)
    q = _smooth(hits_after_none, after_none, relative)[cells]
    B, C, n, k = (
        array[cells].astype(np.float64) for array in (previous_hits, coincidences, after_none, hits_after_none)
    )
    after_hit = np.clip(a + beta * q, 1e-9, 1 - 1e-9)
    variance = B * after_hit * (1 - after_hit) + (beta * B) ** 2 * q * (1 - q) / n
    weight = B / variance
    instruments = np.stack([weight, weight * q])
    matrix = instruments @ np.stack([B, B * k / n]).T
    squares = (instruments * variance) @ instruments.T
    return matrix, instruments @ C, squares, q.min(initial=1.0), q.max(initial=0.0), C.sum()


def _relative_rates(parts: Iterable[Sequence[Array]]) -> Array:
    """Hits of each phase over those that the mean of its dwells predicts, after gates without a hit; shape (P,)."""
    hits, expected = 0.0, 0.0
    for gates, all_hits, previous_hits, coincidences in parts:
        after_none = gates - previous_hits
        hits = hits + (all_hits - coincidences).sum(axis=0)
        expected = expected + (_of_dwell(all_hits - coincidences, after_none) * after_none).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / np.asarray(expected))


def _of_dwell(hits: Array, gates: Array) -> Array:
    """Hits a gate of each dwell, shape (D, 1); 0 without gates."""
    opened = gates.sum(axis=1, keepdims=True)
    return np.divide(hits.sum(axis=1, keepdims=True), opened, out=np.zeros(opened.shape), where=opened > 0)


def _smooth(hits: Array, gates: Array, relative: Array) -> Array:
    """Probability of a hit in each cell from the means over its row and over its column, shape (D, P)."""
    return np.clip(np.nan_to_num(_of_dwell(hits, gates) * relative), 1e-12, 1 - 1e-12)


def pooled(gates: Array, hits: Array, previous_hits: Array, effects: AfterEffects) -> Corrected:
    """Photons a pulse, corrected for afterpulses and blinding of the scan; arrays of one shape."""
    n, k, b = (np.asarray(array, dtype=np.float64) for array in (gates, hits, previous_hits))
    with np.errstate(invalid="ignore", divide="ignore"):
        free = n - (1 - effects.beta) * b
        q = (k - effects.afterpulse * b) / free
        after_hit = np.clip(effects.afterpulse + effects.beta * q, 0.0, 1.0)
        variance = (n - b) * q * (1 - q) + b * after_hit * (1 - after_hit)
        by_parameter = np.stack([np.ones_like(q), q], axis=-1) * (-b / free / (1 - q))[..., None]
    return _photons(q, np.maximum(variance, 0.0) / free**2, by_parameter @ matrix_root(effects.covariance))


def per_phase(gates: Array, hits: Array, previous_hits: Array, coincidences: Array) -> Corrected:
    """Photons a pulse from only the gates without a hit before them; arrays of one shape."""
    arrays = (gates, hits, previous_hits, coincidences)
    n, k, b, c = (np.asarray(array, dtype=np.float64) for array in arrays)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = (k - c) / (n - b)
        variance = q * (1 - q) / (n - b)
    return _photons(q, variance, np.zeros((*q.shape, 2)))


def _photons(q: Array, variance: Array, shift: Array) -> Corrected:
    """Photons a pulse from probabilities, corrected for the bias of small counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        of_mu = variance / (1 - q) ** 2
        mu = -np.log1p(-q) - of_mu / 2
    full = q >= 1
    return Corrected(np.where(full, np.inf, mu), np.where(full, np.nan, of_mu), np.where(full[..., None], 0.0, shift))
