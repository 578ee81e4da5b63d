"""Figure of a finding: what was counted, what was fitted to it, and what follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import own_style, printable
from beamline.outputs.figure import COLOURS, mark_simulated

VERDICT_COLOURS = {"good": COLOURS[3], "look": COLOURS[1], "bad": COLOURS[5]}
MARKED = {"threshold": "threshold"}
"""By finding, its setting that is a place on the horizontal axis."""
LOGARITHMIC = ("threshold",)


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
    axes = figure.subplots()
    name = str(data["finding_name"])
    x, y, error, fit_x, fit = (np.asarray(data[f"finding_curve_{key}"]) for key in ("x", "y", "stddev", "fit_x", "fit"))
    shown = np.isfinite(y) & np.isfinite(error)
    axes.errorbar(x[shown], y[shown], error[shown], fmt=".", ms=4, lw=0.8, color=COLOURS[0])
    axes.plot(fit_x, fit, lw=1, color=COLOURS[2])
    if name in LOGARITHMIC and (y[shown] > 0).any():
        axes.set(xscale="log", yscale="log")
    else:
        axes.ticklabel_format(axis="x", useOffset=False)  # an energy is read, not added up
    place = json.loads(str(data["finding_settings"])).get(MARKED.get(name, ""))
    if place is not None:
        axes.axvline(place, color=VERDICT_COLOURS["good"], lw=1)
    axes.set(xlabel=printable(data["finding_x_label"]), ylabel=printable(data["finding_y_label"]))
    verdict = printable(data["finding_verdict"])
    text = fill(f"{name}: {verdict}, {printable(data['finding_outcome'])}. {printable(data['finding_reason'])}", 88)
    figure.suptitle(
        text, fontsize=9, x=0.01, ha="left", parse_math=False, color=VERDICT_COLOURS.get(verdict, COLOURS[0])
    )
    mark_simulated(figure, start)
    return figure
