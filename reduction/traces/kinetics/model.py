"""Decay of the transient against delay: exponentials that start at time zero, convolved with a Gaussian response.

The convolution of ``exp(-t/tau)`` (for t > 0) with a Gaussian of unit area and standard deviation sigma is

    (1/2) exp(sigma^2 / 2 tau^2 - t / tau) erfc(z),    z = sigma / (sqrt2 tau) - t / (sqrt2 sigma).

The exponential overflows where sigma or -t is many lifetimes; there the same is written with the scaled function
erfcx(z) = exp(z^2) erfc(z), as ``(1/2) exp(-t^2 / 2 sigma^2) erfcx(z)``. An infinite lifetime is a step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc, erfcx

from reduction.traces.kinetics.response import GAUSSIAN, seen_through

Array = NDArray[np.float64]

SQRT2 = np.sqrt(2.0)
RESPONSE = 45.0
"""ps; standard deviation of the response in the paper (bunch, laser and jitter together)."""


def decay(delay: ArrayLike, lifetime: ArrayLike, sigma: float) -> Array:
    """One exponential through the response; 1 at its start without a response.

    Parameters
    ----------
    delay : array_like
        ps after time zero; any shape.
    lifetime : array_like
        ps, above 0; infinity gives a step. Broadcast against the delays.
    sigma : float
        ps, standard deviation of the response; 0 for none.

    Raises
    ------
    ValueError
        If the lifetime is not above 0 or sigma is below 0.
    """
    t, tau = np.asarray(delay, dtype=np.float64), np.asarray(lifetime, dtype=np.float64)
    if not (tau > 0).all():
        raise ValueError(f"a lifetime must be above 0 ps, not {tau}")
    if not sigma >= 0:
        raise ValueError(f"sigma must not be below 0 ps, not {sigma}")
    if sigma == 0:
        return np.where(t > 0, np.exp(-np.maximum(t, 0.0) / tau), np.where(t == 0, 0.5, 0.0))
    z = sigma / (SQRT2 * tau) - t / (SQRT2 * sigma)
    early = np.exp(-0.5 * (t / sigma) ** 2) * erfcx(np.maximum(z, 0.0))
    late = np.exp(np.minimum(0.5 * (sigma / tau) ** 2 - t / tau, 0.0)) * erfc(np.minimum(z, 0.0))
    return np.asarray(0.5 * np.where(z > 0, early, late))


def components(delay: ArrayLike, lifetimes: ArrayLike, sigma: float, response: Array = GAUSSIAN) -> Array:
    """Columns of a trace, shape (T, L): one decay for each lifetime (infinity: a step).

    Parameters
    ----------
    delay : array_like, shape (T,)
    lifetimes : array_like, shape (L,)
    sigma : float
        ps, standard deviation of the response.
    response : ndarray, shape (J, 3)
        Its form, see `reduction.traces.kinetics.response`.
    """
    times, lifetimes = np.asarray(delay, dtype=np.float64), np.atleast_1d(np.asarray(lifetimes, dtype=np.float64))
    if len(response):
        return seen_through(times, lifetimes, sigma, response)
    return decay(times[:, None], lifetimes, sigma)
