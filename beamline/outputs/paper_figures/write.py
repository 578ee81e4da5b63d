"""Writes all figures of the paper as PNG and PDF, and says which cannot be drawn, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.names import written_whole
from beamline.outputs.export.paper import origin_of, save_figure
from beamline.outputs.export.result import Result
from beamline.outputs.figure import SIMULATED, mark_simulated
from beamline.outputs.paper_figures.collect import EDGES, PaperResults
from beamline.outputs.paper_figures.heat import figure_s4, figure_s5, figure_s6, figure_s7, figure_s8
from beamline.outputs.paper_figures.transients import figure_2, figure_3, figure_s2
from beamline.outputs.theory.figure import theory_figure

SUFFIXES = (".png", ".pdf")
CHARACTERS = 20
"""In an inch of the note below a figure."""
ONLY = {"S6": "Br_K", "S7": "Br_K"}
"""Figures of one edge."""


def figure_4(found: PaperResults) -> Figure:
    """Computed spectra beside the measured ones (b to d)."""
    assert found.theory is not None  # drawn only if it is there
    return theory_figure(found.theory)


FIGURES: Mapping[str, tuple[Callable[[PaperResults], Figure], tuple[str, ...]]] = {
    "2": (figure_2, ("spectra", "traces")),
    "3": (figure_3, ("spectra", "thermal")),
    "4": (figure_4, ("theory",)),
    "S2": (figure_s2, ("fluences",)),
    "S4": (figure_s4, ("theory",)),
    "S5": (figure_s5, ("thermal",)),
    "S6": (figure_s6, ("thermal",)),
    "S7": (figure_s7, ("thermal",)),
    "S8": (figure_s8, ("images",)),
}
"""By number in the paper: what draws it, and what it needs."""
WANTED = {
    "spectra": "energy scans with the laser",
    "traces": "delay scans",
    "fluences": "fluence scans",
    "thermal": "temperature series",
    "theory": "computed spectra",
    "images": "images",
}


def write_figures(folder: Path, found: PaperResults) -> Iterator[str]:
    """Write all figures into a folder; yields a path, or why a figure is not drawn.

    Raises
    ------
    ExportError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, (draw, needs) in FIGURES.items():
        if lacking := [each for each in needs if not getattr(found, each)]:
            reasons = [found.missing.get(each, f"no {WANTED[each]}") for each in lacking]
            yield f"Figure {number} is not drawn: {'; '.join(reasons)}"
            continue
        try:
            edge, results = ONLY.get(number), results_of(found, needs)
            drawn = [each for each in results if edge in (None, each.start["edge"])]
            yield from _write(folder / f"figure_{number}", draw(found), drawn)
        except (ExportError, KeyError, ValueError) as error:
            yield f"Figure {number} is not drawn: {error}"
    yield from (f"Left out, {what}: {why}" for what, why in found.missing.items() if what not in WANTED)


def results_of(found: PaperResults, needs: tuple[str, ...]) -> list[Result]:
    """The results that a figure is made of."""
    of_theory = [] if found.theory is None else [found.theory.result]
    of_series = [result for edge in EDGES if edge in found.thermal for result in found.thermal[edge].results]
    of = {
        "spectra": found.spectra,
        "traces": found.traces,
        "fluences": found.fluences,
        "thermal": of_series,
        "theory": of_theory,
        "images": of_series,
    }
    return [result for need in needs for result in of[need]]


def _write(stem: Path, figure: Figure, results: list[Result]) -> Iterator[str]:
    FigureCanvasAgg(figure)
    if not figure.get_suptitle():
        figure.suptitle(" ", fontsize=7)  # space for the mark of simulated data
    wide = int(CHARACTERS * figure.get_figwidth())
    origin = textwrap.fill("; ".join(origin_of(results, "").splitlines()), wide)
    below = figure.get_supxlabel()
    text = f"{below}\n{origin}" if below else origin
    figure.supxlabel(text, fontsize=6 if below else 5, color="0.35", x=0.01, ha="left", parse_math=False)
    if not any(each.get_text() == SIMULATED for each in figure.texts):
        mark_simulated(figure, results[0].start)
    for suffix in SUFFIXES:
        path = stem.with_suffix(suffix)
        with written_whole(path) as draft:
            save_figure(figure, draft, results)
        yield str(path)
