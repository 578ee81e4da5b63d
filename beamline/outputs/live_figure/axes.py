"""The picture of a page: the common header, and below it the body of the page."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from beamline.outputs.figure import mark_simulated
from beamline.outputs.live_figure.artists import set_text
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.scan_body import ScanBody
from beamline.outputs.live_figure.texts import HeaderTexts

MOST_MARKS = 100
"""Most passes marked in the progress bar."""
SIZE = (13.0, 8.6)
"""Figure size, inches."""
DPI = 100
"""Pixels per inch of a figure that is not scaled, those of matplotlib."""
LEFT, WIDTH = 0.075, 0.91


class Body(Protocol):
    """The part of a page below its header."""

    def update(self, content: Any) -> None:
        """Draw the current state."""

    def release(self) -> None:
        """Reset axis limits chosen by the user."""


class LivePicture:
    """Draws a page into a figure. Axes are created once the scan is known, and reused.

    Parameters
    ----------
    figure : Figure
        An empty one.
    body : callable
        Creates the body of the page from the figure and its content.
    hint : str
        Text of the lower margin.
    waiting : str
        Text shown before the first scan.
    """

    def __init__(
        self,
        figure: Figure,
        body: Callable[[Figure, Any], Body] = ScanBody,
        hint: str = "",
        waiting: str = "waiting for a scan",
    ) -> None:
        self.figure = figure
        self._make, self._hint = body, hint
        self._layout: Hashable = None
        self._body: Body | None = None
        self._write_hint()
        figure.text(0.5, 0.5, waiting, fontsize=18, color="0.4", ha="center", wrap=True, parse_math=False)

    def update(self, content: PageContent, now: float) -> None:
        """Draw the current state at `now` (seconds since 1970)."""
        layout = content.layout()
        if layout is None:
            return
        if layout != self._layout or self._body is None:
            self._layout = layout
            self.figure.clear()
            self._write_hint()
            self._header = _Header(self.figure)
            self._body = self._make(self.figure, content)
            for mark in mark_simulated(self.figure, content.finding.start or content.scan.start or {}):
                mark.set_animated(True)  # it lies over what moves
        self._header.update(content.header(now))
        self._body.update(content)

    def show_all(self) -> None:
        """Reset axis limits chosen by the user, so that all data are visible."""
        if self._body is not None:
            self._body.release()

    def _write_hint(self) -> None:
        self.figure.text(LEFT, 0.006, self._hint, fontsize=9, color="0.35", va="bottom")


class _Header:
    """The header: title, state and progress."""

    def __init__(self, figure: Figure) -> None:
        self._title = figure.text(LEFT, 0.958, "", fontsize=17, weight="bold", va="center")
        box = {"boxstyle": "round,pad=0.45", "fc": "0.5", "ec": "none"}
        self._state = figure.text(
            LEFT + WIDTH, 0.915, "", fontsize=14, weight="bold", color="white", ha="right", va="center", bbox=box,
            animated=True,
        )  # fmt: skip
        self._progress = figure.text(LEFT, 0.915, "", fontsize=14, va="center", animated=True)
        bar = figure.add_axes((LEFT, 0.877, WIDTH, 0.013))
        bar.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        self._bar = Rectangle((0, 0), 0, 1, color="0.5", zorder=2.6, animated=True)
        bar.add_patch(self._bar)
        self._passes = bar.vlines([], 0, 1, color="0.3", lw=0.8, zorder=2.7, animated=True)
        bar.spines[:].set(zorder=2.8, animated=True)
        self._shown = 0

    def update(self, texts: HeaderTexts) -> None:
        state = texts.state
        set_text(self._title, texts.title)
        set_text(self._progress, texts.progress)
        set_text(self._state, state.text)
        box = self._state.get_bbox_patch()
        assert box is not None  # it has one by now
        box.set_facecolor(state.colour)
        self._bar.set_width(texts.fraction)
        self._bar.set_color(state.colour)
        if self._shown != texts.passes:
            self._shown = texts.passes
            boundaries = range(1, self._shown) if self._shown <= MOST_MARKS else ()
            self._passes.set_segments([[(n / self._shown, 0), (n / self._shown, 1)] for n in boundaries])
