"""The SI's optimisation parameter of an alignment against the shift, for Figure S6."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def derivative_area(energy: Array, value: Array, reference_energy: Array, reference: Array, shift: float) -> float:
    """Area between the normalised first derivatives of a spectrum, moved down by a shift, and of a reference.

    The derivatives are those of cubic splines; each is divided by the area below its modulus (SI 8).

    Parameters
    ----------
    energy, value : ndarray, shape (E,)
        keV; any unit.
    reference_energy, reference : ndarray, shape (R,)
    shift : float, keV
        How far the spectrum lies above the reference.

    Examples
    --------
    >>> energy = np.linspace(0.0, 1.0, 201)
    >>> moved, there = (np.tanh((energy - 0.5 - by) / 0.05) for by in (0.02, 0.0))
    >>> [round(derivative_area(energy, moved, energy, there, shift), 2) for shift in (0.0, 0.02, 0.04)]
    [0.39, 0.0, 0.39]
    """
    from scipy.interpolate import CubicSpline

    low, high = max(reference_energy[0], energy[0] - shift), min(reference_energy[-1], energy[-1] - shift)
    fine = np.linspace(low, high, 4 * max(energy.size, reference_energy.size))
    slopes = [CubicSpline(energy, value)(fine + shift, 1), CubicSpline(reference_energy, reference)(fine, 1)]
    first, second = (slope / np.trapezoid(np.abs(slope), fine) for slope in slopes)
    return float(np.trapezoid(np.abs(first - second), fine))
