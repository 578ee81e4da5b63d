"""Elements of an energy-dispersive detector as counters: a tick of live time is a gate.

An element is dead for a fixed time after each event, so that the ticks in which it could count are

    live = ticks - resets - events (width + 1).

The photons of the region in these ticks have the variance of the binomial law: with a dead time that is known, rate =
N / live has the relative variance 1 / N (the waiting times between events are exponential, their sum is the live time,
and each event is in the region or not). What the correction adds is the error of the width, which all dwells share:
d ln(rate) = events (width + 1) / live x d ln(width + 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.documents.detectors import Detector

MOST_DEAD = 0.9
"""Fraction of the time in which an element may be dead; beyond, nothing is known of what it misses."""


@dataclass(frozen=True)
class LiveCounts:
    """What an element has counted in a dwell.

    Attributes
    ----------
    hits, gates : ndarray of int64, shape (1,)
        Photons in the region; ticks in which it could count.
    shift : float
        Relative change of the rate by one standard deviation of the dead time of an event.
    dead : float
        Fraction of the ticks in which it could not count.
    """

    hits: NDArray[np.int64]
    gates: NDArray[np.int64]
    shift: float
    dead: float

    @property
    def fault(self) -> str:
        """Why the counts are unusable; empty if they are not."""
        return f"saturated: dead for {100 * self.dead:.0f} % of the time" if self.dead > MOST_DEAD else ""


def live_counts(data: Mapping[str, Any], detector: Detector) -> LiveCounts:
    """Counts of an element from an event.

    Raises
    ------
    KeyError
        Naming a reading that the event lacks.
    """
    region, ticks, events, resets, width = (float(data[key]) for key in detector.needed)
    lost = events * (width + 1)
    live = ticks - resets - lost
    dead = 1 - live / ticks if ticks > 0 else 1.0
    shift = detector.width_error * lost / live if live > 0 else 0.0
    gates = max(round(live), 0)
    return LiveCounts(np.array([min(round(region), gates)]), np.array([gates]), shift, dead)
