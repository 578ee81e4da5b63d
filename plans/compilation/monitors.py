"""Monitor energies: where an energy scan returns during a pass to measure the drift of the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plans.compilation.arguments import checked_values, is_number
from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.positions import Position

SHARE = 0.05
"""Default for `monitor_share`."""
MOST_SHARE = 0.5
MOST_MONITORS = 2
LEAST_VISITS = 3
"""In a pass: at its beginning, in its middle and at its end."""


@dataclass(frozen=True)
class Monitors:
    """Energies (keV) to which a pass returns, and their share of its counting time."""

    energies: tuple[float, ...]
    share: float

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
        wanted = settings.cycles * len(settings.pattern) * len(positions) * self.share / (1 - self.share)
        visits = min(max(LEAST_VISITS, round(wanted)), len(positions) + 1)
        dwells = max(1, round(wanted / visits))
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
