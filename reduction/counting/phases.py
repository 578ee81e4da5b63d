"""Phases of the bunch-laser pattern: which bunch and which pump slot each phase belongs to.

The pattern of bunches and laser pulses repeats after ``lcm(num_bunches, divider)`` bunch crossings.
A phase ``p`` of that pattern is bunch ``p mod num_bunches`` seen in pump slot
``(p - laser_phase) mod divider``; slot 0 is the crossing that the laser pulse belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pattern:
    """Fill and laser pattern of a measurement.

    Attributes
    ----------
    num_bunches : int
        Bunches in the ring.
    divider : int
        Bunch crossings from one laser pulse to the next, the number of slots.
    laser_phase : int
        Phase that the laser pulse belongs to.
    bunch_rate : float
        Bunch crossings per second (Hz).
    """

    num_bunches: int
    divider: int
    laser_phase: int
    bunch_rate: float

    def __post_init__(self) -> None:
        for name in ("num_bunches", "divider"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.bunch_rate > 0:
            raise ValueError(f"bunch_rate must be above 0 Hz, not {self.bunch_rate}")

    @property
    def num_phases(self) -> int:
        """Bunch crossings after which the pattern repeats."""
        return lcm(self.num_bunches, self.divider)

    @property
    def slots_share_bunches(self) -> bool:
        """Whether each slot sees every bunch, so that slots may be compared with each other."""
        return gcd(self.num_bunches, self.divider) == 1

    def bunch_of_phase(self) -> NDArray[np.int64]:
        """Bunch of each phase, shape (num_phases,)."""
        return np.arange(self.num_phases, dtype=np.int64) % self.num_bunches

    def slot_of_phase(self) -> NDArray[np.int64]:
        """Pump slot of each phase, shape (num_phases,)."""
        return (np.arange(self.num_phases, dtype=np.int64) - self.laser_phase) % self.divider

    def probe_delays(self, delay: float) -> NDArray[np.float64]:
        """Time from the last pump to the probe in each slot, shape (divider,), in ps.

        Parameters
        ----------
        delay : float
            Pump-probe delay of slot 0 in ps, positive when the pump comes first.
        """
        spacing = 1e12 / self.bunch_rate
        since_pump = delay + spacing * np.arange(self.divider, dtype=np.float64)
        return np.asarray(since_pump % (self.divider * spacing), dtype=np.float64)
