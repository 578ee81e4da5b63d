"""Fluorescence photons a pulse of a dilute sample, from tabulated cross-sections and yields."""

from __future__ import annotations

import numpy as np

from beamline.config.forecast import ForecastFile
from plans.compilation.edges import Edge

ABOVE = 0.05
"""keV above and below the edge where the step of the cross-section is read."""
ANGLE = np.sqrt(0.5)
"""Sine of the angles of beam and detector to a sheet at 45 degrees."""
UM = 1e-4
"""cm."""


def photons_a_pulse(forecast: ForecastFile, edge: Edge) -> float:
    """Detected photons a pulse of one counter, in the fluorescence of the edge step.

    Thick-target formula of a homogeneous sheet at 45 degrees: ``n mu_el / (mu_in + mu_out) (1 - exp(-(mu_in + mu_out)
    d))``, with the lengths along beam and exit, times fluorescence yield, solid angle and efficiency. Cross-sections
    and yields are those of `xraydb`.
    """
    import xraydb  # imported here: it reads its tables

    sample, beam, detector = forecast.sample, forecast.beam, forecast.detector
    energy = 1e3 * (edge.e0 + ABOVE)
    mass = sample.concentration * xraydb.atomic_mass(edge.element) / 1e3  # g/cm3
    step = xraydb.mu_elam(edge.element, energy) - xraydb.mu_elam(edge.element, 1e3 * (edge.e0 - ABOVE))
    line, fluorescence = _strongest(edge)
    entering, leaving = (
        (xraydb.material_mu(sample.solvent, at, density=sample.density) + mass * xraydb.mu_elam(edge.element, at))
        / ANGLE
        for at in (energy, line)
    )
    whole = float(entering + leaving)
    absorbed = float(mass * step / ANGLE) / whole * -np.expm1(-whole * sample.thickness * UM)
    incoming = beam.flux * beam.attenuation / beam.bunch_rate
    return float(incoming * absorbed * fluorescence * detector.solid_angle * detector.efficiency)


def _strongest(edge: Edge) -> tuple[float, float]:
    """Energy (eV) of the strongest line of an edge, and all photons of its lines for a hole."""
    import xraydb

    lines = xraydb.xray_lines(edge.element, edge.shell)
    if not lines:
        raise ValueError(f"{edge.name}: no fluorescence line is tabulated")
    strongest = max(lines.values(), key=lambda line: line.intensity)
    return float(strongest.energy), float(xraydb.xray_edge(edge.element, edge.shell).fyield)
