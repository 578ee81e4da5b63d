"""Each of several counters in the live figure: thin lines through the transients of their combination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from beamline.outputs.live_figure.layers import STILL

Array = NDArray[np.float64]
STYLES = ("-", "--", ":", "-.")


class EachDetector:
    """Points and results of several counters, from their own streams; empty where there is one counter.

    Attributes
    ----------
    names : list of str
        In the order in which they came.
    sentence : str
        Whether they agree, at the end of a pass.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._points: dict[str, Array] = {}
        self._results: dict[str, Array] = {}
        self.sentence = ""

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys([*self._points, *self._results]))

    def take(self, stream: str, data: Mapping[str, Any]) -> None:
        """Process an event of the reduced run."""
        kind, _, name = stream.partition("_")
        if stream == "detectors":
            self.sentence = str(data["sentence"])
        elif kind == "points" and name:
            self._take_point(name, data)
        elif kind in ("spectrum", "trace") and name and "transient" in data:
            self._results[name] = np.asarray(data["transient"], dtype=np.float64)

    def _take_point(self, name: str, data: Mapping[str, Any]) -> None:
        difference, off = (np.asarray(data[key], dtype=np.float64) for key in ("difference", "off"))
        relative = self._points.setdefault(name, np.full((off.size, self._size), np.nan))
        with np.errstate(invalid="ignore", divide="ignore"):
            relative[:, int(data["point_index"])] = np.where(off > 0, difference / off, np.nan)

    def transient(self, name: str, slot: int, complete: bool) -> Array:
        """Transient of a slot by one counter: of the last complete pass, before that relative to the laser off."""
        values = self._results.get(name) if complete else self._points.get(name)
        return np.full(self._size, np.nan) if values is None else values[slot]


class DetectorLines:
    """A thin line for each counter in the row of each slot.

    Parameters
    ----------
    rows : list of Axes
    """

    def __init__(self, rows: list[Axes]) -> None:
        self._rows = rows
        self._lines: dict[tuple[str, int], Line2D] = {}

    def update(self, x: Array, each: EachDetector, complete: bool, comparable: bool) -> None:
        """Draw the counters; nothing where their values have another scale than those of the combination."""
        for number, name in enumerate(each.names):
            for slot in range(len(self._rows)):
                line = self._lines.get((name, slot)) or self._new(name, slot, STYLES[number % len(STYLES)])
                line.set_data(x, 100 * each.transient(name, slot, complete) if comparable else np.full(x.size, np.nan))

    def _new(self, name: str, slot: int, style: str) -> Line2D:
        (line,) = self._rows[slot].plot([], [], style, color="0.35", lw=0.8, zorder=2.55, label=name, animated=True)
        self._lines[(name, slot)] = line
        if slot == 0:
            handles = [each for (_, row), each in self._lines.items() if row == 0]
            legend = self._rows[0].legend(
                handles=handles, loc="upper left", frameon=False, fontsize=8.5, handlelength=1.6
            )
            legend.set_zorder(STILL)
        return line
