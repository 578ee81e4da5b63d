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
from reduction.diffraction.pattern import PowderPattern, q_of_the_si


def write_patterns(path: Path, images: Sequence[Image], windows: PowderPattern | None = None) -> Path:
    """Write patterns as .csv, .png or .pdf, the latter with that of the windows.

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
            save(pattern_figure(images, windows), draft)
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
def pattern_figure(
    images: Sequence[Image], windows: PowderPattern | None = None, named_beside: tuple[float, float] | None = None
) -> Figure:
    """All patterns above each other, offset by a fifth of the largest one; dashed: the windows of the cell alone.

    With a range (1/angstrom) only that is shown, and the names stand beside the curves.
    """
    figure = Figure(figsize=(7, 4 + 0.5 * len(images)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    low, high = named_beside or (images[0].pattern.q[0], images[0].pattern.q[-1])
    step = 0.2 * max(float(image.pattern.value.max()) for image in images)
    curves = [(image.name, image.pattern, number * step) for number, image in enumerate(images)]
    for number, (name, pattern, above) in enumerate(curves):
        colour = colormaps["plasma"](0.9 * number / max(1, len(images) - 1))
        shown = (pattern.q >= low) & (pattern.q <= high)
        axes.plot(pattern.q[shown], pattern.value[shown] + above, color=colour, lw=1, label=printable(name))
        if named_beside is not None:
            axes.annotate(
                printable(name), (1.01, pattern.value[shown][-1] + above), xycoords=("axes fraction", "data"),
                color=colour, fontsize=7, va="center",
            )  # fmt: skip
    if windows is not None:
        shown = (windows.q >= low) & (windows.q <= high)
        lowest = windows.value[shown].min()
        axes.plot(windows.q[shown], windows.value[shown] - lowest, color="0.5", lw=1, ls="--", label="windows alone")
    axes.set_xlabel("scattering vector / (1/angstrom)")
    axes.set_ylabel("counts a pixel (offset)")
    axes.set_xlim(low, high)
    axes.margins(y=0.07)
    handles, labels = axes.get_legend_handles_labels()
    kept = slice(len(curves), None) if named_beside is not None else slice(None)
    if labels[kept]:
        axes.legend(
            handles[kept],
            labels[kept],
            loc="lower right" if named_beside else "upper right",
            frameon=False,
            fontsize=7,
            reverse=True,
        )
    write_below(figure, sentences(images))
    return figure
