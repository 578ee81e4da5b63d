"""Ring current: decay, and top-up at irregular intervals, of all bunches or of a few in turn."""

from __future__ import annotations

import bisect
import math

import numpy as np
from numpy.typing import NDArray

from sim_ioc.scenario.scenario import RingTruth

FloatArray = NDArray[np.float64]


class RingCurrent:
    """Current against beamline time, without faults.

    Each top-up brings the current back to the nominal one. The times of the top-ups follow from the seed.

    Parameters
    ----------
    ring, seed
    weight : float64[bunches]
        Charge of each bunch at first, relative to their mean.
    """

    def __init__(self, ring: RingTruth, seed: list[int], weight: FloatArray) -> None:
        self._ring = ring
        self._weights = [weight]
        self._rng = np.random.default_rng(seed)
        self._topups = [0.0]

    def _extend(self, time_s: float) -> None:
        while self._topups[-1] <= time_s:
            self._topups.append(self._topups[-1] + self._rng.uniform(*self._ring.topup_interval_s))
            self._weights.append(self._filled(self._topups[-1] - self._topups[-2]))

    def _filled(self, interval_s: float) -> FloatArray:
        """Relative charges after the next top-up, which replaces what was lost in an interval."""
        before, number = self._weights[-1], self._ring.topup_bunches
        if not number:
            return before
        left = math.exp(-interval_s / (3600 * self._ring.lifetime_h))
        filled = (np.arange(number) + number * (len(self._weights) - 1)) % before.size
        weight = left * before
        np.add.at(weight, filled, (1 - left) * before.size / number)
        return weight

    def weight_at(self, time_s: float) -> FloatArray:
        """Charge of each bunch relative to their mean, float64[bunches]."""
        self._extend(time_s)
        return self._weights[max(bisect.bisect_right(self._topups, time_s) - 1, 0)]

    def at(self, time_s: float) -> float:
        """Current in mA."""
        self._extend(time_s)
        last = self._topups[max(bisect.bisect_right(self._topups, time_s) - 1, 0)]
        return self._ring.current_mA * float(np.exp(-(time_s - last) / (3600 * self._ring.lifetime_h)))

    def next_topup(self, time_s: float) -> float:
        """Time of the next top-up after a time."""
        self._extend(time_s)
        return self._topups[bisect.bisect_right(self._topups, time_s)]

    def topups(self, start_s: float, end_s: float) -> list[float]:
        """Times of the top-ups strictly between two times (start-up is none)."""
        self._extend(end_s)
        first = bisect.bisect_right(self._topups, max(start_s, 0.0))
        return self._topups[first : bisect.bisect_left(self._topups, end_s)]
