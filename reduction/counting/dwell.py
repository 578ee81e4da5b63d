"""One completed dwell of the photon counter, as arrays and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.pairs import Pairs

GOOD = "good"
FAULTS = (None, "hits above gates", "no gates", "saturated: a hit in every gate")
"""By what `kernels.fault_of_counts` returns."""


@dataclass(frozen=True)
class Dwell:
    """What one event says of one dwell.

    Attributes
    ----------
    scan : str
        Uid of the pass (raw run) it belongs to.
    point, segment, attempt : int
        Place in the grid, in the on/off pattern of the point, and how often it was tried before.
    laser_on : bool
    quality : str
        ``good``, or the reason why this dwell does not count.
    flux : float
        I0 counts per X-ray pulse, dark subtracted, at unit amplifier gain.
    hits, gates : ndarray of int64, shape (P,)
        Hits and opened gates of each phase.
    laser_phase : int
        Phase that the laser pulse belonged to during this dwell.
    pairs : Pairs, optional
        Pair counters; only after-effects need them.
    gain : float
        Amplifier gain of I0.
    off_point : float
        Readback of the energy less the energy of the point, keV; 0 where no energy is scanned.
    """

    scan: str
    point: int
    segment: int
    attempt: int
    laser_on: bool
    quality: str
    flux: float
    hits: NDArray[np.int64]
    gates: NDArray[np.int64]
    laser_phase: int
    pairs: Pairs | None = None
    gain: float = 1.0
    off_point: float = 0.0

    def fault(self) -> str | None:
        """Why this dwell cannot count, in one or two words; None if it does."""
        if self.quality != GOOD:
            return self.quality
        if not isfinite(self.flux):
            return "flux not a number"
        if self.flux <= 0:
            return "no flux"
        return FAULTS[kernels.fault_of_counts(self.hits, self.gates)]

    def fault_of_pairs(self) -> str | None:
        """Why the pair counters cannot be used, in a few words; None if they can."""
        return "no pair counters" if self.pairs is None else self.pairs.fault()
