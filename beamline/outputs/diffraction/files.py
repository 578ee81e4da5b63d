"""Patterns as a table and as a figure, in the layout of the paper's Figure S8."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import own_style, printable
from beamline.outputs.diffraction.content import Image, sentences
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.names import written_whole
from beamline.outputs.figure import save, write_below
from reduction.diffraction.pattern import q_of_the_si


def write_patterns(path: Path, images: Sequence[Image]) -> Path:
    """Write patterns as .csv, .png or .pdf.

    Raises
    ------
    ExportError
        If the suffix is another, or the folder cannot be written.
    """
    if path.suffix not in (".csv", ".png", ".pdf"):
        raise ExportError(f"patterns are written as .csv, .png or .pdf, not as {path.suffix or path.name!r}")
    with written_whole(path) as draft:
        if path.suffix == ".csv":
            _write_csv(draft, images)
        else:
            save(pattern_figure(images), draft)
    return path


def _write_csv(path: Path, images: Sequence[Image]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        for line in sentences(images):
            file.write(f"# {printable(line)}\n")
        writer = csv.writer(file)
        writer.writerow(("image", "q_per_angstrom", "q_of_si_per_angstrom", "intensity", "intensity_stddev"))
        for image in images:
            columns = (
                image.pattern.q,
                q_of_the_si(image.pattern.q, image.energy),
                image.pattern.value,
                image.pattern.stddev,
            )
            writer.writerows([image.name, *row] for row in zip(*(column.tolist() for column in columns), strict=True))


@own_style()
def pattern_figure(images: Sequence[Image]) -> Figure:
    """All patterns above each other, offset by a fifth of the largest one."""
    figure = Figure(figsize=(7, 4 + 0.5 * len(images)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    step = 0.2 * max(float(image.pattern.value.max()) for image in images)
    for number, image in enumerate(images):
        colour = colormaps["plasma"](0.9 * number / max(1, len(images) - 1))
        axes.plot(image.pattern.q, image.pattern.value + number * step, color=colour, lw=1, label=printable(image.name))
    axes.set_xlabel("scattering vector / (1/angstrom)")
    axes.set_ylabel("counts a pixel (offset)")
    axes.legend(loc="upper right", frameon=False, fontsize=7, reverse=True)
    write_below(figure, sentences(images))
    return figure
