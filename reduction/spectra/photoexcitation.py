"""Photoexcitation of the sample by the pump: formulas of the paper (SI 6 and 8), and of its optical density."""

from __future__ import annotations

import numpy as np

HC = 1239.841984
"""eV nm (CODATA 2018)."""
ELEMENTARY_CHARGE = 1.602176634e-19
"""C; also J/eV."""
ZERO_CELSIUS = 273.15
"""K."""


def photon_energy(wavelength_nm: float) -> float:
    """eV."""
    return HC / wavelength_nm


def photocarriers(photons_per_m2: float, absorption_per_m: float, volume_m3: float) -> float:
    """Photocarriers per nanocrystal, N = F mu V (SI 6)."""
    return photons_per_m2 * absorption_per_m * volume_m3


def photons_of_fluence(fluence_mJ_cm2: float, wavelength_nm: float) -> float:
    """Photons per m2 of a fluence."""
    return fluence_mJ_cm2 * 10 / (photon_energy(wavelength_nm) * ELEMENTARY_CHARGE)


def absorbed_fluence(fluence_mJ_cm2: float, optical_density: float) -> float:
    """Fluence (mJ/cm2) absorbed by a sample of an optical density (decadic), without reflection and scattering."""
    return fluence_mJ_cm2 * -np.expm1(-np.log(10) * optical_density)


def mean_fluence(fluence_mJ_cm2: float, optical_density: float) -> float:
    """Fluence (mJ/cm2) averaged over the depth of a sample of an optical density (decadic)."""
    return absorbed_fluence(fluence_mJ_cm2, optical_density) / (np.log(10) * optical_density)


def heat_fraction(pump_nm: float, emission_nm: float, quantum_yield: float) -> float:
    """Fraction of the absorbed photon energy that becomes heat, the rest being emitted."""
    return 1 - quantum_yield * (pump_nm / emission_nm)


def heating(
    absorbed_mJ_cm2: float,
    heat_fraction: float,
    concentration_mg_mL: float,
    thickness_um: float,
    capacity_mJ_g_K: float,
) -> float:
    """Impulsive heating, K: ``F_abs alpha / (c d cp)`` (SI 8)."""
    grams_per_cm2 = concentration_mg_mL * 1e-3 * thickness_um * 1e-4
    return absorbed_mJ_cm2 * heat_fraction / (grams_per_cm2 * capacity_mJ_g_K)


def varshni_shift(alpha_eV_K: float, beta_K: float, from_C: float, to_C: float) -> float:
    """Change of a band gap between two temperatures, eV: ``-alpha T^2 / (T + beta)`` (SI 8)."""
    low, high = from_C + ZERO_CELSIUS, to_C + ZERO_CELSIUS
    return -alpha_eV_K * (high**2 / (high + beta_K) - low**2 / (low + beta_K))
