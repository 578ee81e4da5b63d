"""The ledger page: state of every point of every pass, and below it the reasons for exclusions."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from beamline.formatting import printable
from beamline.outputs.figure import COLOURS
from beamline.outputs.live_figure.artists import set_text
from beamline.outputs.live_figure.exclusion_content import (
    BAD,
    LEFT_OUT,
    PARTIAL,
    STATES,
    ExclusionContent,
    PassExclusions,
    Reason,
)
from reduction.documents.raw import AXES

BLACK, ORANGE, BLUE, GREEN, PINK, RED, SKY = COLOURS
STATE_COLOURS = ("0.92", GREEN, SKY, ORANGE, RED, BLACK, PINK)
"""Colours by `STATES`."""
MARKED = {PARTIAL: "_", BAD: "x", LEFT_OUT: "+"}
"""Markers of states, so that they can be distinguished without colour."""
MOST_NAMES = 16
"""Most passes labelled individually."""
LINES = 13
"""Most lines of reasons."""
WIDTH = 118
"""Characters per line of reasons."""
MOST_POINTS_NAMED = 6
TOP = 0.8


class ExclusionBody:
    """One row per pass, one column per point.

    Parameters
    ----------
    figure : Figure
    content : Book
    """

    def __init__(self, figure: Figure, content: ExclusionContent) -> None:
        passes, size = content.num_passes, content.scan.energy.size
        height = min(0.3, 0.045 * max(passes, 2))
        below = TOP - height
        axes = figure.add_axes((0.2, below, 0.785, height))
        self._axes = axes
        self._named: list[str] = []
        self._mesh = axes.pcolormesh(
            np.arange(size + 1) - 0.5, np.arange(passes + 1) - 0.5, np.zeros((passes, size)),
            cmap=ListedColormap(list(STATE_COLOURS)), norm=BoundaryNorm(np.arange(len(STATES) + 1) - 0.5, len(STATES)),
            edgecolors="white", linewidth=0.4 if size * passes < 4000 else 0.0, zorder=2.6, animated=True,
        )  # fmt: skip
        axes.spines[:].set(zorder=2.8, animated=True)
        axes.invert_yaxis()
        style: dict[str, Any] = {"ls": "none", "color": "white", "ms": 6, "mew": 1.3, "zorder": 2.7, "animated": True}
        self._marks = {state: axes.plot([], [], marker=mark, **style)[0] for state, mark in MARKED.items()}
        self._tick_points(axes, content)
        step = -(-passes // MOST_NAMES)
        axes.set_yticks(range(0, passes, step))
        self._summary = axes.set_title("", fontsize=12, loc="left", weight="bold", pad=6, animated=True)
        handles = [Patch(fc=colour, ec="0.6", label=name) for colour, name in zip(STATE_COLOURS, STATES, strict=True)]
        figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.195, below - 0.06), ncols=4, frameon=False,
                      fontsize=10)  # fmt: skip
        figure.text(0.075, below - 0.15, "exclusions and their reasons", fontsize=12, weight="bold", va="top")
        text: dict[str, Any] = {"fontsize": 10, "family": "monospace", "linespacing": 1.35, "parse_math": False}
        self._reasons = figure.text(0.075, below - 0.185, "", va="top", **text)

    def _tick_points(self, axes: Axes, content: ExclusionContent) -> None:
        grid = content.scan.energy
        ticks = np.unique(np.linspace(0, grid.size - 1, min(grid.size, 9)).round().astype(int))
        axes.set_xticks(ticks, [f"{grid[tick]:.7g}" for tick in ticks])
        name, unit = AXES[content.scan.axis]
        axes.set_xlabel(f"{name.replace('laser_', 'laser ')} of the point / {unit}", fontsize=11)

    def update(self, content: ExclusionContent) -> None:
        """Draw the current state."""
        states = content.states()
        self._mesh.set_array(states)
        for state, line in self._marks.items():
            row, point = np.nonzero(states == state)
            line.set_data(point, row)
        passes = list(content.passes.values())
        ticks = self._axes.get_yticks()
        names = [_pass_name(passes, int(tick)) for tick in ticks]
        if names != self._named:
            self._named = names
            self._axes.set_yticklabels(names, fontsize=10)
        good, taken = content.counts()
        percent = f" ({100 * good / taken:.1f} %)" if taken else ""
        set_text(self._summary, f"{good} of {taken} dwells are good{percent}")
        set_text(self._reasons, "\n".join(lines_of(content.reasons())))

    def release(self) -> None:
        """No limits to reset."""


def _pass_name(passes: list[PassExclusions], row: int) -> str:
    if row >= len(passes):
        return f"pass {row + 1}, planned"
    one_pass = passes[row]
    if one_pass.status == "running":  # its numbers would change with each dwell
        return f"pass {one_pass.number}, running"
    name = f"pass {one_pass.number}, {int(one_pass.good.sum())} of {int(one_pass.taken.sum())}"
    return name if one_pass.status == "success" else f"{name}, {printable(one_pass.status)}"


def lines_of(reasons: list[Reason]) -> list[str]:
    """Reasons as table lines: reason, dwells, decided or automatic, note and points."""
    lines: list[str] = []
    for reason in reasons:
        how = "decided" if reason.decided else "seen"
        number = f"{reason.dwells} dwell{'s' if reason.dwells != 1 else ''}" if reason.dwells else ""
        head = f"{printable(reason.what):<12.12} {number:>11}  {how:<8} "
        text = f"{printable(reason.note)}  [{_where(reason)}]" if reason.note else _where(reason)
        lines += textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), max_lines=2,
                               placeholder=" ...")  # fmt: skip
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"... and {len(lines) - LINES + 1} more lines"]
    return lines or ["nothing"]


def _where(reason: Reason) -> str:
    parts = []
    for number, points in reason.points_by_pass.items():
        some = ", ".join(str(point) for point in points[:MOST_POINTS_NAMED]) + (
            " ..." if len(points) > MOST_POINTS_NAMED else ""
        )
        parts.append(f"pass {number}" if points == [-1] else f"pass {number} point{'s' * (len(points) > 1)} {some}")
    return "; ".join(parts[:MOST_POINTS_NAMED]) + (" ..." if len(parts) > MOST_POINTS_NAMED else "")
