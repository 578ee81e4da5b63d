"""What the pump does to the sample, by the paper's formulas (SI 6 and 8), and what its optical density says."""

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
    """Photocarriers a nanocrystal, N = F mu V (SI 6)."""
    return photons_per_m2 * absorption_per_m * volume_m3


def photons_of_fluence(fluence_mJ_cm2: float, wavelength_nm: float) -> float:
    """Photons per m2 of a fluence."""
    return fluence_mJ_cm2 * 10 / (photon_energy(wavelength_nm) * ELEMENTARY_CHARGE)


def absorbed_fluence(fluence_mJ_cm2: float, optical_density: float) -> float:
    """Fluence (mJ/cm2) that stays in a sample of an optical density (decadic), without reflection and scattering."""
    return fluence_mJ_cm2 * -np.expm1(-np.log(10) * optical_density)


def mean_fluence(fluence_mJ_cm2: float, optical_density: float) -> float:
    """Fluence (mJ/cm2) averaged over the depth of a sample of an optical density (decadic)."""
    return absorbed_fluence(fluence_mJ_cm2, optical_density) / (np.log(10) * optical_density)


def heat_fraction(pump_nm: float, emission_nm: float, quantum_yield: float) -> float:
    """Share of an absorbed photon that becomes heat: what it has above the emission, and all of it if none follows."""
    kept = pump_nm / emission_nm
    return 1 - quantum_yield * kept


def heating(
    absorbed_mJ_cm2: float, heat_share: float, concentration_mg_mL: float, thickness_um: float, capacity_mJ_g_K: float
) -> float:
    """Impulsive heating, K: ``F_abs alpha / (c d cp)`` (SI 8)."""
    grams_per_cm2 = concentration_mg_mL * 1e-3 * thickness_um * 1e-4
    return absorbed_mJ_cm2 * heat_share / (grams_per_cm2 * capacity_mJ_g_K)


def varshni_shift(alpha_eV_K: float, beta_K: float, from_C: float, to_C: float) -> float:
    """Change of a band gap between two temperatures, eV: ``-alpha T^2 / (T + beta)`` (SI 8)."""
    low, high = from_C + ZERO_CELSIUS, to_C + ZERO_CELSIUS
    return -alpha_eV_K * (high**2 / (high + beta_K) - low**2 / (low + beta_K))


def excited_fraction(transient: float, excited_minus_ground: float) -> float:
    """Share of the probed sample that is excited, from the transient there would be if all of it was.

    Raises
    ------
    ValueError
        If that is zero, or the share is not between 0 and 1 within its meaning.
    """
    if excited_minus_ground == 0:
        raise ValueError("a transient of a wholly excited sample of 0 says nothing of the fraction")
    share = transient / excited_minus_ground
    if not 0 <= share <= 1:
        raise ValueError(f"the excited fraction would be {share:.3g}: signs or sizes of the two do not fit")
    return share
