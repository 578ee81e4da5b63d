"""Absorption by ionisation chambers or diodes behind the sample, and the energy of each pass by a foil behind it.

The absorbance of what stands between two of them is the logarithm of the ratio of their currents, ln(I0 / I). The noise
of a current is not known beforehand: errors come from the scatter of dwells, as for boxcars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY
from reduction.spectra.calibrate import Calibration, calibrate

Array = NDArray[np.float64]

NEAR = 0.010
"""keV; points farther from the edge of a foil do not help to find it: coarse steps there would hide it."""


@dataclass(frozen=True)
class FoilPass:
    """Energy of one pass by the foil.

    Attributes
    ----------
    absorbance, stddev : ndarray, shape (E,)
        Mean of the dwells of each point with the laser off and on, and its error; NaN where there is none.
    found : Calibration or None
    why_not : str
        Why the edge was not found.
    """

    absorbance: Array
    stddev: Array
    found: Calibration | None
    why_not: str = ""


def absorbance(reference: Array, transmitted: Array) -> Array:
    """ln(reference / transmitted); NaN where one of them is not above zero. Any shape."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.log(reference / transmitted)
    return np.asarray(np.where((reference > 0) & (transmitted > 0), value, np.nan))


def foil_pass(energy: Array, values: Array, state: NDArray[np.int8], e0: float) -> FoilPass:
    """Find the edge of the foil in the dwells of one pass.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
    values : ndarray, shape (E, R)
        Absorbance of the foil in each dwell.
    state : ndarray of int8, shape (E, R)
        As in `reduction.counting.rows.DwellRows`.
    e0 : float
        Tabulated energy of the edge of the foil, keV.
    """
    good = (state != EMPTY) & np.isfinite(values)
    number = good.sum(axis=1)
    there = number > 0
    mean = np.full(energy.size, np.nan)
    mean[there] = np.where(good, values, 0.0).sum(axis=1)[there] / number[there]
    freedom = int((number[there] - 1).sum())
    stddev = np.full(energy.size, np.nan)
    if freedom < 1:
        return FoilPass(mean, stddev, None, "its error needs two dwells of a point")
    scatter = np.sqrt((np.where(good, values - mean[:, None], 0.0) ** 2).sum() / freedom)
    stddev[there] = scatter / np.sqrt(number[there])
    if not np.isfinite(e0):
        return FoilPass(mean, stddev, None, "the energy of its edge is not known: give its e0 in keV")
    near = there & (np.abs(energy - e0) <= NEAR)
    try:
        return FoilPass(mean, stddev, calibrate(energy[near], mean[near], stddev[near], e0))
    except ValueError as error:
        return FoilPass(mean, stddev, None, str(error))
