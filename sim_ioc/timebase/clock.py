"""The clock of the simulated beamline: beamline seconds, which may run faster than the wall clock."""

from __future__ import annotations

import asyncio
import time


class SimulatedClock:
    """Beamline time in seconds since the clock was made.

    Parameters
    ----------
    speedup
        Beamline seconds for each second of the wall clock.
    """

    def __init__(self, speedup: float = 1.0) -> None:
        if not 0 < speedup <= 1e6:
            raise ValueError(f"speedup must be above 0 and at most 1e6, not {speedup}")
        self.speedup = speedup
        self._start = time.monotonic()

    def now(self) -> float:
        """Beamline seconds since the start."""
        return (time.monotonic() - self._start) * self.speedup

    async def sleep_until(self, when_s: float) -> None:
        """Return at the beamline time `when_s`."""
        while (left := when_s - self.now()) > 0:
            await asyncio.sleep(left / self.speedup)

    async def sleep(self, seconds: float) -> None:
        """Sleep for so many beamline seconds."""
        await self.sleep_until(self.now() + seconds)
