"""The map of delay and energy: transient and its significance, and a cut through it at one energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from beamline.formatting import format_delay
from beamline.outputs.figure import COLOURS
from beamline.outputs.live_figure.artists import AutoLimits, ErrorBars, set_text
from beamline.outputs.live_figure.series import MapRow, ScansOfSample, map_scale
from reduction.documents.raw import ENERGY_AXIS

Array = NDArray[np.float64]
COLOUR_MAP = "PuOr_r"
"""Purple and orange, distinguishable with colour blindness; white is zero."""
SIGMAS = 6.0
"""Upper limit of the significance scale."""
MOST_NAMES = 17
"""Most rows that are labelled, two lines each."""
NO_MAP = "the map is of energy scans; the page 'scan' shows this one"


class MapBody:
    """One row per slot of each scan set, the shortest delay at the bottom; all rows have the same height.

    Parameters
    ----------
    figure : Figure
    content : ScansOfSample
    """

    def __init__(self, figure: Figure, content: ScansOfSample) -> None:
        rows = content.rows()
        self._maps: list[_Map] = []
        self._limits: AutoLimits | None = None
        self._named: list[str] = []
        if content.scan.axis != ENERGY_AXIS or not rows:
            text = NO_MAP if content.scan.axis != ENERGY_AXIS else "no point has laser on and off yet"
            figure.text(0.5, 0.45, text, fontsize=14, color="0.4", ha="center")
            return
        spaces = figure.add_gridspec(1, 3, left=0.13, right=0.985, top=0.775, bottom=0.125, wspace=0.1)
        value = figure.add_subplot(spaces[0])
        ratio = figure.add_subplot(spaces[1], sharex=value, sharey=value)
        self._maps = [
            _Map(figure, value, rows, AsinhNorm(linear_width=1.0), "laser on - off / %"),
            _Map(figure, ratio, rows, Normalize(-SIGMAS, SIGMAS), "standard deviations from zero"),
        ]
        ratio.tick_params(labelleft=False)
        step = -(-len(rows) // MOST_NAMES)
        value.set_yticks(range(0, len(rows), step))
        value.set_ylabel("delay of the probe after the pump", fontsize=11)
        value.yaxis.set_label_coords(-0.42, 0.5)
        self._names = value
        self._build_cut(figure.add_axes((0.752, 0.125, 0.233, 0.65)), rows)
        self._views = figure.text(0.01, 0.03, "", fontsize=8.5, color="0.25", va="bottom", parse_math=False)

    def _build_cut(self, axes: Axes, rows: list[MapRow]) -> None:
        self._cut_axes = axes
        axes.axhline(0, color="0.5", lw=0.9, zorder=1)
        axes.grid(alpha=0.25)
        axes.set_xscale("symlog", linthresh=100.0)
        last = max(row.delay for row in rows)
        first = min(row.delay for row in rows)
        axes.set_xlim(min(0.0, first - 50.0), 2 * max(last, 200.0))
        axes.set_xticks([t for t in (-100, 0, 100, 1e3, 1e4, 1e5, 1e6) if first - 50 <= t <= 2 * last])
        axes.set_xlabel("delay of the probe / ps", fontsize=11)
        axes.set_ylabel("laser on - off / %", fontsize=11)
        self._cut_title = axes.set_title("", fontsize=11.5, loc="left", weight="bold", pad=24)
        self._cut = {
            slot: ErrorBars(axes, COLOURS[1 + slot % (len(COLOURS) - 1)], size=5, label=f"{slot}" if slot else "slot 0")
            for slot in sorted({row.slot for row in rows})
        }
        axes.legend(loc="lower left", bbox_to_anchor=(-0.03, 0.99), ncols=len(self._cut), frameon=False, fontsize=10,
                    handletextpad=0.1, columnspacing=0.8)  # fmt: skip
        self._limits = AutoLimits([axes], holds=0.0)
        self._lines = [each.axes.axvline(rows[0].energy[0], color="0.2", lw=0.8, ls=":", zorder=2.6, animated=True)
                       for each in self._maps]  # fmt: skip

    def update(self, content: ScansOfSample) -> None:
        """Draw the current state."""
        rows = content.rows()
        if not self._maps or not rows:
            return
        self._maps[0].set([100 * row.value for row in rows])
        self._maps[1].set([row.value / row.stddev for row in rows])
        ticks = self._names.get_yticks()
        names = [_name(rows[int(tick)]) for tick in ticks]
        if names != self._named:
            self._named = names
            self._names.set_yticklabels(names, fontsize=9)
        self._maps[0].scale(*map_scale(rows))
        self._show_cut(rows, content)
        set_text(self._views, "\n".join(content.views()))

    def _show_cut(self, rows: list[MapRow], content: ScansOfSample) -> None:
        energy = _energy(rows, content.at)
        for line in self._lines:
            line.set_xdata([energy, energy])
        for slot, bars in self._cut.items():
            mine = [(row, int(np.argmin(np.abs(row.energy - energy)))) for row in rows if row.slot == slot]
            bars.set(
                np.array([row.delay for row, _ in mine]),
                np.array([100 * row.value[point] for row, point in mine]),
                np.array([100 * row.stddev[point] for row, point in mine]),
            )
        set_text(self._cut_title, f"at {energy:.4f} keV")
        assert self._limits is not None  # created with the cut
        self._limits.follow(list(self._cut.values()))

    def release(self) -> None:
        """Reset axis limits chosen by the user."""
        if self._limits is not None:
            self._limits.release()


class _Map:
    """One map: a mesh per row, since scans may have different grids, and a colour bar."""

    def __init__(self, figure: Figure, axes: Axes, rows: list[MapRow], norm: Any, label: str) -> None:
        self.axes = axes
        self._scaled: tuple[float, float] | None = None
        self._meshes: list[QuadMesh] = [
            axes.pcolormesh(
                cell_boundaries(row.energy), (number - 0.46, number + 0.46), nothing(row), cmap=COLOUR_MAP, norm=norm
            )
            for number, row in enumerate(rows)
        ]
        axes.set_facecolor("0.88")
        axes.set_ylim(-0.5, len(rows) - 0.5)
        axes.set_xlabel("X-ray energy / keV", fontsize=11)
        axes.locator_params(axis="x", nbins=4)
        box = axes.get_position()
        bar = figure.add_axes((box.x0, box.y1 + 0.012, box.width, 0.014))
        colours = figure.colorbar(self._meshes[0], cax=bar, orientation="horizontal", ticklocation="top", extend="both")
        colours.set_label(label, fontsize=10)
        self._bar = colours

    def set(self, values: list[Array]) -> None:
        """Set the values of each row."""
        for mesh, value in zip(self._meshes, values, strict=True):
            before: Any = mesh.get_array()
            if not np.array_equal(np.ma.getdata(before).ravel(), value, equal_nan=True):
                mesh.set_array(value[None, :])

    def scale(self, linear: float, highest: float) -> None:
        """Set the colour scale: linear up to about `linear`, up to `highest`."""
        wanted = (_round_up(linear), _round_up(highest))
        if wanted == self._scaled:
            return
        self._scaled = wanted
        norm = AsinhNorm(linear_width=wanted[0], vmin=-wanted[1], vmax=wanted[1])
        for mesh in self._meshes:
            mesh.set_norm(norm)
        half = _round_up(wanted[1] / 8)
        ticks = [-wanted[1], -half, 0.0, half, wanted[1]]
        self._bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])


def nothing(row: MapRow) -> Array:
    """Colours of a row without values."""
    return np.full((1, row.energy.size), np.nan)


def cell_boundaries(grid: Array) -> Array:
    """Boundaries of the cells around the points of an ascending grid, shape (E + 1,)."""
    if grid.size == 1:
        return np.array([grid[0] - 5e-4, grid[0] + 5e-4])
    middle = 0.5 * (grid[1:] + grid[:-1])
    return np.concatenate([[2 * grid[0] - middle[0]], middle, [2 * grid[-1] - middle[-1]]])


def _energy(rows: list[MapRow], at: float | None) -> float:
    """Energy of the cut: nearest to the requested one, or the most significant at the earliest delay."""
    grid = rows[0].energy
    if at is not None:
        return float(grid[np.argmin(np.abs(grid - at))])
    height = np.abs(rows[0].value / rows[0].stddev)
    return float(grid[int(np.nanargmax(height))]) if np.isfinite(height).any() else float(grid[0])


def _name(row: MapRow) -> str:
    passes = "provisional" if row.provisional else f"{row.passes} pass{'es' if row.passes != 1 else ''}"
    return f"{format_delay(row.delay)}\nslot {row.slot}, {passes}"


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= 0.999 * value))
