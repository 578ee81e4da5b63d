"""Debye-Scherrer rings of the powder and of its windows on an area detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_ioc.scenario.powder import CameraTruth, PhaseTruth

FloatArray = NDArray[np.float64]
HC_keV_A = 12.398419843  # CODATA 2018
SCHERRER = 0.9
DEAD = -2
"""Value of a pixel that does not count, as in the files of such detectors."""


def phase_at(phases: tuple[PhaseTruth, ...], temperature_degC: float) -> PhaseTruth:
    """The phase at a temperature."""
    return max((each for each in phases if each.from_degC <= temperature_degC), key=lambda each: each.from_degC)


def line_positions(phase: PhaseTruth, temperature_degC: float, hexagonal: bool = False) -> FloatArray:
    """Scattering vector of each line, 1/A."""
    since_K = temperature_degC - max(phase.from_degC, 25.0)
    a, b, c = np.array(phase.cell_A) * (1 + phase.expansion_per_K * since_K)
    h, k, ell = np.array([line[:3] for line in phase.lines], dtype=float).T
    in_plane = 4 / 3 * (h**2 + h * k + k**2) / a**2 if hexagonal else (h / a) ** 2 + (k / b) ** 2
    return np.asarray(2 * np.pi * np.sqrt(in_plane + (ell / c) ** 2))


class RingCamera:
    """Expected photons of each pixel. The first axis of an image is across, the second away from the beam."""

    def __init__(self, truth: CameraTruth, rng: np.random.Generator) -> None:
        self._truth = truth
        along, across = truth.pixels
        away_mm = truth.aside_mm + (np.arange(along) + 0.5) * truth.pixel_um * 1e-3
        beside_mm = (np.arange(across) + 0.5 - across / 2) * truth.pixel_um * 1e-3
        self._radius_mm = np.hypot(away_mm, beside_mm[:, np.newaxis])
        self._two_theta = np.arctan2(self._radius_mm, truth.distance_mm)
        in_plane = (away_mm / self._radius_mm) ** 2
        share = 0.5 * (1 + truth.polarisation)
        tilt = np.sin(self._two_theta) ** 2
        self._weight = np.cos(self._two_theta) ** 3 * (1 - tilt * (share * in_plane + (1 - share) * (1 - in_plane)))
        self._slope = 1 - 0.5 * np.arange(along) / along
        self.dead = rng.choice(along * across, truth.dead_pixels, replace=False)

    def expected(self, energy_keV: float, temperature_degC: float, seconds: float, sample: bool = True) -> FloatArray:
        """Photons of each pixel in a time at the nominal current, float64[across, along]."""
        truth = self._truth
        q = 4 * np.pi * energy_keV / HC_keV_A * np.sin(self._two_theta / 2)
        rings = truth.graphite * self._rings(q, truth.windows, temperature_degC, truth.resolution_per_A, hexagonal=True)
        if sample:
            size = 2 * np.pi * SCHERRER / (10 * truth.crystallite_nm)
            phase, width = phase_at(truth.phases, temperature_degC), float(np.hypot(size, truth.resolution_per_A))
            rings = rings + self._rings(q, phase, temperature_degC, width)
        return np.asarray(truth.photons_per_s * seconds * self._weight * (rings + truth.background * self._slope))

    def _rings(
        self, q: FloatArray, phase: PhaseTruth, temperature_degC: float, width: float, hexagonal: bool = False
    ) -> FloatArray:
        """Sum of Gaussian rings; 1 in the middle of a line of intensity 100."""
        total = np.zeros(q.shape)
        for at, line in zip(line_positions(phase, temperature_degC, hexagonal), phase.lines, strict=True):
            total += line[3] / 100 * 2.0 ** (-4 * ((q - at) / width) ** 2)
        return total

    def image(self, rng: np.random.Generator, expected: FloatArray) -> NDArray[np.int32]:
        """An image with the noise of counting, int32[across, along]."""
        image = rng.poisson(expected).astype(np.int32)
        image.flat[self.dead] = DEAD
        return image
