"""Figures in the layout of the paper: its Figure 2 (spectra and time traces) and Figure S2 (fluence).

Colours are those of Okabe and Ito, distinguishable with colour blindness; markers differ too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import format_delay, own_style, printable
from beamline.outputs.export.about import about_all
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.paper_fluences import fluence_figure
from beamline.outputs.export.paper_labels import MOST_DRAWN, fit_label, spread_slots, title_of_edge, trace_label
from beamline.outputs.export.result import Result
from beamline.outputs.figure import COLOURS, mark_simulated
from reduction.documents.raw import DELAY_AXIS, FLUENCE_AXIS
from reduction.spectra.amplitudes import area
from reduction.traces.kinetics.fit import KineticFit

BLACK, ORANGE, BLUE, GREEN, PINK, RED, SKY = COLOURS
TRANSIENTS = (RED, ORANGE, "0.45", BLUE, GREEN, PINK)
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", ":")
TRACES = (ORANGE, SKY, GREEN, PINK)
DENSE = 60
"""Number of points above which markers are small."""
FACTOR = "factor beside a transient: 1 / its absolute area, so all are drawn with the same area"
MEASURED: dict[str, Any] = {"fmt": "o", "ms": 3, "lw": 0.8, "capsize": 1.5}


@own_style()
def paper_figure(
    results: Sequence[Result],
    fluence_used: float | None = None,
    slots: Sequence[int] | None = None,
    same_area: bool = False,
) -> Figure:
    """One figure of one or more results of the same kind.

    Energy scans: a column for each edge, static spectrum above, transients below. Delay scans: all traces in one panel.
    Fluence scans: the same against the fluence, with the initial slope of a line that may bend.

    Parameters
    ----------
    results : sequence of Result
    fluence_used : float, mJ/cm2, optional
        Fluence of the other measurements, marked by a dashed line in fluence figures.
    slots : sequence of int, optional
        Slots to draw of energy scans; default: all.
    same_area : bool
        Scale each transient to the same absolute area, as in the paper: noise then looks like signal.

    Raises
    ------
    ExportError
        If the results are not of one kind, or simulated and measured ones are mixed.
    """
    axes = {result.axis for result in results}
    if len(axes) > 1:
        raise ExportError(f"scans of {' and of '.join(sorted(axes))} do not go into one figure; export them one by one")
    if len({result.simulated for result in results}) > 1:
        raise ExportError("simulated and measured runs do not go into one figure")
    kind = axes.pop()
    if kind == FLUENCE_AXIS:
        figure = fluence_figure(results, fluence_used)
    elif kind == DELAY_AXIS:
        figure = _time_traces(results)
    else:
        figure = _spectra(results, slots, same_area)
    FigureCanvasAgg(figure)
    figure.suptitle(" ", fontsize=7)  # space for the mark of simulated data
    explained = FACTOR if same_area and kind not in (FLUENCE_AXIS, DELAY_AXIS) else ""
    most = max(len(result.slots()) for result in results)
    if slots is None and kind not in (FLUENCE_AXIS, DELAY_AXIS) and most > MOST_DRAWN:
        explained = "\n".join(filter(None, (explained, f"some of {most} slots are drawn; --slots chooses others")))
    figure.supxlabel(origin_of(results, explained), fontsize=6, color="0.35", x=0.01, ha="left", parse_math=False)
    mark_simulated(figure, results[0].start)
    return figure


@own_style()
def save_figure(figure: Figure, path: Path, results: Sequence[Result]) -> Path:
    """Write a figure in the format of its suffix, PNG at 300 dpi, with its provenance as metadata.

    PDF has few metadata entries: all header entries are its subject, as JSON.
    """
    header, creator = about_all(results), f"trxas {version('trxas')}"
    title = f"{header.get('sample', '')} {header.get('edge', '')} {header['kind']}"
    if path.suffix == ".pdf":
        metadata = {"Title": title, "Subject": json.dumps(header), "Creator": creator}
    else:
        metadata = {"Title": title, "Software": creator, **{f"trxas:{key}": value for key, value in header.items()}}
    figure.savefig(path, dpi=300, format=path.suffix.lstrip("."), metadata=metadata)
    return path


def origin_of(results: Sequence[Result], explained: str) -> str:
    """Margin note: meaning of bars and factors, runs and settings of a figure."""
    parts = []
    for result in results:
        passes = f"{len(result.raw)} pass{'es' if len(result.raw) > 1 else ''}"
        passes = f"{passes}, provisional" if result.provisional else passes
        parts.append(f"{result.start['uid'][:8]} of {passes}, settings {result.start.get('settings_hash', '')}")
    of = f"reduced run{'s' * (len(parts) > 1)} " + "\n".join(parts)
    return "\n".join(filter(None, (explained, f"bars: one standard deviation; {of}")))


def _spectra(results: Sequence[Result], slots: Sequence[int] | None, same_area: bool) -> Figure:
    edges = list(dict.fromkeys(str(result.start.get("edge", "")) for result in results))
    figure = Figure(figsize=(1.2 + 4.2 * len(edges), 6.5), layout="constrained")
    if slots is None and not any(result.slots() for result in results):
        return _static_alone(figure, results, edges)
    rows: Any = figure.subplots(2, len(edges), sharex="col", squeeze=False, height_ratios=[1.0, 1.7])
    delays = sorted({rounded_delay(result, slot) for result, slot in drawn_slots(results, slots)})
    for column, edge in enumerate(edges):
        mine = [result for result in results if str(result.start.get("edge", "")) == edge]
        above, below = rows[0, column], rows[1, column]
        draw_static(above, mine[0])
        above.set_title(f"({'abcdefgh'[column]})  {title_of_edge(edge)}", loc="left", parse_math=False)
        draw_transients(below, drawn_slots(mine, slots), delays, same_area)
        below.set_xlabel("X-ray energy / keV")
    rows[0, 0].set_ylabel("absorption / last point")
    rows[1, 0].set_ylabel(
        "(on - off) x factor / (1/eV), shifted" if same_area else "(on - off) / edge integral, shifted"
    )
    return figure


def _static_alone(figure: Figure, results: Sequence[Result], edges: Sequence[str]) -> Figure:
    """Spectra without laser, a column for each edge."""
    panels: Any = figure.subplots(1, len(edges), squeeze=False)
    for column, edge in enumerate(edges):
        axes = panels[0, column]
        for result in results:
            if str(result.start.get("edge", "")) == edge:
                draw_static(axes, result)
        axes.set_title(f"({'abcdefgh'[column]})  {title_of_edge(edge)}", loc="left", parse_math=False)
        axes.set_xlabel("X-ray energy / keV")
    panels[0, 0].set_ylabel("absorption / last point")
    return figure


def draw_static(axes: Axes, result: Result) -> None:
    """The laser-off spectrum over its last point."""
    rows = result.rows("static")
    energy, static, stddev = (np.asarray(result.data[key])[rows] for key in ("energy", "static", "static_stddev"))
    axes.errorbar(
        energy, static / static[-1], stddev / abs(static[-1]), color=BLACK, lw=1, capsize=1.5, label="laser off"
    )
    axes.legend(frameon=False, loc="lower right")


def drawn_slots(results: Sequence[Result], slots: Sequence[int] | None) -> list[tuple[Result, int]]:
    """Results with their selected slots, the shortest delay first."""
    found = [(result, slot) for result in results for slot in (spread_slots(result.slots()) if slots is None else slots)
             if slot in result.slots()]  # fmt: skip
    if not found:
        raise ExportError(
            f"no transient in slots {', '.join(map(str, slots or ()))}; the result has {results[0].slots()}"
        )
    return sorted(found, key=lambda each: each[0].slot_delays[each[1]])


def rounded_delay(result: Result, slot: int) -> float:
    return round(result.slot_delays[slot], 1)


def draw_transients(axes: Axes, drawn: Sequence[tuple[Result, int]], delays: Sequence[float], same_area: bool) -> None:
    """Transients in edge integrals, one below the other, a colour a delay.

    With `same_area` over their absolute areas (in edge integrals times eV); the factor stands beside each.
    """
    step, shift = 0.0, 0.0
    for number, (result, slot) in enumerate(drawn):
        energy, transient, stddev = (
            np.asarray(values, dtype=np.float64)
            for values in (result.data["energy"], result.data["transient"][slot], result.data["transient_stddev"][slot])
        )
        covariance = result.covariance(slot)
        factor = area(energy, transient, covariance).factor if same_area else 1.0
        there = np.isfinite(transient)
        scaled, bars = transient[there] * factor, stddev[there] * factor
        height = float((scaled + bars).max() - (scaled - bars).min())
        shift -= 0.5 * (step + height) if number else 0.0
        step = 1.1 * height
        style = delays.index(rounded_delay(result, slot))
        colour = TRANSIENTS[style % len(TRANSIENTS)]
        axes.axhline(shift, color="0.8", lw=0.7, zorder=0)
        axes.errorbar(
            energy[there], scaled + shift, bars, color=colour, fmt=MARKERS[style % len(MARKERS)] + "-",
            ms=2.5 if there.sum() < DENSE else 1.5, lw=0.7, capsize=1.5 if there.sum() < DENSE else 0,
        )  # fmt: skip
        label = _label(drawn, result, slot) + (f"\nx {f'{factor:#.3g}'.rstrip('.')} / eV" if same_area else "")
        axes.annotate(
            label, (1.0, shift), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
            ha="left", va="center", color=colour, fontsize=8,
        )  # fmt: skip  # beside the panel, where it covers no point
    axes.set_yticks([])


def _label(drawn: Sequence[tuple[Result, int]], result: Result, slot: int) -> str:
    """The delay, and where others have the same, which scan it is."""
    delay = rounded_delay(result, slot)
    same = [other for other, its in drawn if rounded_delay(other, its) == delay and other is not result]
    which = f"scan {result.start['scan_id']}" if "scan_id" in result.start else result.start["uid"][:8]
    return format_delay(delay) + (f"\n{printable(which)}" if same else "")


def _time_traces(results: Sequence[Result]) -> Figure:
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    draw_traces(figure.subplots(), results)
    return figure


def draw_traces(axes: Axes, results: Sequence[Result]) -> None:
    """Traces of delay scans over the maxima of their fits."""
    earliest, widest = 0.0, 0.0
    for number, result in enumerate(results):
        delay = np.asarray(result.data["laser_delay"], dtype=np.float64)
        value, stddev = (np.asarray(result.data[key])[0] for key in ("transient", "transient_stddev"))
        fit = kinetic_fit(result)
        fine = np.concatenate(
            [np.linspace(delay.min() - 100, 2000, 500), np.geomspace(2000, max(delay.max(), 2001.0), 200)]
        )
        curve = fit.curve(fine) if fit is not None else None
        top = float(np.nanmax(np.abs(curve))) if curve is not None else float(np.nanmax(np.abs(value)))
        sign = np.sign(np.nansum(value))
        label = trace_label(result)
        style = {**MEASURED, "color": TRACES[number % len(TRACES)], "label": label, "zorder": 2}
        axes.errorbar(delay, sign * value / top, stddev / top, **style)
        if curve is not None:
            axes.plot(
                fine, sign * curve / top, color=BLACK, lw=1, ls=LINES[number % 3], zorder=3, label=fit_label(result)
            )
        earliest = min(earliest, float(np.nanmin(delay)))
        widest = max(widest, float(np.nanmax(delay)))
    axes.axhline(0, color="0.8", lw=0.7, zorder=0)
    if widest > 3000:
        axes.set_xscale("symlog", linthresh=1000, linscale=2)
        ticks = [-500, 0, 500, *(10**n for n in range(3, 7) if 10**n <= 1.15 * widest)]
        axes.set_xticks(ticks, [f"{tick:g}" if abs(tick) < 1000 else f"{tick:,}" for tick in ticks])
    axes.set_xlim(earliest - min(100.0, 0.1 * (widest - earliest)), 1.2 * widest)
    axes.set(xlabel="pump-probe delay / ps", ylabel="transient / its maximum")
    axes.legend(frameon=False)


def kinetic_fit(result: Result) -> KineticFit | None:
    """The stored fit of a delay scan; None without."""
    if result.fit is None or not result.fit["fitted"]:
        return None
    values = {key: value for key, value in result.fit.items() if key != "fitted"}
    arrays: dict[str, Any] = {key: np.asarray(value) for key, value in values.items() if key not in ("notes", "levels")}
    return KineticFit(
        **{key: value if value.ndim else value.item() for key, value in arrays.items()},
        levels=tuple(np.asarray(values["levels"]).tolist()), notes=(str(values["notes"]),),
    )  # fmt: skip
