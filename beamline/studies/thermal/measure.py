"""All numbers of one temperature series, of images and of a comparison with theory, beside their truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beamline.outputs.comparison.content import common_windows
from beamline.outputs.export.about import absorption_edge
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result
from beamline.outputs.thermal.content import Thermal, reach_of, thermal_of
from beamline.studies.numbers.number import Collected, StudyResult
from beamline.studies.numbers.table import Found, in_processes
from beamline.studies.thermal.distortion import amplitude
from beamline.studies.thermal.powder import TEMPERATURES, PowderSeries
from beamline.studies.thermal.rings import geometry, peaks
from reduction.errors import ReductionError
from reduction.live.reducer import LiveReducer
from reduction.spectra.normalise import window_mean_weights
from reduction.thermal.series import ThermalSeries, came_back, thermal_series
from reduction.thermal.varshni import Varshni

EDGES = ("Br_K", "Pb_L3")
CALIBRATED = 5
"""Of so many repeats one calibrates the detector on graphite, which takes seconds."""
AWAY = 3e-3
"""keV above the main window of C, where a third energy is compared."""


def thermal_study(seeds: Sequence[int], jobs: int = 1) -> Iterator[Found]:
    """Results of each seed: bromine where it is even, lead where it is odd; rings and theory."""
    yield from in_processes(results_of_seed, seeds, jobs)


def results_of_seed(seed: int) -> Found:
    """Results of one seed; a text for each measurement that the reduction refused."""
    found: Found = []
    rng = np.random.default_rng([13, seed])
    powder = PowderSeries(seed, EDGES[seed % 2])
    try:
        found.append(_of_series(powder, thermal_of(reduced(powder), TEMPERATURES, TEMPERATURES[0], Varshni())))
    except ReductionError as error:
        found.append(f"repeat {seed}: {error}")
    others = [("rings", peaks), ("theory", amplitude), *([("graphite", geometry)] * (seed % CALIBRATED == 0))]
    for kind, measure in others:
        collected = Collected(kind, "", ())
        try:
            measure(rng, collected)
        except (ReductionError, ExportError) as error:
            found.append(f"{kind} {seed}: {error}")
            continue
        found.append(collected.result())
    return found


def reduced(powder: PowderSeries) -> list[Result]:
    """Results of the runs of a series, by the reducer of a session from their raw documents."""
    starts, spectra, streams, raw = list[Any](), list[Any](), dict[str, str](), list[Any]()

    def publish(name: str, doc: Any) -> None:
        if name == "start":
            starts.append(doc)
        elif name == "descriptor":
            streams[doc["uid"]] = doc["name"]
        elif name == "event" and streams[doc["descriptor"]] == "spectrum":
            spectra.append(doc["data"])

    reducer = LiveReducer(publish)
    for name, doc in powder.documents():
        raw += [doc] if name == "start" else []
        reducer(name, doc)
    return [
        Result(start, data, None, (of_raw,), ({},), (), None)
        for start, data, of_raw in zip(starts, spectra, raw, strict=True)
    ]


def _of_series(powder: PowderSeries, found: Thermal) -> StudyResult:
    series, edge = found.series, absorption_edge(found.results[0].start)
    settings, reach = common_windows(*found.results), reach_of(edge)
    whole = Varshni(alpha=2 * powder.gap.alpha)  # of which a series takes half
    truth = thermal_series(powder.truth(), TEMPERATURES[0], settings, whole, reach=reach)
    main, pre = edge["comparison_main"], edge["comparison_pre"]
    places = (float(np.mean(pre)), float(np.mean(main)), float(main[1]) + AWAY)
    collected = Collected("series", powder.edge, ())
    for number, temperature in enumerate(TEMPERATURES):
        if number == series.reference:
            continue
        again = temperature == TEMPERATURES[0]
        name = f"{temperature:g} degC{' again' if again else ''}"
        shift, goal = series.shift[number], truth.shift[number]
        collected.add(f"shift, {name}", 1e3 * shift.value, 1e3 * goal.value, 1e3 * shift.stddev)
        for place in places:
            here, there = (int(np.argmin(np.abs(each.energy - place))) for each in (series, truth))
            value, true = series.difference[number, here], truth.difference[number, there]
            collected.add(f"difference, {name}", value, true, series.stddev()[number, here])
        if again:
            test = came_back(series, number)
            collected.add(f"chi-square, {name}", test.chi_square, test.dof, float(np.sqrt(2 * test.dof)))
        else:
            _ratio(name, series, truth, number, (main, pre), collected)
    return collected.result()


def _ratio(
    name: str, series: ThermalSeries, truth: ThermalSeries, number: int, windows: tuple[Any, Any], found: Collected
) -> None:
    """C by Fieller: what the numerator is above the true ratio times the denominator."""
    above, below = (window_mean_weights(series.energy, window) for window in windows)
    true = [window_mean_weights(truth.energy, window) @ truth.difference[number] for window in windows]
    ratio = float(true[0] / true[1])
    weights = above - ratio * below
    stddev = float(np.sqrt(weights @ series.difference_covariance[number, number] @ weights))
    value, scale = (float(each @ series.difference[number]) for each in (weights, below))
    found.add(f"C, {name}", ratio + value / scale, ratio, stddev / abs(scale), np.sign(scale) * value / stddev)
