"""What a rehearsal has measured beside what is published and what is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from beamline.outputs.comparison.content import transient_of
from beamline.outputs.export.result import Result
from beamline.outputs.paper_figures.collect import PaperResults
from beamline.outputs.paper_figures.transients import c_of
from beamline.outputs.theory.content import Beside
from beamline.records.runs.series import SeriesImage
from beamline.studies.expectation import ask_expectation, expected_spectrum
from beamline.studies.rehearsal.camera import FoundCamera
from beamline.studies.rehearsal.heat import of_heat, of_lines
from beamline.studies.rehearsal.number import NOTHING, RehearsedNumber, of_c
from beamline.studies.rehearsal.programme import HEAT, LIGHT
from plans.compilation.edges import find_edge, main_feature
from reduction.settings import Settings
from reduction.spectra.amplitudes import relative_amplitude
from reduction.spectra.overlay import SpectrumCurve
from reduction.spectra.spectrum import Spectrum
from reduction.theory.fit import Template, fit_models

FLUENCE = 8.8
PUBLISHED = {"Br_K": 2.0, "Pb_L3": 0.4}
"""Transient at the main feature at 100 ps, % of the static signal."""
LIFETIMES = ((120.0, 120.0), (900.0, 900.0))
"""Published, and true in the scenario; ps."""
FACTOR = 2.5
"""Within which a fitted lifetime counts as a published one."""
DISTANCE, ASIDE = 241.0, 45.3
"""Of the area detector, mm, published and true in the scenario."""


def rehearsed(
    found: PaperResults, camera: FoundCamera | None, images: Sequence[SeriesImage] = ()
) -> Iterator[RehearsedNumber]:
    """Every number that the results allow."""
    with ThreadPoolExecutor() as pool:  # each is a process
        expected = pool.map(lambda result: truth_of(result, LIGHT), found.spectra)
        truths = {str(each.start["uid"]): truth for each, truth in zip(found.spectra, expected, strict=True)}
    for edge in PUBLISHED:
        yield from _of_spectra(edge, [(each, truths[str(each.start["uid"])]) for each in found.spectra_of(edge)])
    yield from _of_traces(found.traces)
    for edge, thermal in found.thermal.items():
        yield from of_heat(edge, thermal, HEAT)
    if camera is not None:
        yield from _of_camera(camera)
        yield from of_lines(images, camera.fit, HEAT)
    if found.theory is not None:
        yield from _of_theory(found.theory, truths[str(found.theory.result.start["uid"])])


def truth_of(result: Result, scenario: str | Path) -> Spectrum:
    """The noise-free spectra of the scenario through the chain that has reduced a result."""
    settings = Settings.from_mapping(result.start["settings"])
    energy = np.asarray(result.data["energy"], dtype=np.float64)
    delay = float(result.raw[0]["pump_delay"])
    return expected_spectrum(ask_expectation(scenario, energy, delay, FLUENCE), settings)


def _of_spectra(edge: str, spectra: list[tuple[Result, Spectrum]]) -> Iterator[RehearsedNumber]:
    for result, truth in spectra:
        delay = f"{result.slot_delays[0] / 1000:g} ns"
        at = int(np.argmin(np.abs(truth.energy - main_feature(find_edge(edge)))))
        static, data = float(np.asarray(result.data["static"])[at]), result.data
        size, error = (float(np.asarray(data[key])[0, at]) for key in ("transient", "transient_stddev"))
        published = -PUBLISHED[edge] if result is spectra[0][0] else NOTHING
        yield RehearsedNumber(
            f"{edge} transient at {delay}", "% of static", published, 100 * size / static, 100 * error / static,
            float(100 * truth.transient[0, at] / truth.static[at]),
        )  # fmt: skip
        measured = transient_of(result, 0)
        if measured is not None:
            known = np.interp(measured.energy, truth.energy, truth.transient[0])
            yield from of_c(f"{edge} C at {delay}", edge, c_of(result, 0), measured, known)
    if len(spectra) > 1:
        yield _relative(edge, *spectra[:2])


def _of_theory(theory: Beside, expected: Spectrum) -> Iterator[RehearsedNumber]:
    """Fractions of the sample in each computed state; the truth is that of the noise-free transient at the same fit."""
    curve = SpectrumCurve(expected.energy, expected.transient[theory.slot], np.zeros_like(expected.energy))
    best = [Template(name, each[None, :], np.zeros((1, 0))) for name, each in theory.differences.items()]
    nuisance = None if theory.placed.whole else theory.placed.static[:, None]
    true = fit_models(curve.on(theory.placed.energy).value, theory.transient.full(), best, nuisance, draws=1)
    for fit, truth in zip(theory.fits, true, strict=True):
        yield RehearsedNumber(f"fraction of {fit.name}", "", NOTHING, fit.amplitude, fit.stddev, truth.amplitude)


def _relative(edge: str, first: tuple[Result, Spectrum], later: tuple[Result, Spectrum]) -> RehearsedNumber:
    """Amplitude of the later transient over that of the first, by projection; published as factors 155 and 363."""
    arrays = [(_used(result, "transient"), _covariance(result)) for result, _ in (later, first)]
    size, error = relative_amplitude(*arrays[0], *arrays[1])
    truths = [truth.transient[0] for _, truth in (later, first)]
    true = float(truths[0] @ truths[1] / (truths[1] @ truths[1]))
    return RehearsedNumber(f"{edge} 10.1 ns over 100 ps", "", 155 / 363, size, error, true)


def _used(result: Result, key: str) -> Any:
    return np.nan_to_num(np.asarray(result.data[key], dtype=np.float64)[0])


def _covariance(result: Result) -> Any:
    return np.nan_to_num(result.covariance(0))


def _of_traces(traces: list[Result]) -> Iterator[RehearsedNumber]:
    for result in traces:
        fit: Mapping[str, Any] | None = result.fit
        if fit is None or not fit["fitted"]:
            continue
        lifetimes, errors = (np.asarray(fit[key]) for key in ("lifetimes", "lifetimes_stddev"))
        if lifetimes.size != len(LIFETIMES):
            continue  # a decay that shows fewer has an average of them
        for number, (published, true) in enumerate(LIFETIMES):
            far = np.abs(np.log(np.where(lifetimes > 0, lifetimes, np.inf) / true))
            nearest = int(np.argmin(far))
            if far[nearest] < np.log(FACTOR):  # few passes do not show all of them
                yield RehearsedNumber(
                    f"{result.start['edge']} lifetime {number + 1}", "ps", published, float(lifetimes[nearest]),
                    float(errors[nearest]), true,
                )  # fmt: skip


def _of_camera(camera: FoundCamera) -> Iterator[RehearsedNumber]:
    geometry = camera.fit.camera.geometry
    distance, aside = 1e3 * geometry["dist"], -1e3 * geometry["poni2"]
    yield RehearsedNumber("detector distance", "mm", DISTANCE, distance, 1e3 * camera.stddev("dist"), DISTANCE)
    yield RehearsedNumber("detector aside", "mm", ASIDE, aside, 1e3 * camera.stddev("poni2"), ASIDE)
