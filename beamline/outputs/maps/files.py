"""A map's components and associated spectra as a CSV file and as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import format_delay, own_style
from beamline.outputs.export.table_or_figure import write_columns
from beamline.outputs.figure import COLOURS, mark_simulated
from beamline.outputs.maps.content import Views, component_sentence, sentences, shape_sentence


def write_csv(path: Path, views: Views, about: Mapping[str, Any]) -> Path:
    """Write spectra against energy, one row per energy; header lines begin with ``#``."""
    columns: dict[str, Any] = {"energy_keV": views.map.energy}
    for row, delay in enumerate(views.map.delay):
        columns[f"transient_{delay:g}ps"] = views.map.value[row]
        columns[f"transient_{delay:g}ps_stddev"] = views.map.stddev[row]
    for number, spectrum in enumerate(views.components.spectrum, 1):
        columns[f"component_{number}"] = spectrum
    if views.associated is not None:
        for kind in ("decay", "species"):
            for name, value, stddev in _associated(views, kind):
                columns[f"{kind}_{name}"], columns[f"{kind}_{name}_stddev"] = value, stddev
    write_columns(path, {**about, "result": "; ".join(sentences(views))}.items(), columns)
    return path


def _associated(views: Views, kind: str) -> list[tuple[str, Any, Any]]:
    """Name, spectrum and error of each associated spectrum."""
    assert views.associated is not None  # the caller asks only then
    names = [f"{tau:.4g}ps" if np.isfinite(tau) else "offset" for tau in views.associated.lifetimes]
    value, stddev = getattr(views.associated, kind), getattr(views.associated, f"{kind}_stddev")
    return [(name, each, error) for name, each, error in zip(names, value, stddev, strict=True)]


@own_style()
def map_figure(views: Views, start: Mapping[str, Any]) -> Figure:
    """Singular values and p-values, spectra of the components, both kinds of associated spectra.

    Parameters
    ----------
    views : Views
    start : mapping
        Start document of a reduced run of the map.
    """
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(2, 2)
    _values(panels[0, 0], views)
    _shapes(panels[0, 1], views)
    for axes, kind in ((panels[1, 0], "decay"), (panels[1, 1], "species")):
        axes.axhline(0, color="0.7", lw=0.8)
        axes.set(xlabel="X-ray energy / keV", ylabel="transient / %", title=f"{kind}-associated spectra")
        if views.associated is None:
            axes.text(0.5, 0.5, "\n".join(views.why_not), transform=axes.transAxes, ha="center", wrap=True, fontsize=8)
            continue
        for number, (name, value, stddev) in enumerate(_associated(views, kind)):
            axes.errorbar(views.map.energy, 100 * value, 100 * stddev, fmt=".-", ms=3, lw=0.8,
                          color=COLOURS[number % len(COLOURS)], label=name.replace("ps", " ps"))  # fmt: skip
        axes.legend(frameon=False)
    lines = [component_sentence(views.components), *([shape_sentence(views.shapes)] if views.shapes else [])]
    figure.suptitle("\n".join(lines), fontsize=8.5, x=0.01, ha="left", parse_math=False)
    mark_simulated(figure, start)
    return figure


def _values(axes: Axes, views: Views) -> None:
    """Singular values of the components in errors, and the p-value of noise alone beyond each number of them."""
    found = views.components
    axes.bar(np.arange(1, found.number + 1), found.singular_value, color=COLOURS[5])
    for number, p_value in enumerate(found.p_value):
        axes.text(
            number + 0.5, 0.97, f"p {p_value:.2g}", ha="center", va="top", fontsize=8,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    axes.set(xlabel="component; p-value of noise beyond", ylabel="singular value / error", title="components")
    axes.set_xticks(np.arange(1, found.number + 1))
    axes.set_xlim(0.2, found.number + 0.9)
    axes.margins(y=0.15)


def _shapes(axes: Axes, views: Views) -> None:
    """The compared transients, the late one on the scale of the early one."""
    axes.axhline(0, color="0.7", lw=0.8)
    axes.set(xlabel="X-ray energy / keV", ylabel="transient / %", title="late and early shape")
    if views.shapes is None:
        return
    for delay, scale, colour in ((views.shapes.early, 1.0, 1), (views.shapes.late, views.shapes.scale, 2)):
        row = int(np.argmin(np.abs(views.map.delay - delay)))
        value, stddev = 100 * views.map.value[row] / scale, 100 * views.map.stddev[row] / abs(scale)
        label = format_delay(round(delay, 1)) + ("" if scale == 1 else f", divided by {scale:.3g}")
        axes.errorbar(views.map.energy, value, stddev, fmt=".", ms=3, lw=0.8, color=COLOURS[colour], label=label)
    axes.legend(frameon=False)
