"""Normalised spectra and transients from compared rates, with the covariance of slots and energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.references.methods import Compared
from reduction.settings import Settings
from reduction.spectra.normalise import normalise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Transients:
    """Normalised spectra; axes 2 laser states (off, on), S slots, E energies. NaN for a slot that has no reference.

    Attributes
    ----------
    value, stddev : ndarray, shape (2, S, E)
    transient : ndarray, shape (S, E)
        On minus off.
    covariance : ndarray, shape (S, S, E, E)
        Of the transients.
    offset, integral : ndarray, shape (2, S)
        Of each rate, photons per I0 count.
    """

    value: Array
    stddev: Array
    transient: Array
    covariance: Array
    offset: Array
    integral: Array


def transients(energy: Array, compared: Compared, settings: Settings) -> Transients:
    """Normalise laser on and off of each slot, each by its own offset and integral, and subtract.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
    compared : Compared
    settings : Settings

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If windows are empty or an edge integral is not above zero.
    """
    _, slots, size = compared.rate.shape
    value, stddev = np.full((2, slots, size), np.nan), np.full((2, slots, size), np.nan)
    offset, integral = np.full((2, slots), np.nan), np.full((2, slots), np.nan)
    jacobian = np.full((2, slots, size, size), np.nan)
    for laser in (OFF, ON):
        for slot in range(slots):
            if np.isnan(compared.rate[:, slot]).any():
                continue
            shared = compared.shared[laser, slot]
            covariance = np.diag(compared.local[laser, slot, laser, slot]) + shared @ shared.T
            result = normalise(compared.rate[laser, slot], covariance, energy, settings)
            value[laser, slot], jacobian[laser, slot] = result.value, result.jacobian
            stddev[laser, slot] = np.sqrt(np.diagonal(result.covariance))
            offset[laser, slot], integral[laser, slot] = result.offset, result.integral
    return Transients(value, stddev, value[ON] - value[OFF], _covariance(jacobian, compared), offset, integral)


def _covariance(jacobian: Array, compared: Compared) -> Array:
    """Covariance (S, S, E, E) of the transients: Jacobians (2, S, E, E) applied to the covariance of the rates."""
    signed = jacobian * np.array([-1.0, 1.0])[:, None, None, None]  # transient = on - off
    slots, size = jacobian.shape[1:3]
    shared = np.einsum("lsij,lsjm->sim", signed, compared.shared)
    result = np.empty((slots, slots, size, size))
    for s in range(slots):
        for t in range(s, slots):
            block = shared[s] @ shared[t].T
            for a in (OFF, ON):
                for b in (OFF, ON):
                    local = compared.local[a, s, b, t]
                    if local.any():
                        block = block + (signed[a, s] * local) @ signed[b, t].T
            result[s, t], result[t, s] = block, block.T
    return result
