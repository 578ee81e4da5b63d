"""Preview of a plan: passes, points, moves, time, and a plot of the grid. Touches nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table

from beamline.formatting import own_style
from beamline.session.scans.allocated import allocated_beforehand, draw_allocation, sentence_of
from plans.compilation.compiled_scan import CompiledScan, ScanPass
from plans.compilation.edges import coarse
from plans.compilation.estimate import Duration, pass_durations, return_duration
from plans.compilation.positions import Position
from plans.protocols import MoveTimes
from reduction.allocation.allocate import Allocation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS = {"image": "", "mono_energy": "keV", "laser_delay": "ps", "laser_fluence": "mJ/cm2"}
RULER, LEAST_RULER = 100, 10
"""Largest and smallest width of the grid ruler, characters."""
COLUMNS = {"run": 3, "plan": 11, "condition": 8, "grid": 11, "points": 6, "moves": 7, "dwells": 6, "time / s": 8}
"""Of the table, with their smallest widths."""
WITH_LINES = 100
"""Characters of a line from which on the table has lines between its columns."""
WIDE = 180
"""Characters of a line where there is no terminal."""
SHOWN = 8
"""Points with the most time that are named."""


def print_preview(
    compiled_scan: CompiledScan, times: MoveTimes, clock_rate: float, console: Console, start: Position | None = None
) -> Duration:
    """Print a compiled scan: one line per pass, the grid as a ruler, the total time of a real beamline.

    Parameters
    ----------
    compiled_scan : CompiledScan
    times : MoveTimes
    clock_rate : float
        Beamline seconds per wall second; that of a simulation adds the wall time that it takes.
    console : Console
    start : Position, optional
        Present positions of the axes.

    Returns
    -------
    Duration
        Total of all passes, beamline seconds.
    """
    found = allocated_beforehand(compiled_scan, times, clock_rate)  # first, since it may refuse a target
    durations = pass_durations(compiled_scan, times, start=start)
    whole = sum(durations, return_duration(compiled_scan, times, 1.0, start))
    table = Table(title="preview", box=HEAVY_HEAD if console.width >= WITH_LINES else None)
    for header, least in COLUMNS.items():
        table.add_column(
            header, justify="left" if header in ("plan", "condition", "grid") else "right", min_width=least
        )
    for number, (one, duration) in enumerate(zip(compiled_scan.passes, durations, strict=True), start=1):
        table.add_row(str(number), *_row(one), f"{duration.total:.1f}")
    console.print(table)
    for line in [*edge_lines(compiled_scan), *rulers(compiled_scan, console.width)]:
        console.print(line, markup=False)
    for line in _of_monitors(compiled_scan, times):
        console.print(line, markup=False)
    for line in [] if found is None else [sentence_of(found), *allocation_lines(found, compiled_scan)]:
        console.print(line, markup=False)
    if found is not None and found.seconds > whole.total:
        console.print("That is more than this scan counts at most: give a larger longest, or more passes.")
    limit = "at most " if compiled_scan.stops_early else ""
    if compiled_scan.axes_to_restore:
        console.print(f"Afterwards the {' and '.join(compiled_scan.axes_to_restore)} returns to its previous value.")
    console.print(
        f"Time {limit}{whole.total:.0f} s of beamline time ({whole.total / 3600:.2f} h): dwells {whole.dwells:.0f} s,"
        f" axes {whole.axes:.0f} s, shutters {whole.shutters:.0f} s, messages {whole.messages:.0f} s;"
        f" {whole.dwells / whole.total:.1%} of it counts."
    )
    if clock_rate != 1:
        simulated = sum(
            pass_durations(compiled_scan, times, clock_rate, start),
            return_duration(compiled_scan, times, clock_rate, start),
        )
        console.print(f"The simulation at {clock_rate:g} times real time takes {simulated.total / clock_rate:.0f} s.")
    return whole


def preview_console() -> Console:
    """The terminal with its width, or a wide console."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDE)


def allocation_lines(found: Allocation, compiled_scan: CompiledScan) -> list[str]:
    """Cycles of the points of each grid, those with the most first, and the risk of a wrong model."""
    lines = []
    for (title, (_, grid)), cycles in zip(grids(compiled_scan).items(), found.cycles, strict=False):
        most = np.argsort(-cycles, kind="stable")[:SHOWN]
        each = ", ".join(f"{grid[index]:g}: {cycles[index]:.0f}" for index in sorted(most))
        lines.append(f"{title}: {cycles.sum():.0f} cycles in all, at least {cycles.min():.0f}; most at {each}")
    return [*lines, f"If the sample is another than expected: up to {found.worst:.2f} times the even grid."]


def edge_lines(compiled_scan: CompiledScan) -> list[str]:
    """Each edge in a line: E0, core-hole width, windows, and whether the energies are too coarse for it."""
    lines = []
    for one in compiled_scan.passes:
        start = one.start
        if (edge := start.get("absorption_edge")) is None:
            continue
        windows = (
            f"{key} {low:g} to {high:g} keV"
            for key in ("pre_edge", "integral")
            for low, high in [start["settings"][key]]
        )
        main = f", main feature {edge['main_feature']:g} keV" if "main_feature" in edge else ""
        width = f"core-hole width {edge['core_hole_width']:g} eV"
        lines.append(f"{start['edge']}: E0 {edge['e0']:g} keV, {width}, {', '.join(windows)}{main}")
        if start["scan_axis"] == "mono_energy":
            why = coarse(np.asarray(start["grid"]), edge["e0"], edge["core_hole_width"], start["settings"]["integral"])
            lines += [f"{start['edge']}: {why}."] if why else []
    return list(dict.fromkeys(lines))


def _row(one: ScanPass) -> list[str]:
    start = one.start
    condition = [_kind(one)]
    for key, unit in (
        ("probe_energy", "keV"),
        ("pump_delay", "ps"),
        ("pump_fluence", "mJ/cm2"),
        ("temperature", "degC"),
    ):
        if key in start:
            condition.append(f"{start[key]:g} {unit}")
    axis, grid = start["scan_axis"], start.get("grid")
    if one.images:
        grid = None
    ends = f"{axis} {grid[0]:g} to {grid[-1]:g} {UNITS[axis]}, {start['order']}" if grid else "-"
    moves = Counter(move.axis for _, moves in one.moves() for move in moves)
    moved = ", ".join(f"{count} {axis}" for axis, count in sorted(moves.items())) or "none"
    return [start["plan_name"], ", ".join(condition), ends, str(len(one.points)), moved, str(one.dwells())]


def _kind(one: ScanPass) -> str:
    if one.images:
        return "image"
    return str(one.start["edge"]) if "edge" in one.start else "X-ray shutter shut"


def _of_monitors(compiled_scan: CompiledScan, times: MoveTimes) -> list[str]:
    """Where and how often passes return to monitor energies, and their share of the counting and of all time."""
    one = next((each for each in compiled_scan.passes if each.monitor_settings is not None), None)
    if one is None or one.monitor_settings is None:
        return []
    energies = one.start["monitor_energies"]
    visits = len(one.positions) - len(one.points)
    seconds = one.monitor_dwells * one.monitor_settings.dwell
    whole, without = (
        sum(each.total for each in pass_durations(CompiledScan("", (chosen,)), times))
        for chosen in (one, replace(one, positions=one.points))
    )
    share = seconds / (seconds + len(one.points) * one.dwell_settings.cycle * one.dwell_settings.cycles)
    return [
        f"Monitor energies {' and '.join(f'{energy:g}' for energy in energies)} keV: {visits} visits a pass,"
        f" {one.monitor_dwells} dwells of {one.monitor_settings.dwell:g} s with the laser off,"
        f" {100 * share:.1f} % of the counting time, with moves {100 * (1 - without / whole):.1f} % of the pass."
    ]


def grids(compiled_scan: CompiledScan) -> dict[str, tuple[str, list[float]]]:
    """Each distinct grid of a compiled scan: title, scanned axis, values."""
    found: dict[str, tuple[str, list[float]]] = {}
    for one in compiled_scan.passes:
        if one.start.get("grid") and not one.images:
            title = f"{one.start['edge']}, {one.start['scan_axis']} / {UNITS[one.start['scan_axis']]}"
            found.setdefault(title, (one.start["scan_axis"], one.start["grid"]))
    return found


def rulers(compiled_scan: CompiledScan, width: int) -> list[str]:
    """Each grid as one line of at most `width` characters that shows the density of points over its range."""
    lines = []
    for title, (axis, grid) in grids(compiled_scan).items():
        before, after = f"{title}, {len(grid)} points: {grid[0]:g} [", f"] {grid[-1]:g}"
        bins = max(LEAST_RULER, min(RULER, width - len(before) - len(after)))
        counts = np.histogram(_scaled(np.asarray(grid), axis), bins=bins, range=(0.0, 1.0))[0]
        marks = "".join(" " if not count else "|" if count == 1 else "#" for count in counts)
        lines += [f"{before}{marks}{after}"]
    return lines


def _scaled(grid: np.ndarray, axis: str) -> np.ndarray:
    """Scale values to 0 to 1; delays by the inverse hyperbolic sine, linear around t0 and logarithmic far from it."""
    values = np.arcsinh(grid / 200.0) if axis == "laser_delay" else grid
    return np.asarray((values - values[0]) / (values[-1] - values[0]))


@own_style()
def preview_figure(compiled_scan: CompiledScan, label: str) -> Figure:
    """Figure of the grids, and of the visit order of the first pass over each.

    Parameters
    ----------
    compiled_scan : CompiledScan
    label : str
        Name of the beamline, or SIMULATED.
    """
    from matplotlib.figure import Figure  # imported here, so that sessions start faster

    drawn = grids(compiled_scan)
    figure = Figure(figsize=(8, 2.2 * max(len(drawn), 1)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(max(len(drawn), 1), 1))
    first = {title: one for one in reversed(compiled_scan.passes) for title in _titles(one)}
    for panel, (title, (axis, grid)) in zip(axes, drawn.items(), strict=False):
        visits = np.asarray(first[title].start["visit_order"])
        panel.plot(np.asarray(grid)[visits], np.arange(visits.size), ".-", lw=0.5, ms=4)
        between = [each.monitor for each in first[title].positions]
        monitors = [each.energy for each in first[title].positions if each.monitor]
        panel.plot(monitors, np.cumsum(np.logical_not(between))[between] - 0.5, "x", ms=4)
        if axis == "laser_delay":
            panel.set_xscale("symlog", linthresh=500.0)
        panel.set_xlabel(title)
        panel.set_ylabel("visit")
    figure.suptitle(f"{label}: {len(compiled_scan.passes)} runs, nothing measured yet", fontsize="medium")
    return figure


@own_style()
def save_preview(compiled_scan: CompiledScan, label: str, png: Path) -> None:
    """Draw the grid into a file."""
    preview_figure(compiled_scan, label).savefig(png, dpi=150)


def _titles(one: ScanPass) -> list[str]:
    return list(grids(CompiledScan("", (one,))))


def preview(
    plan: Callable[..., Any],
    *args: Any,
    times: MoveTimes,
    clock_rate: float,
    label: str,
    png: str | Path | None = None,
    start: Position | None = None,
    **kwargs: Any,
) -> Duration:
    """Print the preview of a bound plan with these arguments, and draw its grid, or with quantities the time of each
    point and the expected transient.

    Returns
    -------
    Duration
        Beamline seconds.
    """
    compiled_scan = plan.compile(*args, **kwargs)  # type: ignore[attr-defined]
    whole = print_preview(compiled_scan, times, clock_rate, preview_console(), start)
    if png is not None:
        found = allocated_beforehand(compiled_scan, times, clock_rate)
        if found is None:
            save_preview(compiled_scan, label, Path(png))
        else:
            draw_allocation(compiled_scan, found, label, Path(png))
    return whole
