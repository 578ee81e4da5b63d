"""Shifts of the energies of passes by a foil, and their mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reduction.spectra.align import EnergyShift

Array = NDArray[np.float64]


def shifts_of_passes(shift: Array, stddev: Array) -> tuple[EnergyShift, ...]:
    """Shift to add to the energies of each pass, with an error of its own; empty if none is known.

    Parameters
    ----------
    shift, stddev : ndarray, shape (P,), keV
        By the foil; NaN for a pass in which its edge was not found. That gets the mean of the others, with their
        scatter in its error.
    """
    known = np.isfinite(shift) & (stddev > 0)
    if not known.any():
        return ()
    mean = mean_shift([EnergyShift(*each, 0.0) for each in zip(shift[known], stddev[known], strict=True)])
    values = np.where(known, shift, mean.value)
    errors = np.where(known, stddev, np.hypot(mean.stddev, np.std(shift[known])))
    return tuple(EnergyShift(value, error, 0.0) for value, error in zip(values.tolist(), errors.tolist(), strict=True))


def mean_shift(shifts: Sequence[EnergyShift]) -> EnergyShift:
    """Mean of shifts with independent errors, weighted by these; its error is common to all passes."""
    weight = np.array([each.stddev**-2 for each in shifts])
    error = float(weight.sum() ** -0.5)
    return EnergyShift(float(weight @ [each.value for each in shifts] / weight.sum()), error, error)
