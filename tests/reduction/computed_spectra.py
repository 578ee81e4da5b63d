"""Made spectra of a ground and an excited state, computed and as a measurement has them, by quadrature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.theory.average import ComputedSpectrum

Array = NDArray[np.float64]


def cross_section(energy: Array, excited: float) -> Array:
    """Of energies above the valence band, eV: two lines, an edge and a hump; the excited state changes two of them."""
    lines = 3 * np.exp(-((energy - 3) ** 2)) + (4 - 2 * excited) * np.exp(-((energy - 5.5) ** 2))
    humps = np.exp(-(((energy - 28) / 8) ** 2)) + excited * np.exp(-(((energy - 18) / 5) ** 2))
    return np.where(energy > 0, 1 - np.exp(-np.maximum(energy, 0) / 4), 0.0) + lines + humps


def computed(excited: float = 0.0, end: float = 120.0) -> ComputedSpectrum:
    energy = np.arange(-5.0, end, 0.2)
    return ComputedSpectrum(energy, cross_section(energy, excited))


def absorption(energy: Array, zero: float, fraction: float) -> tuple[Array, Array]:
    """Absorption with the laser off and on at energies in keV: broadened by quadrature, a fraction excited."""
    fine = np.arange(-30.0, 180.0, 0.02)
    places = 1e3 * (energy - zero)
    e = np.maximum(places, 1e-9) / 16
    width = 0.3 + 5.7 * np.where(places > 0, 0.5 + np.arctan(np.pi / 3 * 5.7 / 30 * (e - e**-2)) / np.pi, 0)
    kernel = width[:, None] / (2 * np.pi) / ((fine - places[:, None]) ** 2 + width[:, None] ** 2 / 4) * 0.02
    beyond = 0.5 - np.arctan((fine[-1] - places) / (width / 2)) / np.pi
    ground, excited = (
        kernel @ np.where(fine < -5, 0.0, cross_section(fine, each)) + cross_section(fine[-1:], each) * beyond
        for each in (0.0, 1.0)
    )
    return ground, (1 - fraction) * ground + fraction * excited
