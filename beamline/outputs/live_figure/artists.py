"""Artists whose data can be replaced, so that a redraw creates no new artists."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

Array = NDArray[np.float64]
MARGIN = 0.08
SHRINK = 0.6
"""Limits are kept until the data span less than this fraction of them, so that a figure does not jump at each dwell."""


BARS: dict[str, Any] = {"fill": False, "lw": 0.9, "capstyle": "butt", "snap": True, "zorder": 2.6, "animated": True}


class ErrorBars:
    """Points with error bars.

    Parameters
    ----------
    axes : Axes
    colour : str
    hollow : bool
        Open markers, for provisional values.
    joined : bool
        Join the points by a thin line.
    """

    def __init__(
        self, axes: Axes, colour: str, *, size: float = 4.0, hollow: bool = False, joined: bool = False, label: str = ""
    ) -> None:
        self.axes = axes
        (self._markers,) = axes.plot(
            [], [], "o", ms=size, color=colour, mfc="white" if hollow else colour, mew=0.9, lw=0.7,
            ls="-" if joined else "none", label=label or None, zorder=3, animated=True,
        )  # fmt: skip
        self._bars = PathPatch(bars_path(*(np.empty(0),) * 3), **BARS, ec=colour)
        axes.add_patch(self._bars)
        self.ends = (np.empty(0), np.empty(0))
        self._drawn = np.empty((4, 0))

    def set(self, x: Array, y: Array, stddev: Array | None = None) -> None:
        """Show these points; non-finite values are omitted."""
        error = np.zeros_like(y) if stddev is None else np.nan_to_num(stddev, posinf=0.0)
        self.between(x, y, y - error, y + error)

    def between(self, x: Array, y: Array, low: Array, high: Array) -> None:
        """Show these points with bars from `low` to `high`; non-finite values are omitted."""
        drawn = np.stack([x, y, low, high])[:, np.isfinite(y)]
        if np.array_equal(drawn, self._drawn, equal_nan=True):
            return
        self._drawn = drawn
        x, y, low, high = drawn
        self.ends = (low, high)
        self._markers.set_data(x, y)
        self._bars.set_path(bars_path(x, low, high))

    def clear(self) -> None:
        """Clear the data."""
        self.set(np.empty(0), np.empty(0))

    def fade(self, alpha: float) -> None:
        """Set the opacity (1: opaque)."""
        self._markers.set_alpha(alpha)
        self._bars.set_alpha(alpha)


def bars_path(x: Array, low: Array, high: Array) -> Path:
    """All bars as one path, which is drawn at once: a collection takes as long for each of them."""
    ends = np.stack([x, low, x, high], axis=1).reshape(-1, 2)
    return Path(ends, np.tile((Path.MOVETO, Path.LINETO), x.size))


class AutoLimits:
    """Fits the limits of an axis to the data, unless the user has chosen others.

    Parameters
    ----------
    axes : list of Axes
        Axes with common limits.
    which : str
        ``x`` or ``y``.
    holds : float, optional
        A value that is always within the limits.
    head, foot : float
        Fraction of the range left free above and below, for text.
    """

    def __init__(
        self,
        axes: list[Axes],
        which: str = "y",
        *,
        holds: float | None = None,
        head: float = MARGIN,
        foot: float = MARGIN,
    ) -> None:
        self._axes, self._which = axes, which
        self._holds, self._head, self._foot = holds, head, foot
        self._mine: tuple[float, float] | None = None

    def follow(self, artists: list[ErrorBars]) -> None:
        """Fit the limits to the data of these artists."""
        wanted = data_range([artist.ends for artist in artists], self._holds)
        if wanted is not None:
            self.enclose(*wanted)

    def enclose(self, low: float, high: float, room: float = 1.0) -> None:
        """Fit the limits to `room` times this range, if it is not inside them already."""
        if self._mine is not None and (self._limits() != self._mine or _fits((low, high), self._mine)):
            return
        span = room * (high - low)
        for axes in self._axes:
            axes.set(**{f"{self._which}lim": (low - self._foot * span, low + (1 + self._head) * span)})
        self._mine = self._limits()

    def _limits(self) -> tuple[float, float]:
        return self._axes[0].get_xlim() if self._which == "x" else self._axes[0].get_ylim()

    def release(self) -> None:
        """Resume automatic limits."""
        self._mine = None


def _fits(wanted: tuple[float, float], present: tuple[float, float]) -> bool:
    inside = present[0] <= wanted[0] and wanted[1] <= present[1]
    return inside and wanted[1] - wanted[0] > SHRINK * (present[1] - present[0])


def data_range(ends: list[tuple[Array, Array]], holds: float | None) -> tuple[float, float] | None:
    """Lowest and highest end of error bars, with `holds` inside; None without data.

    Values with error bars above five times the median are ignored, so that one bad dwell does not hide the others.
    """
    bottom, top = (np.concatenate([np.asarray(pair[i]) for pair in ends] or [np.empty(0)]) for i in (0, 1))
    if not bottom.size:
        return None
    length = top - bottom
    trusted = length <= 5 * np.median(length) if np.median(length) > 0 else np.ones(bottom.size, np.bool_)
    low, high = float(bottom[trusted].min()), float(top[trusted].max())
    if holds is not None:
        low, high = min(low, holds), max(high, holds)
    if high - low < 1e-12 * max(abs(high), abs(low), 1e-12):
        low, high = low - 0.5 * max(abs(low), 1e-3), high + 0.5 * max(abs(high), 1e-3)
    return low, high


def set_text(text: Any, value: str, colour: str | None = None) -> None:
    """Set a text, and its colour, only if it has changed: what stands still around it is drawn again then."""
    if text.get_text() != value:
        text.set_text(value)
    if colour is not None and text.get_color() != colour:
        text.set_color(colour)
