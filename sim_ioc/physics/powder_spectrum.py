"""Absorption of the powder against photon energy and temperature, and what the fluorescence detector counts of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_ioc.physics.spectrum import EdgeModel
from sim_ioc.scenario.powder import ElementTruth, PowderTruth, ThermalFeature, ThermalTruth
from sim_ioc.scenario.sample import SampleTruth

FloatArray = NDArray[np.float64]
ZERO_DEGC = 273.15
REFERENCE_DEGC = 25.0


def varshni_eV(temperature_degC: ArrayLike, truth: ThermalTruth) -> FloatArray:
    """Shift of the edge with the band gap from 25 degC on, eV."""

    def gap(degC: ArrayLike) -> FloatArray:
        kelvin = np.asarray(degC, dtype=float) + ZERO_DEGC
        return -truth.varshni_alpha_eV_K * kelvin**2 / (kelvin + truth.varshni_beta_K)

    return np.asarray(gap(temperature_degC) - gap(REFERENCE_DEGC))


class PowderSpectrum:
    """Signal in the region of interest in edge steps; Pb L3 below the boundary of the sample, Br K above."""

    def __init__(self, powder: PowderTruth, sample: SampleTruth) -> None:
        self._truth, self._background = powder.thermal, powder.background
        self._boundary_keV = sample.edge_boundary_keV
        self._pb_l3 = EdgeModel(sample.pb_l3), powder.thermal.pb_l3
        self._br_k = EdgeModel(sample.br_k), powder.thermal.br_k

    def __call__(self, energy_keV: ArrayLike, temperature_degC: float) -> FloatArray:
        """Background and absorption at true photon energies; same shape."""
        energy = np.asarray(energy_keV, dtype=float)
        shifted = energy - 1e-3 * varshni_eV(temperature_degC, self._truth)
        below, above = (self._one(*edge, shifted, temperature_degC) for edge in (self._pb_l3, self._br_k))
        return np.asarray(self._background + np.where(energy < self._boundary_keV, below, above))

    def _one(
        self, edge: EdgeModel, features: tuple[ThermalFeature, ...], energy_keV: FloatArray, temperature_degC: float
    ) -> FloatArray:
        total = np.array(edge.static_signal(energy_keV), dtype=float)
        for each in features:
            amplitude = np.interp(temperature_degC, self._truth.temperatures_degC, each.amplitudes)
            total += amplitude * 2.0 ** (-4 * ((energy_keV - each.energy_keV) * 1e3 / each.fwhm_eV) ** 2)
        return total


@dataclass
class ElementCounts:
    """Counts of one element: events that were processed, those in the region, ticks of its clock."""

    events: int = 0
    region: int = 0
    ticks: int = 0
    reset_ticks: int = 0


TICK_NS = 12.5


def count_element(
    counts: ElementCounts, rng: np.random.Generator, truth: ElementTruth, element: int, signal: float, seconds: float
) -> None:
    """Add what an element counts in a time of steady light; a dead time without extension follows each event.

    Parameters
    ----------
    signal
        In units of the edge step, times the relative intensity of the beam.
    """
    ticks = round(seconds * 1e9 / TICK_NS)
    counts.ticks += ticks
    counts.reset_ticks += (reset := round(ticks * truth.reset_fraction))
    inside = truth.solid_angle[element] * truth.step_per_s * signal
    rate = inside + truth.solid_angle[element] * truth.scattered_per_s * min(signal, 1.0)
    if rate <= 0 or seconds <= 0:
        return
    dead = rate * truth.dead_time_ns[element] * 1e-9
    expected = rate * (ticks - reset) * TICK_NS * 1e-9 / (1 + dead)
    # The number of events of a renewal process with a dead time scatters less than that of a Poisson process.
    events = max(round(rng.normal(expected, np.sqrt(expected) / (1 + dead))), 0)
    counts.events += events
    counts.region += int(rng.binomial(events, min(inside / rate, 1.0)))
