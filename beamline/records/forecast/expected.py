"""What a forecast file expects of the grids of a measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from beamline.config.forecast import ForecastFile, two_columns
from beamline.records.forecast.rates import photons_a_pulse
from plans.compilation.edges import Edge
from reduction.allocation.expected import ExpectedGrid
from reduction.settings import Settings
from reduction.traces.kinetics.model import components

Array = NDArray[np.float64]

HINTS = (-2.0, -1.0, 1.0, 2.0)
"""eV by which spectra of other models are shifted."""
FACTORS = (0.5, 2.0)
"""By which lifetimes and saturations of other models differ."""
PS = 1e12
EV = 1e-3


class ExpectedSample:
    """Absorption and transient of a forecast, on any grid.

    Parameters
    ----------
    forecast : ForecastFile
    edge : Edge
    settings : Settings
        Windows, reference and response.
    shift : float, keV
        By which the transient lies elsewhere.
    """

    def __init__(self, forecast: ForecastFile, edge: Edge, settings: Settings, shift: float = 0.0) -> None:
        self.forecast, self.edge, self._shift = forecast, edge, shift
        self._settings = replace(settings, i0_noise=forecast.detector.i0_noise)
        self._static, self._change = _static(forecast, edge), _change(forecast, edge)
        self.step = photons_a_pulse(forecast, edge) * forecast.detector.detectors

    def of(self, forecast: ForecastFile) -> ExpectedSample:
        """The same edge and settings with another forecast."""
        return ExpectedSample(forecast, self.edge, self._settings)

    @property
    def feature(self) -> float:
        """Energy of the largest transient, keV."""
        energy = np.array(self.edge.energies)
        return float(energy[np.abs(self._change(energy)).argmax()])

    def spectrum(self, energy: Array, delay: float) -> ExpectedGrid:
        """Energy scan at a pump-probe delay (ps)."""
        slots = delay + self._apart * np.arange(self.forecast.beam.divider, dtype=np.float64)
        off = self._static(energy) + self.forecast.sample.background
        on = off + np.outer(self.forecast.transient.held(slots), self._change(energy - self._shift))
        model = {"comparison": self.edge.comparison, "theory": self._change(energy)}
        return self._grid("mono_energy", energy, off, on, slots, model, delay=delay)

    def trace(self, delay: Array) -> ExpectedGrid:
        """Delay scan at the largest transient."""
        slots = self._apart * np.arange(self.forecast.beam.divider, dtype=np.float64)
        transient = self.forecast.transient
        amplitudes = np.array(transient.shares) / transient.decay(np.array(transient.delay))
        late = np.add.outer(slots, delay)
        level = components(late.ravel(), transient.lifetimes, self._settings.response) @ amplitudes
        within = np.array(transient.lifetimes)
        model = {"lifetimes": np.where(within > delay[-1], np.inf, within)}
        return self._at_feature("laser_delay", delay, level.reshape(late.shape), slots, model)

    def fluences(self, fluence: Array) -> ExpectedGrid:
        """Fluence scan at the largest transient, whose size is that at the largest fluence."""
        knee = self.forecast.transient.saturation
        rise = fluence / (1 + (fluence / (knee or np.inf)) ** 4) ** 0.25
        slots = self.forecast.transient.delay + self._apart * np.arange(self.forecast.beam.divider, dtype=np.float64)
        level = np.outer(self.forecast.transient.held(slots), rise / rise[-1])
        return self._at_feature(
            "laser_fluence", fluence, level, None, {"saturation": self.forecast.transient.saturation}
        )

    @property
    def _apart(self) -> float:
        """ps between two slots."""
        return PS / self.forecast.beam.bunch_rate

    def _at_feature(
        self, axis: str, position: Array, level: Array, slots: Array | None, model: Mapping[str, object]
    ) -> ExpectedGrid:
        at = np.array([self.feature])
        off = np.full(position.size, float(self._static(at)[0]) + self.forecast.sample.background)
        return self._grid(axis, position, off, off + level * float(self._change(at)[0]), slots, model)

    def _grid(
        self, axis: str, position: Array, off: Array, on: Array, slots: Array | None, model: Mapping[str, object],
        **labels: float,
    ) -> ExpectedGrid:  # fmt: skip
        beam, number = self.forecast.beam, self.forecast.beam.divider
        none = np.zeros((2, number))
        photons = self.step * np.stack([np.broadcast_to(off, on.shape), on])
        return ExpectedGrid(
            axis, position, photons, none, none, gates=beam.bunch_rate / number, phases=np.ones(number),
            dwell=self.forecast.detector.dwell, noise=self.forecast.detector.noise, settings=self._settings,
            slot_delays=slots, labels={"edge": self.edge.name, **labels}, model=model,
        )  # fmt: skip


def grids_of(sample: ExpectedSample) -> list[ExpectedGrid]:
    """All grids of a forecast file."""
    forecast, energy = sample.forecast, np.array(sample.edge.energies)
    found = [sample.spectrum(energy, delay) for delay in forecast.delays]
    if forecast.delay_scan:
        found.append(sample.trace(np.array(sorted(forecast.delay_scan))))
    if forecast.fluences:
        found.append(sample.fluences(np.array(sorted(forecast.fluences))))
    return found


def other_samples(forecast: ForecastFile, edge: Edge, settings: Settings) -> list[ExpectedSample]:
    """Other models of the sample, with which no allocation may lose much: transients a little elsewhere, other
    lifetimes and saturations."""
    shifted = [ExpectedSample(forecast, edge, settings, hint * EV) for hint in HINTS]
    return shifted + [ExpectedSample(_slower(forecast, factor), edge, settings) for factor in FACTORS]


def _slower(forecast: ForecastFile, factor: float) -> ForecastFile:
    transient = forecast.transient
    changed = {"lifetimes": tuple(factor * one for one in transient.lifetimes)}
    knee = {"saturation": factor * transient.saturation} if transient.saturation else {}
    return forecast.model_copy(update={"transient": transient.model_copy(update={**changed, **knee})})


def _static(forecast: ForecastFile, edge: Edge) -> Callable[[Array], Array]:
    if forecast.sample.spectrum is None:
        return lambda energy: 0.5 + np.arctan(2 * (energy - edge.e0) / (EV * edge.core_hole_width)) / np.pi
    return _interpolated(*two_columns(forecast.sample.spectrum))


def _change(forecast: ForecastFile, edge: Edge) -> Callable[[Array], Array]:
    transient = forecast.transient
    if transient.file is not None:
        change = _interpolated(*two_columns(transient.file))
        return lambda energy: transient.fraction * change(energy)
    static, shift = _static(forecast, edge), EV * float(transient.shift or 0.0)
    return lambda energy: transient.fraction * (static(energy - shift) - static(energy))


def _interpolated(energy: Array, value: Array) -> Callable[[Array], Array]:
    return lambda at: np.interp(at, energy, value)
