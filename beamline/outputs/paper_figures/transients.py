"""Figures 2, 3 and S2 of the paper: transients, traces and fluences; light beside heat."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from beamline.formatting import format_delay, own_style
from beamline.outputs.export.about import absorption_edge
from beamline.outputs.export.paper import (
    TRANSIENTS,
    draw_static,
    draw_traces,
    draw_transients,
    drawn_slots,
    rounded_delay,
)
from beamline.outputs.export.paper_fluences import draw_fluences
from beamline.outputs.export.paper_labels import title_of_edge
from beamline.outputs.export.result import Result
from beamline.outputs.figure import COLOURS
from beamline.outputs.paper_figures.collect import EDGES, PaperResults
from beamline.outputs.paper_figures.constancy import constant_with_delay
from beamline.outputs.paper_figures.structure import draw_structure
from beamline.outputs.thermal.content import Thermal, returns
from beamline.outputs.thermal.files import three_point_mean
from reduction.spectra.ratios import Ratio, comparison_where_known
from reduction.thermal.series import ThermalSeries

SLOTS = (0, 1)
"""Slots that the paper shows: 100 ps, 10.1 ns, and one bunch later 163.5 ns."""
LONGEST = 200_000.0
"""ps; later slots are not in the paper."""
WINDOW = "0.90"
KEYS = ("energy", "transient", "transient_stddev")
OF_HEAT = "difference to 25 degC\n/ % of edge integral\n(shown: mean of 3 points)"
"""Label of the differences with the temperature."""
STRUCTURE = (0.6, 0.52, 0.38, 0.3)
"""Where the inset stands in the panel of the traces."""
FOR_TEXT = 0.18
"""Of the height of the panels of C, below the points."""
TICKS = 5
"""Of an energy axis that stands beside others."""
LARGEST_C = 8.0
"""Of the panels of C; what is beyond is known so poorly that it would hide the others."""


@own_style()
def figure_2(found: PaperResults) -> Figure:
    """Spectra and transients of both edges (a, b), time traces (c)."""
    figure = Figure(figsize=(12.5, 6.5), layout="constrained")
    panels: Any = figure.subplot_mosaic([["a", "b", "c"], ["A", "B", "c"]], height_ratios=[1.0, 1.7])
    for small, large, edge in zip("ab", "AB", EDGES, strict=True):
        results = found.spectra_of(edge)
        panels[small].set_title(f"({small})  {title_of_edge(edge)}", loc="left")
        if results:
            draw_static(panels[small], results[0])
            drawn = drawn_pairs(results)
            delays = sorted({rounded_delay(*each) for each in drawn})
            draw_transients(panels[large], drawn, delays, True)
        panels[large].set_xlabel("X-ray energy / keV")
        for axes in (panels[small], panels[large]):
            axes.xaxis.set_major_locator(MaxNLocator(TICKS))
    panels["a"].set_ylabel("absorption / last point")
    panels["A"].set_ylabel("(on - off) x factor / (1/eV), shifted")
    panels["c"].set_title("(c)", loc="left")
    draw_traces(panels["c"], found.traces)
    panels["c"].legend(frameon=False, fontsize=7, loc="upper right")
    draw_structure(panels["c"], STRUCTURE)
    return figure


def drawn_pairs(results: list[Result]) -> list[tuple[Result, int]]:
    """Results with the slots that the paper shows; a delay once."""
    pairs, seen = [], set[float]()
    for result, slot in drawn_slots(results, SLOTS):
        delay = rounded_delay(result, slot)
        later = slot > 0 and result.slot_delays[0] < 1000.0  # the second slot of 100 ps is not shown
        if not later and delay < LONGEST and delay not in seen:
            seen.add(delay)
            pairs.append((result, slot))
    return pairs


@own_style()
def figure_3(found: PaperResults) -> Figure:
    """Differences with the temperature (a, b), transients (c, d), and C of both (e, f), with the windows of C."""
    figure = Figure(figsize=(10, 10.5), layout="constrained")
    panels: Any = figure.subplots(3, 2)
    for column, edge in enumerate(EDGES):
        above, middle, below = panels[:, column]
        for axes, letter in zip((above, middle, below), ("ace", "bdf")[column], strict=True):
            axes.set_title(f"({letter})  {title_of_edge(edge)}", loc="left")
        thermal, results = found.thermal.get(edge), found.spectra_of(edge)
        if thermal is not None:
            draw_heat(above, thermal)
        else:
            leave_empty(above)
        if results:
            draw_light(middle, results)
        else:
            leave_empty(middle)
        draw_c(below, thermal, results)
    panels[0, 0].set_ylabel(OF_HEAT)
    panels[1, 0].set_ylabel("on - off\n/ % of edge integral")
    panels[2, 0].set_ylabel("C")
    return figure


def leave_empty(axes: Axes) -> None:
    """A panel without data."""
    axes.text(0.5, 0.5, "no result", transform=axes.transAxes, ha="center", va="center", color="0.6")
    axes.set(xticks=[], yticks=[])


def draw_heat(axes: Axes, thermal: Thermal, temperatures: tuple[float, ...] = ()) -> None:
    """Differences to the reference, a mean of three points, from blue to red; grey: the spectrum, scaled."""
    series, colours = thermal.series, colours_of(thermal.series)
    values = 100 * three_point_mean(series.difference)
    chosen = [number for number in range(series.temperature.size) if number != series.reference]
    if temperatures:
        wanted = {int(np.argmin(np.abs(series.temperature - each))) for each in temperatures}
        chosen = [number for number in chosen if number in wanted]
    for number in chosen:
        label = f"{series.temperature[number]:g} degC{' again' * (number in returns(series))}"
        axes.plot(series.energy, values[number], color=colours[number], lw=1.1, label=label)
    _frame(axes, thermal.results[0], series.energy, series.value[series.reference], values[chosen])
    axes.legend(frameon=False, fontsize=6, ncols=2, loc="lower right")


def colours_of(series: ThermalSeries) -> list[Any]:
    """A colour for each spectrum, from blue to red with the temperature."""
    order = np.argsort(np.argsort(series.temperature)) / max(1, series.temperature.size - 1)
    return list(colormaps["coolwarm"](order))


def draw_light(axes: Axes, results: list[Result]) -> None:
    """Transients on one scale, unscaled."""
    curves = []
    for number, (result, slot) in enumerate(drawn_pairs(results)):
        energy, transient, stddev = (np.asarray(result.data[key], dtype=np.float64) for key in KEYS)
        curves.append(100 * transient[slot])
        style: dict[str, Any] = {"color": TRANSIENTS[number % len(TRANSIENTS)], "lw": 1.0, "elinewidth": 0.5}
        axes.errorbar(energy, curves[-1], 100 * stddev[slot], label=format_delay(rounded_delay(result, slot)), **style)
    first = results[0].data
    _frame(axes, results[0], np.asarray(first["energy"]), np.asarray(first["static"]), np.stack(curves))
    axes.legend(frameon=False, fontsize=7, loc="lower right")


def _frame(axes: Axes, result: Result, energy: Any, static: Any, curves: Any) -> None:
    """The windows of C, the static spectrum scaled to the panel, and zero."""
    edge = absorption_edge(result.start)
    for key in ("comparison_main", "comparison_pre"):
        if key in edge:
            axes.axvspan(*edge[key], color=WINDOW, zorder=0)
    height = float(np.nanmax(np.abs(curves)))
    axes.plot(energy, static / np.nanmax(static) * height, color="0.55", lw=1, zorder=0.5)
    axes.axhline(0, color="0.8", lw=0.7, zorder=0)
    axes.set_xlabel("X-ray energy / keV")


def draw_c(axes: Axes, thermal: Thermal | None, results: list[Result]) -> None:
    """C against the temperature (upper axis) and against the delay (lower axis), with Fieller's intervals."""
    delays, shown = list[float](), list[Ratio]()
    drawn = drawn_pairs(results) if results else []
    for result, slot in drawn:
        ratio = c_of(result, slot)
        if isinstance(ratio, Ratio):
            delays.append(rounded_delay(result, slot))
            shown.append(ratio)
            _point(axes, delays[-1], ratio, "x", COLOURS[0])
    axes.set_xscale("log")
    axes.set_xlabel("pump-probe delay / ps (crosses)")
    axes.axhline(0, color="0.8", lw=0.7, zorder=0)
    if thermal is not None:
        shown += _draw_c_of_heat(axes, thermal)
    known = [value for each in shown if each.bounded for value in (each.low, each.high, each.value)]
    low, high = min([-2.0, *known]), max([3.0, *known])
    low, high = max(low, -LARGEST_C) - 0.5, min(high, LARGEST_C) + 0.5
    axes.set_ylim(low - FOR_TEXT * (high - low), high)
    _name_constancy(axes, thermal, drawn)


def _name_constancy(axes: Axes, thermal: Thermal | None, drawn: list[tuple[Result, int]]) -> None:
    """The tests that C is the same at all delays, and at all temperatures."""
    tests = {"delays": constant_with_delay(drawn), "temperatures": None if thermal is None else thermal.constancy}
    lines = [
        f"same at all {what}: chi-square {test.chi_square:.1f} / {test.dof}, p-value {test.p_value:.2g}"
        for what, test in tests.items()
        if test is not None
    ]
    axes.text(0.02, 0.02, "\n".join(lines), transform=axes.transAxes, fontsize=6.5, color="0.3", va="bottom")


def _draw_c_of_heat(axes: Axes, thermal: Thermal) -> list[Ratio]:
    """C against the temperature on an upper axis; those that were drawn."""
    above = axes.twiny()
    again = returns(thermal.series)
    drawn = [each for number, each in enumerate(thermal.ratios) if isinstance(each, Ratio) and number not in again]
    for temperature, of_heat in zip(thermal.series.temperature, thermal.ratios, strict=True):
        if of_heat in drawn and isinstance(of_heat, Ratio):
            _point(above, float(temperature), of_heat, "o", COLOURS[4])
    above.set_xlabel("temperature / degC (dots)", color=COLOURS[4])
    return drawn


def c_of(result: Result, slot: int) -> Ratio | None:
    """C of a transient; None where the edge has no windows, or there is none."""
    edge, data = absorption_edge(result.start), result.data
    if "comparison_main" not in edge:
        return None
    transient, covariance = np.asarray(data["transient"], dtype=np.float64)[slot], result.covariance(slot)
    main, pre = ((float(low), float(high)) for low, high in (edge["comparison_main"], edge["comparison_pre"]))
    try:
        return comparison_where_known(np.asarray(data["energy"], dtype=np.float64), transient, covariance, main, pre)
    except ValueError:
        return None


def _point(axes: Axes, place: float, ratio: Ratio, marker: str, colour: str) -> None:
    bounded = ratio.bounded and np.isfinite(ratio.low)
    error = [[ratio.value - ratio.low], [ratio.high - ratio.value]] if bounded else None
    axes.errorbar([place], [ratio.value], error, fmt=marker, color=colour, ms=5, mfc=colour if bounded else "none")


@own_style()
def figure_s2(found: PaperResults) -> Figure:
    """Fluence dependence of both edges."""
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    used = {float(result.raw[0]["pump_fluence"]) for result in found.spectra if "pump_fluence" in result.raw[0]}
    draw_fluences(figure.subplots(), found.fluences[:2], next(iter(used)) if len(used) == 1 else None)
    return figure
