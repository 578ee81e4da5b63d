"""Figure of a finding: what was counted, what was fitted to it, and what follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import own_style, printable
from beamline.outputs.figure import COLOURS, mark_simulated

VERDICT_COLOURS = {"good": COLOURS[3], "look": COLOURS[1], "bad": COLOURS[5]}
MARKED = {"threshold": "chosen_mV", "gate": "opens_ns", "energy": "position_keV", "crystal": "", "windows": ""}
"""By finding, its number that is a place on the horizontal axis; empty for its value."""
LINES = {"jet": "counting alone"}
"""By finding, what the line is, where it is no fit."""
LOGARITHMIC = ("threshold",)


def draw_finding(axes: Axes, data: Mapping[str, Any]) -> None:
    """Points with errors, the fitted curve, and what was chosen.

    Parameters
    ----------
    axes : Axes
        Empty ones.
    data : mapping
        Data of the event of the stream `finding`.
    """
    name = str(data["finding_name"])
    x, y, error, fit_x, fit = (np.asarray(data[f"finding_curve_{key}"]) for key in ("x", "y", "stddev", "fit_x", "fit"))
    shown = np.isfinite(y) & np.isfinite(error)
    axes.errorbar(x[shown], y[shown], error[shown], fmt=".", ms=4, lw=0.8, color=COLOURS[0], label="measured")
    if np.isfinite(fit).any():
        axes.plot(fit_x, fit, lw=1, color=COLOURS[2], label=LINES.get(name, "fit"))
    if name in LOGARITHMIC and (y[shown] > 0).any():
        axes.set(xscale="log", yscale="log")
    else:
        axes.ticklabel_format(axis="x", useOffset=False)  # an energy is read, not added up
    if name in MARKED and data["finding_verdict"] == "good":
        numbers = {"": (data["finding_value"],), **json.loads(str(data["finding_numbers"]))}
        if MARKED[name] in numbers:  # gates that were found earlier have no number on the axis
            axes.axvline(numbers[MARKED[name]][0], color=VERDICT_COLOURS["good"], lw=1, label="found")
    if shown.any():
        axes.legend(frameon=False, fontsize=8)
    axes.set(xlabel=printable(data["finding_x_label"]), ylabel=printable(data["finding_y_label"]))


@own_style()
def finding_figure(data: Mapping[str, Any], start: Mapping[str, Any]) -> Figure:
    """Points with errors, the fitted curve, the choice, and the sentence of the finding.

    Parameters
    ----------
    data : mapping
        Data of the event of the stream `finding`.
    start : mapping
        Start document of its run.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    draw_finding(figure.subplots(), data)
    name = str(data["finding_name"])
    verdict = printable(data["finding_verdict"])
    text = fill(f"{name}: {verdict}, {printable(data['finding_outcome'])}. {printable(data['finding_reason'])}", 88)
    figure.suptitle(
        text, fontsize=9, x=0.01, ha="left", parse_math=False, color=VERDICT_COLOURS.get(verdict, COLOURS[0])
    )
    mark_simulated(figure, start)
    return figure
