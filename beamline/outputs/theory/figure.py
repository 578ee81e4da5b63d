"""The figure of computed spectra beside a result, in the layout of the paper's Figure 4 (b-d)."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import own_style, printable
from beamline.outputs.export.about import about_all
from beamline.outputs.export.table_or_figure import write_columns, write_table_or_figure
from beamline.outputs.figure import COLOURS, mark_simulated, write_below
from beamline.outputs.theory.content import Beside, sentences

ABOVE_EDGE = 0.006
"""keV above the largest value of the spectrum, from which panel c shows it."""


def write_theory(path: Path, found: Beside) -> Path:
    """Write the spectra in the format of the file's suffix: .csv, .png or .pdf.

    Raises
    ------
    ExportError
        If the suffix is another, or the folder cannot be written.
    """
    results = [found.result]
    return write_table_or_figure(
        path, "computed spectra are", lambda draft: _write_csv(draft, found), lambda: theory_figure(found), results
    )


def _write_csv(path: Path, found: Beside) -> None:
    columns = {
        "energy_keV": found.placed.energy, "static": found.placed.static, "computed_ground": found.ground,
        "transient": found.transient.value, "transient_stddev": found.transient.stddev(),
    }  # fmt: skip
    for fit in found.fits:
        columns[f"fit_{printable(fit.name)}"] = fit.amplitude * found.differences[fit.name]
    lines = [("theory", line) for line in sentences(found)]
    write_columns(path, [*about_all([found.result]).items(), *lines], columns)


@own_style()
def theory_figure(found: Beside) -> Figure:
    """Static spectra, the region above the edge, and the transient with the fitted models."""
    figure = Figure(figsize=(7, 8.4), layout="constrained")
    FigureCanvasAgg(figure)
    static, above, transient = figure.subplots(3, 1, height_ratios=[1.6, 1.2, 1.6])
    energy = found.placed.energy
    colours = dict(zip((fit.name for fit in found.fits), cycle((COLOURS[5], COLOURS[2], COLOURS[4], COLOURS[6]))))
    high = energy >= energy[int(np.argmax(found.placed.static))] + ABOVE_EDGE
    for axes, part in ((static, np.ones_like(high)), (above, high)):
        axes.plot(energy[part], found.placed.static[part], color=COLOURS[0], lw=1.2, label="measured, laser off")
        axes.plot(energy[part], found.ground[part], color=COLOURS[3], lw=1, label="computed ground state")
        for name, value in found.excited.items():
            axes.plot(energy[part], value[part], color=colours[name], lw=1, ls="--", label=printable(name))
        axes.set_ylabel("absorption /\nedge integral")
    pumped = found.placed.static + found.transient.value / found.placed.scale
    above.plot(energy[high], pumped[high], color=COLOURS[1], lw=1, label="measured, laser on", zorder=1.5)
    above.legend([above.lines[-1]], ["measured, laser on"], loc="upper right", frameon=False, fontsize=7)
    static.legend(loc="lower right", frameon=False, fontsize=7)
    for axes, letter in zip((static, above, transient), "bcd", strict=True):
        axes.set_title(f"({letter})", loc="left", fontsize=9)
    transient.axhline(0, color="0.7", lw=0.8, zorder=0)
    stddev = found.transient.stddev()
    transient.errorbar(
        energy, 100 * found.transient.value, 100 * stddev, color=COLOURS[0], fmt=".", ms=3, lw=0.8, label="measured"
    )
    for fit in found.fits:
        value = 100 * fit.amplitude * found.differences[fit.name]
        label = f"{printable(fit.name)} times {fit.amplitude:.3g}"
        transient.plot(energy, value, color=colours[fit.name], lw=1.2, label=label)
    transient.set_ylabel("on - off / % of edge integral")
    transient.legend(loc="lower right", frameon=False, fontsize=7)
    transient.set_xlabel("X-ray energy / keV")
    write_below(figure, sentences(found))
    mark_simulated(figure, found.result.start)
    return figure
