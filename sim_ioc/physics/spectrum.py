"""Static and transient spectra of the simulated sample against the photon energy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_ioc.scenario.sample import EdgeTruth
from sim_ioc.scenario.scenario import DATA_DIRECTORY, ScenarioError

FloatArray = NDArray[np.float64]
HEADER = ["energy_eV", "mu_norm"]
LEAST_EV = 100.0
"""Lower numbers would be keV."""


class StaticSpectrum:
    """Measured absorption of one edge, in units of the edge step, as a smooth function of energy.

    Between measured points it is a cubic Hermite curve with three-point slopes; outside the measured
    range it keeps the value of the last point.
    """

    def __init__(self, energy_keV: FloatArray, absorption: FloatArray) -> None:
        self.energy_keV = energy_keV
        self.absorption = absorption
        self._slope = np.gradient(absorption, energy_keV)

    @classmethod
    def from_file(cls, path: Path, shift_eV: float) -> StaticSpectrum:
        """Read columns ``energy_eV, mu_norm`` and shift the energy axis.

        Raises
        ------
        ScenarioError
            The file is missing or is not such a table: a header, then ascending energies in eV.
        """
        try:
            rows = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
            if [cell.strip() for cell in rows[0].split(",")] != HEADER:
                raise ValueError(f"its first line must be {','.join(HEADER)}, not {rows[0][:60]!r}")
            energy_eV, absorption = np.array([[float(cell) for cell in row.split(",")] for row in rows[1:]]).T
        except (OSError, ValueError, IndexError) as error:
            raise ScenarioError(f"spectrum {path.name} cannot be read: {error}") from None
        if not (np.isfinite(energy_eV).all() and np.isfinite(absorption).all()):
            raise ScenarioError(f"spectrum {path.name} holds a value that is not a finite number")
        if energy_eV.size < 2 or not (np.diff(energy_eV) > 0).all():
            raise ScenarioError(f"spectrum {path.name} needs energies that ascend without repeats")
        if energy_eV[0] < LEAST_EV:
            raise ScenarioError(f"spectrum {path.name} begins at {energy_eV[0]:g}: its energies must be in eV")
        return cls((energy_eV + shift_eV) * 1e-3, absorption)

    def __call__(self, energy_keV: ArrayLike) -> FloatArray:
        """Absorption in units of the edge step at each energy (keV); same shape as the energies."""
        x = np.clip(np.asarray(energy_keV, dtype=float), self.energy_keV[0], self.energy_keV[-1])
        i = np.clip(np.searchsorted(self.energy_keV, x, side="right") - 1, 0, self.energy_keV.size - 2)
        width = self.energy_keV[i + 1] - self.energy_keV[i]
        u = (x - self.energy_keV[i]) / width
        left, right = self.absorption[i], self.absorption[i + 1]
        rise = right - left
        from_left = self._slope[i] * width - rise
        from_right = self._slope[i + 1] * width - rise
        return left + u * rise + u * (1 - u) * ((1 - u) * from_left - u * from_right)


class EdgeModel:
    """Fluorescence of one edge in units of its edge step: static signal, background, transient."""

    def __init__(self, edge: EdgeTruth, directory: Path = DATA_DIRECTORY) -> None:
        self.background = edge.background
        self.white_line_keV = edge.white_line_keV
        self.static = StaticSpectrum.from_file(Path(edge.folder or directory) / edge.file, edge.shift_eV)
        self._features = edge.features
        at_white_line = float(self._gaussians(edge.white_line_keV))
        if edge.transient_fraction and not at_white_line:
            raise ScenarioError(
                f"the features of {edge.file} cancel at {edge.white_line_keV} keV, so transient_fraction is undefined"
            )
        wanted = edge.transient_fraction * float(self.static(edge.white_line_keV))
        self._scale = wanted / at_white_line if at_white_line else 0.0

    def _gaussians(self, energy_keV: ArrayLike) -> FloatArray:
        energy = np.asarray(energy_keV, dtype=float)
        total = np.zeros_like(energy)
        for feature in self._features:
            distance = (energy - feature.energy_keV) * 1e3 / feature.fwhm_eV
            total = total + feature.amplitude * np.exp(-4 * np.log(2) * distance**2)
        return total

    def static_signal(self, energy_keV: ArrayLike) -> FloatArray:
        """Static signal without background, in units of the edge step."""
        return self.static(energy_keV)

    def transient(self, energy_keV: ArrayLike) -> FloatArray:
        """Transient at 100 ps and nominal fluence, in units of the edge step."""
        return self._scale * np.asarray(self._gaussians(energy_keV))

    def signal(self, energy_keV: ArrayLike) -> FloatArray:
        """Background and static signal together, laser off, in units of the edge step."""
        return self.background + np.asarray(self.static(energy_keV))
