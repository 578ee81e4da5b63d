"""Figures in the layout of the paper's Figure S2: transients against the fluence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.paper_labels import title_of_edge
from beamline.outputs.export.result import Result
from beamline.outputs.figure import COLOURS
from reduction.traces.linear_range import saturation

COLOURS_AND_MARKERS = ((COLOURS[1], "o"), (COLOURS[2], "s"))
MEASURED: dict[str, Any] = {"ms": 3, "lw": 0.8, "capsize": 1.5}


def fluence_figure(results: Sequence[Result], fluence_used: float | None) -> Figure:
    """One or two fluence scans.

    Raises
    ------
    ExportError
        If there are more.
    """
    if len(results) > 2:
        raise ExportError("a fluence figure has a left and a right axis: give one or two scans")
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    draw_fluences(figure.subplots(), results, fluence_used)
    return figure


def draw_fluences(left: Axes, results: Sequence[Result], fluence_used: float | None) -> None:
    """One fluence scan on the left axis, a second one on the right."""
    panels = [left, left.twinx()] if len(results) > 1 else [left]
    for axes, result, (colour, marker) in zip(panels, results, COLOURS_AND_MARKERS, strict=False):
        rows = np.asarray(result.data["used"]).astype(bool)
        fluence = np.asarray(result.data["laser_fluence"], dtype=np.float64)[rows]
        value, stddev = (np.asarray(result.data[key])[0][rows] for key in ("transient", "transient_stddev"))
        edge = title_of_edge(result.start.get("edge", ""))
        style = {**MEASURED, "fmt": marker}
        axes.errorbar(fluence, 100 * value, 100 * stddev, color=colour, zorder=2, **style)
        axes.set_ylabel(f"{edge} on - off / % of laser off", color=colour, parse_math=False)
        axes.tick_params(axis="y", colors=colour)
        if axes is left and fluence.size >= 5:
            covariance = result.covariance(0)[np.ix_(rows, rows)]
            found = saturation(fluence, value, covariance)
            ends = np.array([0.0, fluence.max()])
            label = f"initial slope, {edge}" if len(panels) > 1 else "initial slope"
            axes.plot(ends, 100 * found.initial.value(ends), color="0.5", lw=1.2, zorder=1, label=label)
    _level_zeros(panels)
    if fluence_used is not None:
        left.axvline(fluence_used, color="0.3", ls="--", lw=0.9, label="fluence of the other scans")
    if left.get_legend_handles_labels()[0]:
        left.legend(frameon=False, loc="best")
    left.set_xlabel("fluence / mJ/cm2")


def _level_zeros(panels: Sequence[Axes]) -> None:
    """Put 0 of all vertical axes at one height."""
    shares = [low / (low - high) for low, high in (each.get_ylim() for each in panels)]  # of the height below 0
    share = min(max(sum(shares) / len(shares), 0.05), 0.95)
    for axes in panels:
        low, high = axes.get_ylim()
        span = max(-low / share, high / (1 - share))
        axes.set_ylim(-share * span, (1 - share) * span)
