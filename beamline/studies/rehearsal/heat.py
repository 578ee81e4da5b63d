"""Differences with the temperature, C and diffraction lines of a rehearsal, beside what is true in the scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.comparison.content import common_windows
from beamline.outputs.diffraction.content import CUBIC_200, read_patterns
from beamline.outputs.export.about import absorption_edge
from beamline.outputs.paper_figures.collect import VARSHNI
from beamline.outputs.paper_figures.heat import KEY_TEMPERATURES
from beamline.outputs.thermal.content import Thermal, reach_of, returns
from beamline.records.runs.series import SeriesImage, paths_by_temperature
from beamline.studies.expectation import ask_expectation
from beamline.studies.rehearsal.camera import ENERGY_ERROR
from beamline.studies.rehearsal.number import NO_NOISE, NOTHING, RehearsedNumber, of_c
from plans.compilation.edges import find_edge, main_feature
from reduction.diffraction.calibrate import CameraFit
from reduction.spectra.overlay import SpectrumCurve
from reduction.thermal.series import Heated, ThermalSeries, thermal_series

CUBIC_FROM = 117.0
"""degC; from which the scenario has the cubic phase (Cottingham and Brutchey, Chem. Mater. 30, 6711 (2018))."""
LINE = (1.99, 2.29)
"""1/angstrom; around the cubic (200)."""


def of_heat(edge: str, thermal: Thermal, scenario: str) -> Iterator[RehearsedNumber]:
    """Differences to the reference at the main feature, and C, at the temperatures that the paper shows."""
    series = thermal.series
    truth = expected_series(thermal, scenario)
    feature = np.array([main_feature(find_edge(edge))])
    for number, temperature in enumerate(series.temperature):
        if temperature not in KEY_TEMPERATURES or number in returns(series):
            continue
        where = f"at {temperature:g} degC"
        here, true = (_difference(each, number).on(feature) for each in (series, truth))
        numbers = (100 * float(each[0]) for each in (here.value, here.stddev(), true.value))
        yield RehearsedNumber(f"{edge} less that of 25 degC {where}", "% of integral", NOTHING, *numbers)
        measured, expected = _difference(series, number), _difference(truth, number).on(series.energy).value
        yield from of_c(f"{edge} C {where}", edge, thermal.ratios[number], measured, expected)


def _difference(series: ThermalSeries, number: int) -> SpectrumCurve:
    return SpectrumCurve(series.energy, series.difference[number], series.difference_covariance[number, number])


def expected_series(thermal: Thermal, scenario: str) -> ThermalSeries:
    """The noise-free spectra of a scenario at temperatures and energies of a series, through the same chain."""
    moved = 0.0 if thermal.placed is None else thermal.placed.shift.value
    energy = np.asarray(thermal.results[thermal.series.reference].data["energy"], dtype=np.float64) - moved
    temperatures = thermal.series.temperature.tolist()
    signal = ask_expectation(scenario, energy, 0.0, 0.0, temperatures)["powder"]
    spectra = [
        Heated(at, SpectrumCurve(energy, value, np.full(energy.size, NO_NOISE)))
        for at, value in zip(temperatures, signal, strict=True)
    ]
    reference = temperatures[thermal.series.reference]
    reach = reach_of(absorption_edge(thermal.results[0].start))
    return thermal_series(spectra, reference, common_windows(*thermal.results), VARSHNI, reach=reach)


def of_lines(images: Sequence[SeriesImage], camera: CameraFit, scenario: str) -> Iterator[RehearsedNumber]:
    """Scattering vector of the cubic (200) in the images at temperatures at which it is one line."""
    hot = [image for image in images if image.temperature > CUBIC_FROM]
    if not hot:
        return
    shown = read_patterns(paths_by_temperature(hot), camera.camera, [LINE])
    expected = ask_expectation(scenario, np.array([12.9]), 0.0, 0.0, [image.temperature for image in hot])
    for number, (image, found) in enumerate(zip(hot, shown, strict=True)):
        peak = found.peaks[0]
        if isinstance(peak, str):
            continue
        line = peak.one.peaks[0]
        by_energy = line.position * ENERGY_ERROR / image.energy
        error = np.sqrt(line.position_stddev**2 + camera.vector_stddev(line.position) ** 2 + by_energy**2)
        truth = _nearest(expected[f"rings_{number}"][:, 0], CUBIC_200)
        what = f"cubic (200) at {image.temperature:g} degC"
        yield RehearsedNumber(what, "1/A", CUBIC_200, line.position, float(error), truth)


def _nearest(values: NDArray[np.float64], to: float) -> float:
    return float(values[np.argmin(np.abs(values - to))])
