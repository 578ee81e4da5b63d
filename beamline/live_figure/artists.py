"""Artists whose data can be replaced, so that a redraw makes nothing anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

Array = NDArray[np.float64]
MARGIN = 0.08
SHRINK = 0.6
"""Limits are kept until the data need less than this part of them, so that a figure does not jump at each dwell."""


class ErrorBars:
    """Points with error bars.

    Parameters
    ----------
    axes : Axes
    colour : str
    hollow : bool
        Markers with a white middle: provisional values.
    joined : bool
        A thin line joins the points.
    """

    def __init__(
        self, axes: Axes, colour: str, *, size: float = 4.0, hollow: bool = False, joined: bool = False, label: str = ""
    ) -> None:
        (self._markers,) = axes.plot(
            [], [], "o", ms=size, color=colour, mfc="white" if hollow else colour, mew=0.9, lw=0.7,
            ls="-" if joined else "none", label=label or None, zorder=3,
        )  # fmt: skip
        self._bars = LineCollection([], colors=colour, linewidths=0.9, zorder=2)
        axes.add_collection(self._bars, autolim=False)
        self.values = self.stddev = np.empty(0)

    def set(self, x: Array, y: Array, stddev: Array | None = None) -> None:
        """Show these points; what is not finite is left out."""
        there = np.isfinite(y)
        spread = np.zeros_like(y) if stddev is None else np.nan_to_num(stddev, posinf=0.0)
        x, self.values, self.stddev = x[there], y[there], spread[there]
        self._markers.set_data(x, self.values)
        low, high = self.values - self.stddev, self.values + self.stddev
        ends = np.stack([np.stack([x, low], axis=1), np.stack([x, high], axis=1)], axis=1)
        self._bars.set_segments(list(ends))

    def clear(self) -> None:
        """Show nothing."""
        self.set(np.empty(0), np.empty(0))

    def fade(self, alpha: float) -> None:
        """Make it see-through (1: not at all)."""
        self._markers.set_alpha(alpha)
        self._bars.set_alpha(alpha)


class AutoLimits:
    """Keeps the limits of an axis around the data, unless the user has chosen others.

    Parameters
    ----------
    axes : list of Axes
        All get the same limits.
    zero : bool
        Zero is always in sight.
    """

    def __init__(self, axes: list[Axes], *, zero: bool = False) -> None:
        self._axes = axes
        self._zero = zero
        self._mine: tuple[float, float] | None = None

    def follow(self, artists: list[ErrorBars]) -> None:
        """Fit the limits to what these artists show."""
        wanted = data_range([(a.values, a.stddev) for a in artists], self._zero)
        if wanted is None or (self._mine is not None and self._axes[0].get_ylim() != self._mine):
            return
        if self._mine is not None and _fits(wanted, self._mine):
            return
        low, high = wanted
        margin = MARGIN * (high - low)
        for axes in self._axes:
            axes.set_ylim(low - margin, high + margin)
        self._mine = self._axes[0].get_ylim()

    def release(self) -> None:
        """Take control of the limits again."""
        self._mine = None


def _fits(wanted: tuple[float, float], present: tuple[float, float]) -> bool:
    inside = present[0] <= wanted[0] and wanted[1] <= present[1]
    return inside and wanted[1] - wanted[0] > SHRINK * (present[1] - present[0])


def data_range(data: list[tuple[Array, Array]], zero: bool) -> tuple[float, float] | None:
    """Lowest and highest value with their error bars; None without data.

    A value with an error above five times the median error does not count, so that one bad dwell hides no other.
    """
    values, stddev = (np.concatenate([np.asarray(pair[i]) for pair in data] or [np.empty(0)]) for i in (0, 1))
    if not values.size:
        return None
    trusted = stddev <= 5 * np.median(stddev) if np.median(stddev) > 0 else np.ones(values.size, np.bool_)
    low, high = float((values - stddev)[trusted].min()), float((values + stddev)[trusted].max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-12 * max(abs(high), abs(low), 1e-12):
        low, high = low - 0.5 * max(abs(low), 1e-3), high + 0.5 * max(abs(high), 1e-3)
    return low, high


def set_text(text: Any, value: str) -> None:
    """Set a text only if it is another, since setting one invalidates its layout."""
    if text.get_text() != value:
        text.set_text(value)
