"""Draws a figure in two layers: what stands still is kept as an image, and what moves is drawn over it each time.

Artists that are animated, in matplotlib's sense, move. They lie above the others of their axes (see `STILL`), so that
the picture is the one that matplotlib draws at once.
"""

from __future__ import annotations

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STILL = 2.5
"""Highest zorder of what stands still inside axes: that of the spines. What moves has a higher one."""


class Layers:
    """The two layers of a figure.

    Parameters
    ----------
    figure : Figure
        With a canvas that draws by Agg.
    """

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._still: Any = None
        figure.canvas.mpl_connect("draw_event", self._complete)

    def draw(self) -> None:
        """Draw what moves, and the rest if any of it has changed."""
        canvas: Any = self._figure.canvas
        if self._still is None or self._figure.stale:
            canvas.draw()
        else:
            canvas.restore_region(self._still)
            self._draw_moving(canvas.get_renderer(), self._figure.axes)

    def _complete(self, event: Any) -> None:
        """Keep what has been drawn, and draw what moves; matplotlib itself draws moving parts of axes into a file."""
        saving = event.canvas.is_saving()
        if not saving:
            self._still = event.canvas.copy_from_bbox(self._figure.bbox)
        self._draw_moving(event.renderer, [] if saving else self._figure.axes)

    def _draw_moving(self, renderer: Any, axes: list[Axes]) -> None:
        for parent in (*axes, self._figure):
            for artist in sorted(filter(Artist.get_animated, parent.get_children()), key=Artist.get_zorder):
                artist.draw(renderer)
