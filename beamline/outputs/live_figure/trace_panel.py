"""Left side of the live figure for delay and fluence scans: rates, differences of the slots, and a running fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from beamline.formatting import format_delay
from beamline.outputs.figure import COLOURS
from beamline.outputs.live_figure.artists import AutoLimits, ErrorBars, set_text
from beamline.outputs.live_figure.detectors import DetectorLines
from beamline.outputs.live_figure.fit import RunningFit
from beamline.outputs.live_figure.layers import STILL
from beamline.outputs.live_figure.panels import HEAD, legend_above
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.shown import TraceFit, sums_so_far
from reduction.counting.kernels import OFF, ON
from reduction.documents.raw import DELAY_AXIS

FAINT = 0.3
FOOT = 0.28
"""Fraction of the range of slot 0 left free for the text of the fit."""
LINEAR_UP_TO = 500.0
"""ps; the delay axis is linear up to here and logarithmic beyond."""
TICKS = (-1e3, -300.0, 0.0, 300.0, 1e3, 1e4, 1e5)
LABELS = {"laser_delay": "pump-probe delay of slot 0 / ps", "laser_fluence": "laser fluence / (mJ/cm$^2$)"}


class TracePanel:
    """Rates of slot 0, and the difference on - off of each slot relative to off, with a fit through slot 0.

    Parameters
    ----------
    static : Axes
        Axes of the rates.
    rows : list of Axes
        One per slot that is shown.
    axis : str
        Data key of the scanned axis.
    slots : list of int
        Slot of each row.
    """

    def __init__(self, static: Axes, rows: list[Axes], axis: str, slots: list[int]) -> None:
        self._axis, self._slots = axis, slots
        static.grid(alpha=0.25)
        static.tick_params(labelbottom=False)
        if axis == DELAY_AXIS:
            low, high = static.get_xlim()
            static.set_xscale("symlog", linthresh=LINEAR_UP_TO)
            set_delay_ticks(static)
            static.set_xlim(max(low, -TICKS[-1]), 1.15 * high)
        self._rates = {
            OFF: ErrorBars(static, COLOURS[0], joined=True, size=3, label="laser off, slot 0"),
            ON: ErrorBars(static, COLOURS[5], size=3, label="laser on, slot 0"),
        }
        legend_above(static)
        static.set_ylabel("rate / highest\nlaser-off rate", fontsize=10)
        self._complete: list[ErrorBars] = []
        self._now: list[ErrorBars] = []
        box: dict[str, Any] = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5}
        style: dict[str, Any] = {
            "va": "top",
            "ha": "right",
            "fontsize": 12,
            "weight": "bold",
            "bbox": box,
            "zorder": STILL,
        }
        self._names = [axes.text(0.985, 0.94, "", transform=axes.transAxes, **style) for axes in rows]
        for slot, axes in enumerate(rows):
            colour = COLOURS[1 + slot % (len(COLOURS) - 1)]
            axes.axhline(0, color="0.5", lw=0.9, zorder=1)
            axes.grid(alpha=0.25)
            axes.tick_params(labelbottom=slot == len(rows) - 1)
            axes.locator_params(axis="y", nbins=4)
            self._complete.append(ErrorBars(axes, colour, size=3.5))
            self._now.append(ErrorBars(axes, colour, size=3.5, hollow=True))
        (self._fit,) = rows[0].plot([], [], "-", color="0.25", lw=1.2, zorder=4, animated=True)
        self._band = rows[0].fill_between([], [], [], color="0.25", alpha=0.2, lw=0, zorder=2.55, animated=True)
        right = axis == DELAY_AXIS  # away from the curve
        where: dict[str, Any] = {"x": 0.985 if right else 0.015, "ha": "right" if right else "left"}
        self._fit_text = rows[0].text(
            y=0.06, s="", transform=rows[0].transAxes, fontsize=10, bbox=box, zorder=5, animated=True, **where
        )
        rows[-1].set_xlabel(LABELS[axis], fontsize=11)
        rows[len(rows) // 2].set_ylabel("(laser on - off) / off / %", fontsize=11)
        for axes in (static, *rows):
            axes.yaxis.set_label_coords(-0.078, 0.5)
        self._limits = [AutoLimits([static]), AutoLimits(rows[:1], holds=0.0, head=HEAD, foot=FOOT)]
        self._limits += [AutoLimits(rows[1:], holds=0.0, head=HEAD)] if rows[1:] else []
        self._trace_fit = TraceFit()
        self._each = DetectorLines(rows)

    def release(self) -> None:
        """Reset axis limits chosen by the user."""
        for limits in self._limits:
            limits.release()

    def update(self, scan: LiveScan) -> None:
        """Draw the current state."""
        for slot, name in zip(self._slots, self._names, strict=True):
            set_text(name, _slot_name(scan, slot))
        trace = scan.trace
        for slot, bars in zip(self._slots, self._complete, strict=True):
            if trace is None or np.isnan(trace["transient"][slot]).all():
                bars.clear()
            else:
                bars.set(scan.energy, 100 * trace["transient"][slot], 100 * trace["transient_stddev"][slot])
            bars.fade(1.0 if scan.complete else FAINT)
        self._show_now(scan)
        self._each.update(scan.energy, scan.each, scan.complete, True)
        groups = [list(self._rates.values()), self._complete[:1] + self._now[:1], self._complete[1:] + self._now[1:]]
        for limits, members in zip(self._limits, groups, strict=False):
            limits.follow(members)

    def _show_now(self, scan: LiveScan) -> None:
        found = sums_so_far(scan)
        if found is None:
            for bars in (*self._rates.values(), *self._now):
                bars.clear()
            return
        spectra, transient = found
        for laser, bars in self._rates.items():
            bars.set(scan.energy, spectra[laser][0][0], spectra[laser][1][0])
        for slot, bars in zip(self._slots, self._now, strict=True):
            if scan.complete:
                bars.clear()
            else:
                bars.set(scan.energy, 100 * transient[0][slot], 100 * transient[1][slot])
        if self._trace_fit.follow(scan):
            self._show_fit(self._trace_fit.fit)

    def _show_fit(self, fit: RunningFit | None) -> None:
        self._fit.set_data(*((fit.x, 100 * fit.y) if fit else ((), ())))
        if fit is None or fit.stddev is None:
            self._band.set_data([], [], [])
        else:
            self._band.set_data(fit.x, 100 * (fit.y - fit.stddev), 100 * (fit.y + fit.stddev))
        set_text(self._fit_text, self._trace_fit.text)


def set_delay_ticks(axes: Axes) -> None:
    """Set the ticks of a delay axis, linear around zero."""
    axes.set_xticks(TICKS, [f"{tick:.0f}" if abs(tick) < 1e3 else f"{tick:,.0f}" for tick in TICKS])


def _slot_name(scan: LiveScan, slot: int) -> str:
    """Number of a slot, and its delay relative to slot 0 or to the pump."""
    delay = float(scan.probe_delays[slot])
    if scan.axis == DELAY_AXIS:
        return "slot 0" if slot == 0 else f"slot {slot}   + {format_delay(delay)}"
    return f"slot {slot}   {format_delay(delay)}"
