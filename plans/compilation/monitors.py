"""Monitor energies: where an energy scan returns during a pass to measure the drift of the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plans.compilation.arguments import checked_values, is_number
from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.edges import Edge
from plans.compilation.positions import Position
from plans.times import MoveTimes

SHARE = 0.05
"""Default for `monitor_share`."""
OF_ALLOCATED = 0.02
"""Share in a scan whose time is allocated, of one pattern of dwells at each point."""
ABOVE_EDGE = 0.02
"""keV above the edge, of the second monitor energy that such a scan gets by itself."""
MOST_SHARE = 0.5
MOST_MONITORS = 2
LEAST_VISITS = 3
"""In a pass: at its beginning, in its middle and at its end."""


@dataclass(frozen=True)
class Monitors:
    """Energies (keV) to which a pass returns, and their share of its counting time."""

    energies: tuple[float, ...]
    share: float

    @classmethod
    def of_allocated(cls, edge: Edge) -> Monitors:
        """Of a scan whose time is allocated: few of its points are visited again to show a drift."""
        return cls((sum(edge.pre_edge) / 2, edge.e0 + ABOVE_EDGE), OF_ALLOCATED)

    def visits(self, points: int, dwells: int) -> int:
        """Visits in a pass with so many dwells at each point."""
        return min(max(LEAST_VISITS, round(self._wanted(points, dwells))), points + 1)

    def _wanted(self, points: int, dwells: int) -> float:
        return dwells * points * self.share / (1 - self.share)

    def seconds_a_point(self, grid: Sequence[float], dwells: int, dwell: float, times: MoveTimes) -> float:
        """Beamline seconds for each visit of a point of the grid, with the ways there and back."""
        return self._wanted(1, dwells) * self.seconds_a_dwell(grid, dwell, times)

    def seconds_a_dwell(self, grid: Sequence[float], dwell: float, times: MoveTimes) -> float:
        """Beamline seconds of one dwell at a monitor energy, with the ways there and back."""
        way = float(np.abs(np.subtract.outer(np.array(grid), self.energies)).mean()) / times.energy_speed
        return dwell + 2 * (way + times.energy_settle)

    def woven(
        self, positions: Sequence[Position], settings: DwellSettings
    ) -> tuple[tuple[Position, ...], DwellSettings]:
        """The points of a pass with the monitor energies between them, and how these are counted.

        Visits are evenly spread, the first before the first point and the last after the last one, and take the
        energies in turn, with the laser off. There are as many as the share allows with one dwell each, but at least
        `LEAST_VISITS`, and at most one between two points: a larger share makes more dwells of each.

        Parameters
        ----------
        positions : sequence of Position
            In the order of the visits.
        settings : DwellSettings
            How the points are counted.
        """
        of_point = settings.cycles * len(settings.pattern)
        visits = self.visits(len(positions), of_point)
        dwells = max(1, round(self._wanted(len(positions), of_point) / visits))
        order: list[Position] = []
        done = 0
        for number, before in enumerate(np.rint(np.linspace(0, len(positions), visits)).astype(int)):
            index = number % len(self.energies)
            monitor = replace(positions[0], point_index=index, energy=self.energies[index], monitor=True)
            order += [*positions[done:before], monitor]
            done = before
        return tuple(order), DwellSettings((0,) * dwells, settings.dwell, settings.attempts, dwells * settings.dwell)


def checked_monitors(energies: Any, share: Any) -> Monitors | None:
    """The monitor energies that a user gave; None without any.

    Raises
    ------
    ValueError
        Naming the argument that is wrong.
    """
    if energies is None:
        if share is not None:
            raise ValueError("monitor_share means nothing without monitor_energies")
        return None
    found = checked_values("monitor_energies", energies, "keV")
    if len(found) > MOST_MONITORS:
        raise ValueError(f"monitor_energies must be one or {MOST_MONITORS} energies in keV, not {len(found)}")
    share = SHARE if share is None else share
    if not (is_number(share) and 0 < share <= MOST_SHARE):
        raise ValueError(f"monitor_share must lie above 0 and up to {MOST_SHARE} of the counting time, not {share!r}")
    return Monitors(tuple(sorted(found)), float(share))
