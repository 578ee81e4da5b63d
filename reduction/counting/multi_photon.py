"""How far pile-up has gone: how many of the recorded hits stand for more than one photon."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
