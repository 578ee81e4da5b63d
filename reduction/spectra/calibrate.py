"""Energy calibration on a foil: the maximum of the derivative near the tabulated E0.

An automatic search over the whole scan can mistake a glitch or the white line for the edge and be several eV off. Here
the search is limited to a window around the tabulated energy, and an edge that is not there raises an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

E0 = {"Pb_L3": 13.0352, "Br_K": 13.4737}
"""keV; absorption edges of the elements: Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121 (2002)."""
DEGREE = 7
"""Degree of the polynomial through the points of the window."""


@dataclass(frozen=True)
class Calibration:
    """Position of an edge and the shift to its tabulated energy, keV.

    Attributes
    ----------
    position, stddev : float
        Maximum of the derivative.
    shift : float
        To add to the energy axis.
    """

    position: float
    stddev: float
    shift: float


def calibrate(energy: Array, absorption: Array, stddev: Array, e0: float, window: float = 0.006) -> Calibration:
    """Find the edge near `e0`.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV, ascending
    absorption, stddev : ndarray, shape (E,)
        Of the foil, in any unit, and its errors.
    e0 : float
        Tabulated energy of the edge, keV.
    window : float
        Half width of the search, keV.

    Raises
    ------
    ValueError
        If the window has too few points, or the spectrum is steepest at its end: the edge is not there.
    """
    near = np.flatnonzero(np.abs(energy - e0) <= window)
    if near.size < 7:
        raise ValueError(f"{near.size} points within {1e3 * window:g} eV of {e0} keV are too few to find an edge")
    if not (np.isfinite(absorption[near]).all() and (stddev[near] > 0).all()):
        raise ValueError("absorption or errors of the foil are not finite and above 0 near the edge")
    x = (energy[near] - e0) / window
    degree = min(DEGREE, near.size - 3)
    design = np.polynomial.polynomial.polyvander(x, degree)
    to_coefficients = np.linalg.pinv(design / stddev[near, None]) / stddev[near]
    polynomial = np.polynomial.Polynomial(to_coefficients @ absorption[near])
    at = _steepest(polynomial)
    if at is None or not x[2] < at < x[-3]:
        raise ValueError(f"the spectrum is steepest at the end of the window around {e0} keV: wrong edge, or far off")
    # There the second derivative is zero; its noise over the third derivative is the noise of the position.
    powers = np.arange(degree + 1)
    second = np.where(powers >= 2, powers * (powers - 1) * at ** np.maximum(powers - 2, 0), 0.0)
    slope = second @ to_coefficients / polynomial.deriv(3)(at)
    position = e0 + window * at
    return Calibration(position, float(window * np.sqrt(np.sum((slope * stddev[near]) ** 2))), e0 - position)


def _steepest(polynomial: np.polynomial.Polynomial) -> float | None:
    """Where in (-1, 1) a polynomial rises most; None if it is steepest at an end."""
    slope = polynomial.deriv()
    roots = polynomial.deriv(2).roots()
    inside = [float(root.real) for root in roots if abs(root.imag) < 1e-9 and abs(root.real) < 1]
    best = max([*inside, -1.0, 1.0], key=slope)
    return best if abs(best) < 1 else None
