"""Normalised spectra and transients from compared rates, with the covariance of slots and energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.references.compared import Compared
from reduction.settings import Settings
from reduction.spectra.normalise import normalise_slots
from reduction.statistics.factored import Factored

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Transients:
    """Normalised spectra; axes 2 laser states (off, on), S slots, E energies. NaN for a slot that has no reference.

    Attributes
    ----------
    value, stddev : ndarray, shape (2, S, E)
    transient : ndarray, shape (S, E)
        On minus off.
    covariance : Factored
        Of the transients.
    offset, integral : ndarray, shape (2, S)
        Of each rate, photons per I0 count.
    """

    value: Array
    stddev: Array
    transient: Array
    covariance: Factored
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
    shape = compared.rate.shape
    known = np.asarray(~np.isnan(compared.rate).any(axis=(0, 2)))
    value, stddev = np.full(shape, np.nan), np.full(shape, np.nan)
    offset, integral = np.full(shape[:2], np.nan), np.full(shape[:2], np.nan)
    covariance = Factored(np.zeros((0, 0, energy.size)), np.zeros((0, 0, energy.size)), np.zeros(0))
    if known.any():
        number = int(known.sum())
        both = (2 * number, energy.size)
        rates = compared.factored(known)
        found = normalise_slots(compared.rate[:, known].reshape(both), rates, energy, settings)
        value[:, known] = found.value.reshape(2, number, -1)
        stddev[:, known] = np.sqrt(found.covariance.variance).reshape(2, number, -1)
        offset[:, known], integral[:, known] = found.offset.reshape(2, -1), found.integral.reshape(2, -1)
        covariance = found.covariance.combined(np.hstack([-np.eye(number), np.eye(number)]))  # on - off
        if compared.between is not None:  # as few curves as possible are stored
            covariance = Factored.of_whole(covariance.of_all())
    everywhere = np.ones(energy.size, np.bool_)
    return Transients(value, stddev, value[ON] - value[OFF], covariance.placed(known, everywhere), offset, integral)
