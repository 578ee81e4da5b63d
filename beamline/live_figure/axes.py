"""The picture of the live figure: its layout and its header."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from beamline.figure import mark_simulated
from beamline.live_figure.artists import set_text
from beamline.live_figure.panels import RatesPanel, SpectraPanel
from beamline.live_figure.scan import LiveScan
from beamline.live_figure.trace_panel import LABELS, TracePanel
from beamline.live_figure.words import headline, normalisation_state, progress_line, title
from reduction.documents import DELAY_AXIS, ENERGY_AXIS

MOST_SLOTS = 6
MOST_MARKS = 100
"""More passes than this are not marked in the progress bar."""
SIZE = (13.0, 8.6)
"""Inches."""


class LivePicture:
    """Draws a scan into a figure. Axes are made when the number of slots is known, and kept.

    Parameters
    ----------
    figure : Figure
        An empty one.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._scan_set: object = None
        self._spectra: SpectraPanel | TracePanel
        self._waiting = figure.text(0.5, 0.5, "waiting for a scan", fontsize=20, color="0.4", ha="center")

    def update(self, scan: LiveScan, now: float) -> None:
        """Show the present state of a scan; `now` in seconds since 1970."""
        if scan.start is None or not scan.num_slots:
            return
        this = (scan.start["scan_set"], scan.num_slots, scan.axis, scan.energy.tobytes())
        if this != self._scan_set:
            self._scan_set = this
            self._build(scan)
        self._header.update(scan, now)
        self._spectra.update(scan)
        self._rates.update(scan)

    def show_all(self) -> None:
        """Go back from limits that the user chose to those that show everything."""
        if self._scan_set is not None:
            self._spectra.release()
            self._rates.release()

    def _build(self, scan: LiveScan) -> None:
        self.figure.clear()
        slots = min(scan.num_slots, MOST_SLOTS)
        left = self.figure.add_gridspec(
            slots + 1, 1, left=0.065, right=0.665, top=0.835, bottom=0.065, hspace=0.1,
            height_ratios=[2.0, *([1.7, 1.3, *[0.9] * slots][:slots])],
        )  # fmt: skip
        right = self.figure.add_gridspec(2, 1, left=0.735, right=0.985, top=0.835, bottom=0.39, hspace=0.3)
        span = scan.energy[-1] - scan.energy[0] if scan.energy.size > 1 else 1e-3
        margin = 0.015 * span if scan.axis != DELAY_AXIS else 50.0
        limits = (float(scan.energy[0] - margin), float(scan.energy[-1] + margin))
        static = self.figure.add_subplot(left[0])
        rows = [self.figure.add_subplot(left[1 + slot], sharex=static) for slot in range(slots)]
        rates = [self.figure.add_subplot(right[row], sharex=static) for row in (0, 1)]
        text = self.figure.add_axes((0.7, 0.03, 0.285, 0.27))
        static.set_xlim(*limits)
        self._rates = RatesPanel(rates[0], rates[1], text, LABELS.get(scan.axis, "X-ray energy / keV"))
        energies = scan.axis == ENERGY_AXIS
        self._spectra = SpectraPanel(static, rows) if energies else TracePanel(static, rows, scan.axis)
        self._header = _Header(self.figure, static)
        mark_simulated(self.figure, scan.start or {})


class _Header:
    """What is measured, the state in a word, and how far it has come."""

    def __init__(self, figure: Figure, static: Axes) -> None:
        self._title = figure.text(0.065, 0.958, "", fontsize=17, weight="bold", va="center")
        box = {"boxstyle": "round,pad=0.45", "fc": "0.5", "ec": "none"}
        self._state = figure.text(
            0.985, 0.915, "", fontsize=14, weight="bold", color="white", ha="right", va="center", bbox=box
        )
        self._progress = figure.text(0.065, 0.915, "", fontsize=14, va="center")
        bar = figure.add_axes((0.065, 0.877, 0.92, 0.013))
        bar.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        self._bar = Rectangle((0, 0), 0, 1, color="0.5")
        bar.add_patch(self._bar)
        self._passes = bar.vlines([], 0, 1, color="0.3", lw=0.8)
        self._shown = 0
        self._norm = static.set_title("", fontsize=11.5, loc="left", weight="bold", pad=4)

    def update(self, scan: LiveScan, now: float) -> None:
        state, norm = headline(scan, now), normalisation_state(scan)
        set_text(self._title, title(scan))
        set_text(self._progress, progress_line(scan, now))
        set_text(self._state, state.text)
        box = self._state.get_bbox_patch()
        assert box is not None  # it was given one
        box.set_facecolor(state.colour)
        set_text(self._norm, norm.text)
        self._norm.set_color(norm.colour)
        self._bar.set_width(scan.progress.fraction)
        self._bar.set_color(state.colour)
        if self._shown != scan.progress.passes:
            self._shown = scan.progress.passes
            edges = range(1, self._shown) if self._shown <= MOST_MARKS else ()
            self._passes.set_segments([[(n / self._shown, 0), (n / self._shown, 1)] for n in edges])
