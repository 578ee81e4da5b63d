"""Photons per pulse from single-photon counting that records at most one count a gate.

With ``k`` hits in ``n`` opened gates and Poisson photons, the probability of a hit is
``q = 1 - exp(-mu)``, so that ``mu = -ln(1 - k/n)`` (the correction "for the
probability of having multiple photons hitting the detector" of the paper's SI 4). These are the plain
array forms; `reduction.counting.kernels` computes the same inside the live update.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ONE_SIGMA_TAIL = 0.158655253931457
"""Probability beyond one standard deviation on one side of a normal distribution."""


def photons_per_pulse(hits: ArrayLike, gates: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean photons a pulse and its variance, corrected for pile-up and for the bias of small counts.

    Parameters
    ----------
    hits, gates : array_like of int
        Hits ``k`` and opened gates ``n``, of one shape; the logarithm is taken element by element, so pass
        counts in which the rate was steady (one dwell, one phase) and average afterwards.

    Returns
    -------
    mu : ndarray
        ``-ln(1 - k/n) - k / (2 n (n - k))``; infinite where ``k == n``, NaN where ``n == 0``.
    variance : ndarray
        ``k / (n (n - k))``, the delta-method variance of the binomial estimate.

    Raises
    ------
    ValueError
        If a count is negative or above its gates.
    """
    k = np.asarray(hits, dtype=np.float64)
    n = np.asarray(gates, dtype=np.float64)
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("hits must lie between 0 and the opened gates; look at the counter's gate")
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = k / (n * (n - k))
        mu = -np.log1p(-k / n) - variance / 2
    saturated = (k == n) & (n > 0)
    return np.where(saturated, np.inf, mu), np.where(saturated, np.inf, variance)


def upper_limit_without_hits(gates: ArrayLike, tail: float = ONE_SIGMA_TAIL) -> NDArray[np.float64]:
    """Upper limit of mu where no gate was hit: ``exp(-mu n) = tail``. For display only."""
    return -np.log(tail) / np.asarray(gates, dtype=np.float64)


def lower_limit_when_full(gates: ArrayLike, tail: float = ONE_SIGMA_TAIL) -> NDArray[np.float64]:
    """Lower limit of mu where every gate was hit: ``(1 - exp(-mu))**n = tail``. For display only."""
    n = np.asarray(gates, dtype=np.float64)
    return -np.log(-np.expm1(np.log(tail) / n))


def multi_photon_fraction(mu: ArrayLike) -> NDArray[np.float64]:
    """Fraction of hits in which two or more photons arrived.

    With Poisson photons a gate is hit with probability ``1 - exp(-mu)`` and has exactly one photon with probability
    ``mu exp(-mu)``, so the fraction is ``1 - mu / (exp(mu) - 1)``; about mu / 2 for small mu.

    Parameters
    ----------
    mu : array_like
        Photons a pulse. Zero or less (possible after the background was subtracted) gives 0; NaN stays NaN.
    """
    mu = np.asarray(mu, dtype=np.float64)
    positive = mu > 0
    single = np.divide(mu, np.expm1(mu), out=np.ones_like(mu), where=positive)
    return np.where(np.isnan(mu), np.nan, 1 - single)
