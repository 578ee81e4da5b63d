"""Artists whose data can be replaced, so that a redraw creates no new artists."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

Array = NDArray[np.float64]
MARGIN = 0.08
SHRINK = 0.6
"""Limits are kept until the data span less than this fraction of them, so that a figure does not jump at each dwell."""


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
            ls="-" if joined else "none", label=label or None, zorder=3,
        )  # fmt: skip
        self._bars = LineCollection([], colors=colour, linewidths=0.9, zorder=2)
        axes.add_collection(self._bars, autolim=False)
        self.ends = (np.empty(0), np.empty(0))

    def set(self, x: Array, y: Array, stddev: Array | None = None) -> None:
        """Show these points; non-finite values are omitted."""
        error = np.zeros_like(y) if stddev is None else np.nan_to_num(stddev, posinf=0.0)
        self.between(x, y, y - error, y + error)

    def between(self, x: Array, y: Array, low: Array, high: Array) -> None:
        """Show these points with bars from `low` to `high`; non-finite values are omitted."""
        there = np.isfinite(y)
        x, low, high = x[there], low[there], high[there]
        self.ends = (low, high)
        self._markers.set_data(x, y[there])
        ends = np.stack([np.stack([x, low], axis=1), np.stack([x, high], axis=1)], axis=1)
        self._bars.set_segments(list(ends))

    def clear(self) -> None:
        """Clear the data."""
        self.set(np.empty(0), np.empty(0))

    def fade(self, alpha: float) -> None:
        """Set the opacity (1: opaque)."""
        self._markers.set_alpha(alpha)
        self._bars.set_alpha(alpha)


class AutoLimits:
    """Fits the limits of an axis to the data, unless the user has chosen others.

    Parameters
    ----------
    axes : list of Axes
        Axes with common limits.
    holds : float, optional
        A value that is always within the limits.
    head, foot : float
        Fraction of the range left free above and below, for text.
    """

    def __init__(
        self, axes: list[Axes], *, holds: float | None = None, head: float = MARGIN, foot: float = MARGIN
    ) -> None:
        self._axes = axes
        self._holds, self._head, self._foot = holds, head, foot
        self._mine: tuple[float, float] | None = None

    def follow(self, artists: list[ErrorBars]) -> None:
        """Fit the limits to the data of these artists."""
        wanted = data_range([artist.ends for artist in artists], self._holds)
        if wanted is None or (self._mine is not None and self._axes[0].get_ylim() != self._mine):
            return
        if self._mine is not None and _fits(wanted, self._mine):
            return
        low, high = wanted
        span = high - low
        for axes in self._axes:
            axes.set_ylim(low - self._foot * span, high + self._head * span)
        self._mine = self._axes[0].get_ylim()

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


def set_text(text: Any, value: str) -> None:
    """Set a text only if it has changed, since setting it invalidates its layout."""
    if text.get_text() != value:
        text.set_text(value)
