"""The drift page: readings of every dwell on the left, results of every pass on the right."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from beamline.formatting import format_delay
from beamline.outputs.figure import COLOURS
from beamline.outputs.live_figure.artists import AutoLimits, ErrorBars, set_text
from beamline.outputs.live_figure.drifts import MOST, Curve, of_dwells, of_passes, thinned
from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.hours import WANTED
from beamline.outputs.live_figure.layers import STILL
from beamline.outputs.live_figure.targets import outlook
from reduction.documents.raw import AXES, DELAY_AXIS, ENERGY_AXIS

BLACK, ORANGE, BLUE, GREEN, PINK, RED, SKY = COLOURS
OFF_ON = ("laser off", "laser on")
MOST_SLOTS = 5
DWELLS = {
    "i0": "I0 /\n(10$^3$ counts/s)",
    "ring": "ring current\n/ mA",
    "lock": "laser lock\nerror / ps",
    "rate": "rate / (10$^6$\nphotons/s)",
    "pile_up": "hits with 2+\nphotons / %",
}
"""Panels of the left side with their axis labels."""
ADVICE_WIDTH = 78
"""Letters in a line of the advice."""
ENDLESS = 1e4
"""Hours from which on their number says nothing."""
MOST_ROOM = 1.4
"""Times the axis of the dwells so far that is kept free for the rest of a pass: each change of it draws all anew."""
FINEST = 4 * MOST
"""Parts of the axis of the dwells, each a fraction of a pixel: fewer further dwells change nothing that is seen."""
AROUND_ZERO = ("lock", "level")


class DriftBody:
    """Readings of dwells with laser off and on; crosses mark bad dwells.

    Parameters
    ----------
    figure : Figure
    content : DwellLog
    """

    def __init__(self, figure: Figure, content: DwellLog) -> None:
        left = figure.add_gridspec(5, 1, left=0.09, right=0.49, top=0.815, bottom=0.085, hspace=0.14)
        right = figure.add_gridspec(4, 1, left=0.575, right=0.985, top=0.815, bottom=0.205, hspace=0.3,
                                    height_ratios=[1, 1, 1, 1.4])  # fmt: skip
        self._state: object = None
        self._size, self._positions = 0, np.empty(0)
        self._dwells: dict[str, _DwellPanel] = {}
        first: Axes | None = None
        for row, (name, label) in enumerate(DWELLS.items()):
            axes = figure.add_subplot(left[row], sharex=first)
            first = first or axes
            self._dwells[name] = _DwellPanel(axes, label, name in AROUND_ZERO)
            axes.tick_params(labelbottom=row == len(DWELLS) - 1)
        assert first is not None  # the panels exist
        first.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, frameon=False, fontsize=9.5,
                     handletextpad=0.2, columnspacing=1.2, borderaxespad=0.1)  # fmt: skip
        level = figure.add_subplot(right[0], sharex=first)
        level.set_title("laser off, rate / I0 over its mean; line: drift taken out", **TITLE)
        self._dwells["level"] = _DwellPanel(level, "deviation / %", True)
        (self._drift,) = level.plot([], [], "-", color=ORANGE, lw=1.4, zorder=5, animated=True)
        level.tick_params(labelbottom=False)
        self._x = AutoLimits([first], "x", foot=0.02)
        self._build_passes([figure.add_subplot(right[row], sharex=first) for row in (1, 2, 3)], content)
        self._labelled = [list(self._dwells.values())[4].axes, self._needed_axes]
        for each in self._labelled:
            each.set_xlabel("", fontsize=10)

    def _build_passes(self, axes: list[Axes], content: DwellLog) -> None:
        excess, residual, needed = axes
        for each in axes:
            each.grid(alpha=0.25)
            each.tick_params(labelbottom=each is needed)
        self._excess = ErrorBars(excess, BLUE, size=5, joined=True)
        excess.axhline(1, color="0.5", lw=0.9, zorder=1)
        excess.set_title("over-dispersion: scatter over counting (bars 95 %)", **TITLE)
        excess.set_ylabel("variance ratio", fontsize=10)
        self._residual = ErrorBars(residual, GREEN, size=5, joined=True)
        residual.axhline(0, color="0.5", lw=0.9, zorder=1)
        residual.set_title("reference residual: transient left in the last slot", **TITLE)
        residual.set_ylabel("% of\nfirst - last", fontsize=10)
        self._nothing = {
            each: each.text(
                0.5,
                0.5,
                "",
                transform=each.transAxes,
                ha="center",
                va="center",
                fontsize=10,
                color="0.4",
                bbox={"fc": "white", "ec": "none", "pad": 1},
                zorder=STILL,
            )
            for each in axes
        }
        self._needed_axes = needed
        needed.set_yscale("log")
        needed.set_ylabel("hours of dwelling", fontsize=10)
        self._needed_title = needed.set_title("", **TITLE)
        slots = min(content.scan.num_slots, MOST_SLOTS)
        self._needed = [
            ErrorBars(needed, COLOURS[1 + slot], size=4.5, joined=True, label=f"slot {slot}") for slot in range(slots)
        ]
        (self._spent,) = needed.plot([], [], "s--", color=BLACK, ms=4, lw=1.2, zorder=2.9, animated=True)
        self._lines = [
            needed.figure.text(
                0.575, 0.14 - 0.021 * row, "", fontsize=10, color=colour, va="top", weight="bold", animated=True
            )
            for row, colour in enumerate((BLACK, *COLOURS[1 : 1 + slots]))
        ]
        self._advice = needed.figure.text(0.505, 0.945, "", fontsize=9, va="top", animated=True)
        self._limits = [AutoLimits([excess], holds=1.0), AutoLimits([residual], holds=0.0)]

    def update(self, content: DwellLog) -> None:
        """Draw the current state."""
        state, size = (content.ended, content.over, content.bad), content.size
        if state != self._state or size - self._size >= size // FINEST:
            self._state, self._size = state, size
            self._show_dwells(of_dwells(content), content)
        point = content.chosen_point()
        passes = of_passes(content, self._positions, point)
        self._show_results(passes, content)
        self._show_needed(passes, point, content)

    def _show_dwells(self, dwells: dict[str, Any], content: DwellLog) -> None:
        for name, panel in self._dwells.items():
            panel.update(dwells[name], dwells["on"], dwells["good"] & (dwells["locked"] | (name != "lock")))
        drift = thinned(dwells["drift"])
        self._drift.set_data(drift.x, drift.y)
        for each in self._labelled:
            set_text(each.xaxis.label, dwells["label"])
        self._positions = x = dwells["x"]
        if x.size:
            planned = sum(each.planned for each in content.passes.values())
            room = float(np.clip(planned / x.size, 1.0, MOST_ROOM))
            self._x.enclose(float(x[0]), float(x[-1]) + 1e-3 * max(float(abs(x[-1])), 1.0), room)

    def _show_results(self, passes: dict[str, Any], content: DwellLog) -> None:
        energies = content.scan.axis == ENERGY_AXIS
        why = "no two whole passes yet" if energies else "energy scans only"
        for bars, name, limits in zip(
            (self._excess, self._residual), ("excess", "residual"), self._limits, strict=True
        ):
            show(bars, passes[name])
            axes = bars.axes
            missing = not np.isfinite(passes[name].y).any()
            text = why if name == "excess" else "no decay from slot to slot is seen" if energies else why
            set_text(self._nothing[axes], text if missing else "")
            limits.follow([bars])

    def _show_needed(self, passes: dict[str, Any], point: int | None, content: DwellLog) -> None:
        for bars, found in zip(self._needed, passes["needed"], strict=False):
            show(bars, found.only(np.isfinite(found.y)))
        self._spent.set_data(passes["x"], passes["spent"])
        if point is None or not passes["needed"]:
            set_text(self._needed_title, f"hours to {WANTED:g} standard deviations")
            set_text(self._nothing[self._needed_axes], "no point has laser on and off yet")
            return
        set_text(self._nothing[self._needed_axes], "")
        value, unit = content.scan.energy[point], AXES[content.scan.axis][1]
        set_text(self._needed_title, f"hours to {WANTED:g} standard deviations at {value:.7g} {unit}")
        self._scale_needed(passes)
        spent = float(passes["spent"][-1])
        first = float(value) if content.scan.axis == DELAY_AXIS else 0.0
        lines = [format_needed_time(each, spent, slot, first + float(content.scan.probe_delays[slot]))
                 for slot, each in enumerate(passes["needed"])]  # fmt: skip
        set_text(self._advice, "\n".join(textwrap.wrap(outlook(content).advice, ADVICE_WIDTH)))
        done = f"dwelled (squares): {format_hours(spent)}{of_targets(content)}"
        for artist, line in zip(self._lines, [done, *lines], strict=False):
            set_text(artist, line)

    def _scale_needed(self, passes: dict[str, Any]) -> None:
        """Limits in whole powers of ten around the hours spent and needed, within reason."""
        spent = float(passes["spent"][-1])
        ends = np.concatenate([[spent], *(np.concatenate([found.y, found.low]) for found in passes["needed"])])
        ends = ends[np.isfinite(ends) & (ends > 0)]
        low, high = float(ends.min()), min(float(ends.max()), 1e4 * spent)
        limits = 10.0 ** np.floor(np.log10(max(low, 1e-4 * spent))), 10.0 ** np.ceil(np.log10(high))
        if self._needed_axes.get_ylim() != limits:
            self._needed_axes.set_ylim(limits)

    def release(self) -> None:
        """Reset axis limits chosen by the user."""
        self._state = None
        for each in (self._x, *self._limits, *(panel.limits for panel in self._dwells.values())):
            each.release()


TITLE: dict[str, Any] = {"fontsize": 10.5, "loc": "left", "weight": "bold", "pad": 4}


class _DwellPanel:
    """A panel with one reading of all dwells."""

    def __init__(self, axes: Axes, label: str, zero: bool) -> None:
        self.axes = axes
        axes.grid(alpha=0.25)
        axes.set_ylabel(label, fontsize=10)
        axes.locator_params(axis="y", nbins=4)
        axes.yaxis.set_label_coords(-0.118, 0.5)
        colours = (BLACK, RED)
        self._bars = [
            ErrorBars(axes, colour, size=2.5, label=name) for colour, name in zip(colours, OFF_ON, strict=True)
        ]
        (self._bad,) = axes.plot([], [], "x", color=BLUE, ms=7, mew=1.6, label="bad dwell", zorder=4, animated=True)
        if zero:
            axes.axhline(0, color="0.5", lw=0.9, zorder=1)
        self.limits = AutoLimits([axes])

    def update(self, found: Curve, on: NDArray[np.bool_], good: NDArray[np.bool_]) -> None:
        """Show a reading: laser off, laser on, and bad dwells."""
        for bars, chosen in zip(self._bars, (~on, on), strict=True):
            show(bars, thinned(found, chosen))
        bad = ~good & np.isfinite(found.y)
        self._bad.set_data(found.x[bad], found.y[bad])
        self.limits.follow(self._bars)


def show(bars: ErrorBars, found: Curve) -> None:
    """Points of a curve with their error bars."""
    bars.between(found.x, found.y, found.low, found.high)


def format_needed_time(found: Curve, spent: float, slot: int, delay: float) -> str:
    """Format the additional hours that a slot needs, with their interval of one standard deviation."""
    total, low, high = float(found.y[-1]), float(found.low[-1]), float(found.high[-1])
    name = f"slot {slot}, {format_delay(delay)}:"
    if not np.isfinite(total):
        return f"{name} nothing seen yet"
    if total <= spent:
        return f"{name} reached"
    most = f"to {format_hours(high - spent)}" if high < ENDLESS else "or more"
    return f"{name} {format_hours(total - spent)} more ({format_hours(max(low - spent, 0.0))} {most})"


def of_targets(content: DwellLog) -> str:
    """What is left to the targets of a scan, after a semicolon; empty where it names no quantities."""
    hours = outlook(content).hours
    return "" if hours is None else f"; {format_hours(hours)} to the targets"


def format_hours(hours: float) -> str:
    """Format hours with two digits, or minutes."""
    if not 0 < hours < 10:
        return f"{hours:.0f} h" if hours else "0"
    return f"{hours:.2g} h" if hours >= 1 else f"{60 * hours:.2g} min"
