"""Results at several temperatures, one edge: alignment, differences to the reference temperature, C against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.formatting import ratio_interval
from beamline.outputs.comparison.content import common_windows, curve_of, name_of
from beamline.outputs.export.about import absorption_edge
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result
from reduction.errors import ReductionError
from reduction.spectra.align import EnergyShift, find_shift
from reduction.spectra.normalise import normalised_alone, window_mean_weights
from reduction.spectra.ratios import Ratio, comparison_parameter
from reduction.thermal.criterion import REACH
from reduction.thermal.series import (
    LARGEST,
    Constancy,
    Heated,
    ThermalSeries,
    came_back,
    constant_ratio,
    thermal_series,
)
from reduction.thermal.varshni import Varshni

Array = NDArray[np.float64]

EV = 1e3
OF_CORE_HOLE = 0.4
"""Of the core-hole width, over which derivatives are taken."""
COLDEST = -273.15
"""degC."""
FAR = 10.0
"""K; a spectrum farther from the reference temperature is not the reference."""
SAME_TEMPERATURE = 1.0
"""K."""
TEMPERATURE = "temperature"
"""Key of start documents: degC."""


@dataclass(frozen=True)
class Thermal:
    """A series with its results.

    Attributes
    ----------
    results : tuple of Result
        In the order of the series.
    series : ThermalSeries
    ratios : tuple of Ratio or str
        C of each difference, or why there is none; "" for the reference.
    constancy : Constancy or None
        Whether C is the same at all temperatures; None with fewer than two differences that have a C.
    placed : PlacedSeries or None
        The result on whose energies the series was moved.
    """

    results: tuple[Result, ...]
    series: ThermalSeries
    ratios: tuple[Ratio | str, ...]
    constancy: Constancy | None
    placed: PlacedSeries | None = None


@dataclass(frozen=True)
class PlacedSeries:
    """Another result, and by how much the energies of the series were above its own, keV."""

    beside: Result
    shift: EnergyShift


def temperatures_of(results: Sequence[Result], given: Sequence[float] | None) -> list[float]:
    """Temperatures of results, degC: as given, or as their start documents have them.

    Raises
    ------
    ExportError
        If there are not as many as results, or one is not known or impossible.
    """
    if given is not None:
        if len(given) != len(results):
            raise ExportError(f"{len(given)} temperatures for {len(results)} results: one for each, in their order")
        if not all(each > COLDEST for each in given):
            raise ExportError(f"temperatures {', '.join(f'{each:g}' for each in given)}: degC above {COLDEST:g}")
        return list(given)
    found = [result.raw[-1].get(TEMPERATURE) for result in results]
    for result, temperature in zip(results, found, strict=True):
        if not isinstance(temperature, int | float):
            raise ExportError(f"{name_of(result)} has no temperature: give all with --temperatures, degC")
    return [float(temperature) for temperature in found if isinstance(temperature, int | float)]


def thermal_of(
    results: Sequence[Result],
    temperatures: Sequence[float],
    reference: float,
    varshni: Varshni | None,
    beside: Result | None = None,
) -> Thermal:
    """Reduce spectra of one edge at several temperatures; `beside` is a result onto whose energies they are moved.

    Raises
    ------
    ExportError
        If they are not spectra of one edge, or cannot be aligned or normalised.
    """
    for result in results:
        if "energy" not in result.data:
            raise ExportError(f"run {result.start['uid'][:8]} is a scan of {result.axis}, not of energy")
        edges = [each.start.get("edge") for each in (result, results[0])]
        if edges[0] != edges[1]:
            raise ExportError(f"{name_of(result)} is {edges[0]}, {name_of(results[0])} {edges[1]}: two edges")
    if min(abs(each - reference) for each in temperatures) > FAR:
        measured = ", ".join(f"{each:g}" for each in temperatures)
        raise ExportError(
            f"no spectrum within {FAR:g} K of the reference, {reference:g} degC: there are {measured} degC"
        )
    settings = common_windows(*results)
    spectra = [Heated(at, curve_of(result)) for at, result in zip(temperatures, results, strict=True)]
    try:
        series = thermal_series(
            spectra, reference, settings, varshni, reach=reach_of(absorption_edge(results[0].start))
        )
        placed = None if beside is None else _place(series, results, beside)
    except (ReductionError, np.linalg.LinAlgError) as error:
        raise ExportError(str(error)) from error
    if placed is not None:
        series = replace(series, energy=series.energy - placed.shift.value)
    return Thermal(tuple(results), series, *_ratios(series, absorption_edge(results[0].start)), placed)


def reach_of(edge: Mapping[str, Any]) -> float:
    """keV; over which derivatives are taken at an edge, by the lifetime of its core hole."""
    width = edge.get("core_hole_width")
    return REACH if width is None else 1e-3 * OF_CORE_HOLE * float(width)


def _place(series: ThermalSeries, results: Sequence[Result], beside: Result) -> PlacedSeries:
    """Align the spectrum at the reference temperature with the laser-off spectrum of another result."""
    mine = results[series.reference]
    settings = common_windows(mine, beside)
    curves = []
    for result in (mine, beside):
        curve = curve_of(result)
        curves.append((curve.energy, *normalised_alone(curve.value, curve.covariance, curve.energy, settings)))
    (energy, value, stddev), (there, reference, its_stddev) = curves
    shift = find_shift(energy, value, stddev, reference, its_stddev, largest=LARGEST, reference_energy=there)
    return PlacedSeries(beside, shift)


def _ratios(series: ThermalSeries, edge: Mapping[str, Any]) -> tuple[tuple[Ratio | str, ...], Constancy | None]:
    """C of each difference, and whether it is the same for all."""
    if "comparison_main" not in edge:
        return ("the edge has no windows for C",) * series.temperature.size, None
    main, pre = ((float(low), float(high)) for low, high in (edge["comparison_main"], edge["comparison_pre"]))
    found: list[Ratio | str] = []
    for number in range(series.temperature.size):
        try:
            if number == series.reference:
                found.append("the reference")
                continue
            covariance = series.difference_covariance[number, number]
            found.append(comparison_parameter(series.energy, series.difference[number], covariance, main, pre))
        except ValueError as error:
            found.append(str(error))
    again = returns(series)
    known = [number for number, each in enumerate(found) if isinstance(each, Ratio) and number not in again]
    if len(known) < 2:
        return tuple(found), None
    weights = np.stack([window_mean_weights(series.energy, window) for window in (main, pre)])
    means = np.einsum("we,te->wt", weights, series.difference[known])
    covariance = np.einsum("we,stef,vf->wsvt", weights, series.difference_covariance[np.ix_(known, known)], weights)
    return tuple(found), constant_ratio(means[0], means[1], covariance)


def sentences(found: Thermal) -> list[str]:
    """The numbers in words."""
    series = found.series
    at = series.temperature[series.reference]
    lines = [f"{len(found.results)} temperatures, {series.energy.size} energies, differences to {at:g} degC"]
    if found.placed is not None:
        moved = found.placed.shift
        lines.append(
            f"all moved by {-EV * moved.value:+.3f} +- {EV * moved.stddev:.3f} eV onto {name_of(found.placed.beside)}"
        )
    for number, (result, shift, ratio) in enumerate(zip(found.results, series.shift, found.ratios, strict=True)):
        how = f"moved by {-EV * shift.value:+.3f} +- {EV * shift.stddev:.3f} eV to align it"
        how += f" (least area between the derivatives: {-EV * series.area_shift[number]:+.3f} eV)"
        if number == series.reference:
            how = "the reference"
        else:
            how += f"; the edge itself is expected {EV * series.varshni[number]:+.1f} meV higher: half of it is kept"
            how += f"; C {_in_words(ratio)}"
        lines.append(f"{series.temperature[number]:g} degC, {name_of(result)}: {how}")
    lines += [_came_back(series, number) for number in returns(series)]
    if found.constancy is not None:
        test = found.constancy
        lines.append(
            f"C the same at all temperatures: chi-square {test.chi_square:.1f} with {test.dof} degrees of freedom,"
            f" p-value {test.p_value:.2g}"
        )
    return lines


def returns(series: ThermalSeries) -> list[int]:
    """Spectra at the temperature of the reference, apart from it."""
    same = np.abs(series.temperature - series.temperature[series.reference]) < SAME_TEMPERATURE
    return [int(number) for number in np.flatnonzero(same) if number != series.reference]


def _came_back(series: ThermalSeries, number: int) -> str:
    test = came_back(series, number)
    return (
        f"{series.temperature[number]:g} degC again: difference to the first one with chi-square {test.chi_square:.1f}"
        f" and {test.dof} degrees of freedom, p-value {test.p_value:.2g}"
    )


def _in_words(ratio: Ratio | str) -> str:
    if isinstance(ratio, str):
        return f"none, {ratio}"
    return f"{ratio.value:.2f}, {ratio_interval(ratio.low, ratio.high, ratio.bounded)}"
