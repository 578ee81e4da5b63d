"""Ring current: decay, and top-up at irregular intervals."""

from __future__ import annotations

import bisect

import numpy as np

from sim_ioc.scenario.scenario import RingTruth


class RingCurrent:
    """Current against beamline time, without faults.

    Each top-up brings the current back to the nominal one. The times of the top-ups follow from the seed.
    """

    def __init__(self, ring: RingTruth, seed: list[int]) -> None:
        self._ring = ring
        self._rng = np.random.default_rng(seed)
        self._topups = [0.0]

    def _extend(self, time_s: float) -> None:
        while self._topups[-1] <= time_s:
            self._topups.append(self._topups[-1] + self._rng.uniform(*self._ring.topup_interval_s))

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
