"""Figure of a forecast: expected transients with the errors that are aimed at, and the time of each point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beamline.formatting import own_style
from beamline.records.forecast.times import ForecastResult
from reduction.allocation.predicted import predicted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {"mono_energy": "energy / keV", "laser_delay": "delay / ps", "laser_fluence": "fluence / mJ/cm2"}
LINEAR = 500.0
"""ps about time zero that are drawn to a linear scale."""


@own_style()
def forecast_figure(result: ForecastResult) -> Figure:
    """Each grid: transient of slot 0 with its predicted errors above, seconds of each point below."""
    from matplotlib.figure import Figure  # imported here, so that commands without a figure start faster

    number = len(result.grids)
    figure = Figure(figsize=(4.5 * number, 5.5), layout="constrained")
    panels = figure.subplots(2, number, squeeze=False)
    pattern = result.allocation.pattern
    for (above, below), grid, cycles in zip(panels.T, result.grids, result.allocation.cycles, strict=True):
        ahead = predicted(grid, pattern, cycles)
        error = np.sqrt(ahead.variance(ahead.unit(0)).total)
        above.errorbar(grid.position, ahead.transient[0], error, fmt=".", ms=3, lw=0.8)
        above.set_ylabel("transient, expected")
        below.plot(grid.position, cycles * len(pattern) * grid.dwell, "_", ms=5)
        below.set_ylabel("time / s")
        below.set_yscale("log")
        below.set_xlabel(LABELS[grid.axis])
        if grid.axis == "laser_delay":
            for panel in (above, below):
                panel.set_xscale("symlog", linthresh=LINEAR)
    figure.suptitle(f"{result.title}: a prediction, nothing is measured", fontsize="medium")
    return figure


@own_style()
def save_forecast(result: ForecastResult, png: Path) -> None:
    """Draw a forecast into a file."""
    forecast_figure(result).savefig(png, dpi=150)
