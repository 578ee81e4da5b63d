"""A temperature series as a table and as a figure, in the layout of the paper's Figures 3 and S7."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from beamline.formatting import own_style
from beamline.outputs.export.about import about_all
from beamline.outputs.export.table_or_figure import write_columns, write_table_or_figure
from beamline.outputs.figure import COLOURS, mark_simulated, write_below
from beamline.outputs.thermal.content import Thermal, sentences
from reduction.spectra.ratios import Ratio


def write_thermal(path: Path, found: Thermal) -> Path:
    """Write a series in the format of the file's suffix: .csv, .png or .pdf.

    Raises
    ------
    ExportError
        If the suffix is another, or the folder cannot be written.
    """
    results = found.results
    return write_table_or_figure(
        path, "a series is", lambda draft: _write_csv(draft, found), lambda: thermal_figure(found), results
    )


def _write_csv(path: Path, found: Thermal) -> None:
    series = found.series
    own, stddev = series.value_stddev(), series.stddev()
    columns = {"energy_keV": series.energy}
    for number, temperature in enumerate(series.temperature):
        name = f"{temperature:g}degC"
        columns |= {f"mu_{name}": series.value[number], f"mu_{name}_stddev": own[number]}
        columns |= {f"difference_{name}": series.difference[number], f"difference_{name}_stddev": stddev[number]}
    lines = [("series", line) for line in sentences(found)]
    write_columns(path, [*about_all(found.results).items(), *lines], columns)


def three_point_mean(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjacent averaging along the last axis, as in the paper's Figure 3; the ends have two points."""
    padded = np.concatenate([value[..., :1] * np.nan, value, value[..., :1] * np.nan], axis=-1)
    return np.asarray(np.nanmean([padded[..., :-2], padded[..., 1:-1], padded[..., 2:]], axis=0))


@own_style()
def thermal_figure(found: Thermal) -> Figure:
    """Aligned spectra, differences (a mean of three points as a line, for display), and C against temperature."""
    from matplotlib import colormaps

    series = found.series
    figure = Figure(figsize=(7, 9), layout="constrained")
    FigureCanvasAgg(figure)
    spectra, differences, ratios = figure.subplots(3, 1, height_ratios=[1.4, 1.6, 1.0])
    order = np.argsort(np.argsort(series.temperature)) / max(1, series.temperature.size - 1)
    smooth, stddev = three_point_mean(100 * series.difference), 100 * series.stddev()
    differences.axhline(0, color="0.7", lw=0.8, zorder=0)
    for number, temperature in enumerate(series.temperature):
        colour = colormaps["plasma"](0.9 * order[number])
        spectra.plot(series.energy, series.value[number], color=colour, lw=1, label=f"{temperature:g} degC")
        if number != series.reference:
            differences.errorbar(
                series.energy, 100 * series.difference[number], stddev[number], fmt=".", ms=2, lw=0.5, color=colour
            )
            differences.plot(series.energy, smooth[number], color=colour, lw=1)
    spectra.set_ylabel("absorption /\nedge integral")
    spectra.legend(loc="lower right", frameon=False, fontsize=7, ncols=2)
    at = series.temperature[series.reference]
    differences.set_ylabel(f"difference to {at:g} degC / %\n(lines: mean of 3 points)")
    differences.set_xlabel("X-ray energy / keV")
    _draw_ratios(ratios, found)
    write_below(figure, sentences(found))
    simulated = next((each for each in found.results if each.simulated), found.results[0])
    mark_simulated(figure, simulated.start)
    return figure


def _draw_ratios(axes: Axes, found: Thermal) -> None:
    """C with its interval; one whose interval is unbounded stands without error bar, and hollow."""
    for temperature, ratio in zip(found.series.temperature, found.ratios, strict=True):
        if not isinstance(ratio, Ratio):
            continue
        if ratio.bounded and np.isfinite(ratio.low):
            error = [[ratio.value - ratio.low], [ratio.high - ratio.value]]
            axes.errorbar([temperature], [ratio.value], error, fmt="o", ms=4, color=COLOURS[4])
        else:
            axes.plot([temperature], [ratio.value], "o", ms=4, mfc="none", color=COLOURS[4])
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.set_xlabel("temperature / degC")
    axes.set_ylabel("C")
