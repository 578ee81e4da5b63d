"""A quantity that follows a ramp with a lag."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from sim_ioc.timebase.timeline import Ramp


@dataclass(frozen=True)
class Lagged:
    """Solution of lag * y' = a + b * ramp - y from the start of the ramp on.

    Attributes
    ----------
    ramp : Ramp
    first : float
        At its start.
    lag_s, offset, slope : float
        The lag, a and b.
    """

    ramp: Ramp
    first: float
    lag_s: float
    offset: float = 0.0
    slope: float = 1.0

    def at(self, time_s: float) -> float:
        """Value at a time."""
        ramp = self.ramp
        if time_s <= ramp.start_s:
            return self.first
        length = ramp.end_s - ramp.start_s
        rise = self.slope * (ramp.last - ramp.first) / length if length > 0 else 0.0
        arrived = self._relaxed(self.first, self._aim(ramp.first), rise, min(time_s - ramp.start_s, length))
        return self._relaxed(arrived, self._aim(ramp.last), 0.0, max(time_s - ramp.end_s, 0.0))

    def _aim(self, position: float) -> float:
        return self.offset + self.slope * position

    def _relaxed(self, first: float, aim: float, rise: float, seconds: float) -> float:
        behind = rise * self.lag_s
        return aim + rise * seconds - behind + (first - aim + behind) * exp(-seconds / self.lag_s)
