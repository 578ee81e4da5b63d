"""Lifetime broadening of a computed spectrum by a Lorentzian whose width depends on the energy (SI 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Width:
    """Full width at half maximum of the Lorentzian against the energy of the final state.

    ``start + (most - start) (1/2 + arctan((pi/3) (most - start)/rise (e - 1/e^2)) / pi)`` with ``e = E / centre``,
    above the zero of the energy, and `start` below it: the arctan form of Bunau and Joly, J. Phys.: Condens. Matter
    21, 345501 (2009). The paper gives the first three (SI 7).

    Attributes
    ----------
    start, most : float, eV
        At the zero of the energy, and far above it.
    centre : float, eV
        Inflection point above the zero of the energy, the top of the valence band.
    rise : float, eV
        Over which the width grows; the larger the more slowly.
    """

    start: float = 0.3
    most: float = 6.0
    centre: float = 16.0
    rise: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.start <= self.most and self.centre > 0 and self.rise > 0):
            raise ReductionError(
                f"widths of {self.start:g} to {self.most:g} eV around {self.centre:g} eV, rising over {self.rise:g} eV:"
                " all are above 0, and the first is not above the last"
            )

    def at(self, energy: Array) -> Array:
        """Full widths (eV) at some energies (eV)."""
        grown = self.most - self.start
        e = np.maximum(energy, 1e-6 * self.centre) / self.centre
        rising = 0.5 + np.arctan(np.pi / 3 * grown / self.rise * (e - e**-2)) / np.pi
        return np.asarray(self.start + grown * np.where(energy > 0, rising, 0.0))


def broadened(energy: Array, value: Array, width: Array, places: Array) -> Array:
    """A spectrum convolved with a Lorentzian of the width that belongs to each place.

    The spectrum is linear between its points, 0 below the first and constant above the last; of such a curve the
    convolution has a closed form, so that no step of the grid is too coarse for a narrow line.

    Parameters
    ----------
    energy : ndarray, shape (N,), eV, ascending
    value : ndarray, shape (N,)
    width : ndarray, shape (P,), eV
        Full width at half maximum, above 0.
    places : ndarray, shape (P,), eV

    Returns
    -------
    ndarray, shape (P,)
    """
    half = 0.5 * width[:, None]
    x = energy - places[:, None]
    angle, logarithm = np.arctan(x / half), np.log(x**2 + half**2)
    slope = np.diff(value) / np.diff(energy)
    level = value[:-1] - slope * x[:, :-1]  # of each line at the place, x = 0
    inside = (level * np.diff(angle) + 0.5 * half * slope * np.diff(logarithm)).sum(axis=1)
    return np.asarray((inside + value[-1] * (np.pi / 2 - angle[:, -1])) / np.pi)
