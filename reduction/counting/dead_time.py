"""Tests whether hits of neighbouring gates are correlated, and whether as `reduction.counting.after_effects` assumes.

``g = coincidences / (coincidences of independent gates) - 1`` is the same for every lag if only slow noise makes it. A
lag 1 that differs from lags 2-5 shows after-effects. Above 0.1 photons a pulse they can only be corrected if photons
that are not recorded do not extend the dead time (not paralysable), which lag 1 cannot show: such points are flagged.
Lag 2 can show it, given enough hits, because afterpulses and blinding predict it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.after_effects import AfterEffects

Array = NDArray[np.float64]

RATE = 0.1
"""Photons a pulse above which a paralysable dead time would matter."""
SIGNIFICANT = 4.0
"""Standard deviations above which a departure is significant."""
SIZE = 0.01
"""Least relevant departure: below it, paralysable or not changes q by less than 1e-4 of itself."""


@dataclass(frozen=True)
class Correlation:
    """Correlation of hits in neighbouring gates; E points.

    Attributes
    ----------
    departure, stddev : ndarray, shape (E,)
        g of lag 1 minus the mean of the other lags; NaN where no pairs were counted.
    flagged : ndarray of bool, shape (E,)
        Points above `RATE` with a departure: right only if the dead time is not paralysable.
    """

    departure: Array
    stddev: Array
    flagged: NDArray[np.bool_]

    @classmethod
    def of(cls, departure: Array, stddev: Array, photons: Array) -> Correlation:
        """That of points with a mean of so many photons a pulse."""
        return cls(departure, stddev, departs(departure, stddev) & (np.nan_to_num(photons) > RATE))

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Points with significant after-effects, at any photon rate."""
        return departs(self.departure, self.stddev)


def departs(departure: Array, stddev: Array) -> NDArray[np.bool_]:
    """Whether departures are significant and large enough to matter; NaN is not."""
    size = np.abs(np.nan_to_num(departure))
    return (size > SIGNIFICANT * np.nan_to_num(stddev, nan=np.inf, posinf=np.inf)) & (size > SIZE)


def correlation(sums: Array, photons: Array) -> Correlation:
    """Correlation of lag 1 beyond that of the other lags; with one lag, that of slow noise is in it.

    Parameters
    ----------
    sums : ndarray, shape (E, L, 3)
        Coincidences, their expected number for independent gates, and its variance, summed over phases and dwells.
    photons : ndarray, shape (E,)
        Mean photons a pulse.
    """
    g, variance = _excess(sums)
    others = max(sums.shape[1] - 1, 1)
    departure = g[:, 0] - g[:, 1:].sum(axis=1) / others
    stddev = np.sqrt(variance[:, 0] + variance[:, 1:].sum(axis=1) / others**2)
    return Correlation.of(departure, stddev, photons)


def _excess(sums: Array) -> tuple[Array, Array]:
    """g and its variance from sums whose last axis is (coincidences, expected, variance)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[..., 0] / sums[..., 1] - 1, sums[..., 2] / sums[..., 1] ** 2


def chain_coincidences(lags: int, gates: Array, hits: Array, q: Array, effects: AfterEffects) -> Array:
    """Coincidences of each lag, beyond those of independent gates, that after-effects of the next gate alone make.

    Hits are a chain then: the covariance of hits l gates apart is ``p (1 - p)`` of the earlier gate times the product
    of ``a + (beta - 1) q`` over the l later gates.

    Parameters
    ----------
    lags : int
    gates, hits, q : ndarray, shape (D, P)
        Lag-1 counters of each dwell, and the corrected probability of a hit.
    effects : AfterEffects

    Returns
    -------
    ndarray, shape (lags,)
    """
    p = hits / np.maximum(gates, 1)
    memory = np.where(gates > 0, effects.afterpulse + (effects.beta - 1) * q, 0.0)
    chain, found = np.ones_like(p), np.empty(lags)
    for lag in range(lags):
        chain = chain * np.roll(memory, lag, axis=1)
        earlier = np.roll(p, lag + 1, axis=1)
        found[lag] = (gates * earlier * (1 - earlier) * chain).sum()
    return found


def lag_2_pull(sums: Array, chain: Array) -> float:
    """Lag 2 of a scan against its prediction from afterpulses and blinding, in standard deviations.

    Slow noise adds the same to every lag; it is taken from lags 3 and above. NaN with fewer than three lags.

    Parameters
    ----------
    sums : ndarray, shape (L, 3)
        As for `correlation`, of the whole scan.
    chain : ndarray, shape (L,)
        As from `chain_coincidences`, of all dwells.
    """
    lags = len(sums)
    if lags < 3:
        return float("nan")
    g, variance = _excess(sums)
    away = g - chain / sums[:, 1]
    slow = away[2:].mean()
    stddev = np.sqrt(variance[1] + variance[2:].sum() / (lags - 2) ** 2)
    return float((away[1] - slow) / stddev)
