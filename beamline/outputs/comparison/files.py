"""A comparison as a table and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import own_style, printable
from beamline.outputs.comparison.content import SideBySide, sentences
from beamline.outputs.export.about import about_all
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.names import file_in
from beamline.outputs.export.result import Result
from beamline.outputs.export.table_or_figure import SUFFIXES, write_columns, write_table_or_figure
from beamline.outputs.figure import COLOURS, mark_simulated, write_below
from reduction.spectra.overlay import SpectrumCurve


def write_comparison(path: Path, found: SideBySide) -> Path:
    """Write a comparison in the format of the file's suffix.

    Raises
    ------
    ExportError
        If the suffix is another, or the folder cannot be written.
    """
    results = [found.one, found.other]
    return write_table_or_figure(
        path, "a comparison is", lambda draft: _write_csv(draft, found), lambda: comparison_figure(found), results
    )


def require_comparable(formats: Sequence[str]) -> None:
    """Refuse formats that hold no comparison.

    Raises
    ------
    ExportError
    """
    if unfit := [each for each in formats if f".{each}" not in SUFFIXES]:
        raise ExportError(f"--with writes csv, png and pdf, not {', '.join(unfit)}: export those without it")


def path_beside(folder: Path, result: Result, other: Result, suffix: str) -> Path:
    """File of a comparison in the folder of an export."""
    parts = (str(result.start.get("sample", "")), result.start["uid"][:8], "with", other.start["uid"][:8])
    return file_in(folder, *parts, suffix=f".{suffix}")


def _write_csv(path: Path, found: SideBySide) -> None:
    spectra = found.spectra
    columns = {"energy_keV": spectra.one.energy}
    for name, curve in (("one", spectra.one), ("other", spectra.other), ("difference", spectra.difference)):
        columns |= {name: curve.value, f"{name}_stddev": curve.stddev()}
    names = zip(("one", "other"), found.names, strict=True)
    lines = [("comparison", line) for line in sentences(found)]
    write_columns(path, [*about_all([found.one, found.other]).items(), *names, *lines], columns)


@own_style()
def comparison_figure(found: SideBySide) -> Figure:
    """Both spectra on one scale, their difference with its errors, and both transients where there are two."""
    rows = 3 if found.transients else 2
    figure = Figure(figsize=(7, 3.2 + 2.0 * (rows - 1)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, 1, sharex=True, height_ratios=[2.0, *[1.2] * (rows - 1)])
    _draw_spectra(panels[0], found)
    _draw(panels[1], found.spectra.difference, COLOURS[0], "difference")
    panels[1].set_ylabel("difference")
    if found.transients:
        _draw_transients(panels[2], found)
    panels[-1].set_xlabel("X-ray energy / keV")
    write_below(figure, sentences(found))
    simulated = next((each for each in (found.one, found.other) if each.simulated), found.one)
    mark_simulated(figure, simulated.start)
    return figure


def _draw(axes: Axes, curve: SpectrumCurve, colour: str, label: str) -> None:
    axes.axhline(0, color="0.7", lw=0.8, zorder=0)
    axes.errorbar(
        curve.energy, curve.value, curve.stddev(), color=colour, fmt=".", ms=3, lw=0.8, label=printable(label)
    )


def _draw_spectra(axes: Axes, found: SideBySide) -> None:
    for curve, colour, name in zip(
        (found.spectra.one, found.spectra.other), (COLOURS[2], COLOURS[5]), found.names, strict=True
    ):
        axes.errorbar(
            curve.energy, curve.value, curve.stddev(), color=colour, lw=1, label=printable(name).replace("$", r"\\$")
        )
    axes.set_ylabel("absorption /\n" + ("edge step" if "edge step" in found.scale else "edge integral"))
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    """A legend above the panel, where it hides no point."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), frameon=False, fontsize=7, borderaxespad=0)


def _draw_transients(axes: Axes, found: SideBySide) -> None:
    """The first as it is, the other times the amplitude of its shape in the first."""
    factor = 1.0 if isinstance(found.shape, str) else found.shape.amplitude
    one, other = found.transients
    scaled = SpectrumCurve(other.energy, factor * other.value, factor**2 * other.covariance)
    _draw(axes, one, COLOURS[2], f"{found.names[0]}, slot {found.slots[0]}")
    _draw(axes, scaled, COLOURS[5], f"{found.names[1]}, slot {found.slots[1]}, times {factor:.3g}")
    axes.set_ylabel("on - off")
    _legend_above(axes)
