"""Figure of an allocation: expected transients with the errors that are aimed at, and the time of each point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beamline.formatting import own_style
from reduction.allocation.allocate import PATTERNS, Allocation
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.predicted import predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {"mono_energy": "energy / keV", "laser_delay": "delay / ps", "laser_fluence": "fluence / mJ/cm2"}
LINEAR = 500.0
"""ps about time zero that are drawn to a linear scale."""
SHOWN = 4
"""Grids that are drawn."""


@own_style()
def allocation_figure(
    title: str, found: Allocation, grids: Sequence[ExpectedGrid], others: Sequence[Sequence[ExpectedGrid]] = ()
) -> Figure:
    """Each grid: transient of slot 0 with its predicted errors above, with other models in grey; seconds of each point
    below, and those of the even grid as a line."""
    from matplotlib.figure import Figure  # imported here, so that commands without a figure start faster

    number = min(len(grids), SHOWN)
    figure = Figure(figsize=(max(4.5 * number, 7.0), 5.5), layout="constrained")
    panels = figure.subplots(2, number, squeeze=False)
    for index, (above, below) in enumerate(panels.T):
        above.set_title(", ".join(f"{name} {value}" for name, value in grids[index].labels.items()), fontsize="small")
        _draw_transient(above, found, grids[index], [each[index] for each in others], found.cycles[index])
        _draw_time(below, found, grids[index], found.cycles[index])
        if grids[index].axis == "laser_delay":
            for panel in (above, below):
                panel.set_xscale("symlog", linthresh=LINEAR)
    shown = f" ({number} of {len(grids)} grids are drawn)" if number < len(grids) else ""
    figure.suptitle(f"{title}{shown}", fontsize="medium")
    return figure


def _draw_transient(
    panel: Axes, found: Allocation, grid: ExpectedGrid, others: Sequence[ExpectedGrid], cycles: np.ndarray
) -> None:
    ahead = predicted(grid, found.pattern, cycles)
    error = np.sqrt(ahead.variance(ahead.unit(0)).total)
    for number, other in enumerate(others):
        label = "other models" if not number else None
        panel.plot(grid.position, predicted(other, found.pattern, cycles).transient[0], "-", color="0.8", label=label)
    panel.errorbar(grid.position, ahead.transient[0], error, fmt=".", ms=3, lw=0.8, label="expected")
    panel.axhline(0.0, lw=0.5, color="0.5")
    panel.set_ylabel("transient")
    panel.legend(fontsize="small")


def _draw_time(panel: Axes, found: Allocation, grid: ExpectedGrid, cycles: np.ndarray) -> None:
    of_cycle = len(found.pattern) * grid.dwell
    panel.plot(grid.position, cycles * of_cycle, ".", ms=4, label=f"allocated, {cycles.sum() * of_cycle / 3600:.2f} h")
    even = max(one.even for one in found.targets) * len(PATTERNS[0]) * grid.dwell  # the cycles of its own laser states
    panel.axhline(even, ls="--", lw=0.8, color="0.5", label="even grid")
    panel.set_ylabel("dwells / s")
    panel.set_yscale("log")
    panel.set_xlabel(LABELS[grid.axis])
    panel.legend(fontsize="small")


@own_style()
def save_allocation(
    title: str, found: Allocation, grids: Sequence[ExpectedGrid], others: Sequence[Sequence[ExpectedGrid]], png: Path
) -> None:
    """Draw an allocation into a file."""
    allocation_figure(title, found, grids, others).savefig(png, dpi=150)
