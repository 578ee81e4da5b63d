"""One completed dwell of the photon counter, as arrays and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.currents import CurrentReading
from reduction.counting.pairs import Pairs

GOOD = "good"
FAULTS = (None, "hits above gates", "no gates", "saturated: a hit in every gate")
"""By what `kernels.fault_of_counts` returns."""


@dataclass(frozen=True)
class Dwell:
    """One dwell, from one event.

    Attributes
    ----------
    pass_uid : str
        Uid of the pass (raw run) it belongs to.
    point, segment, attempt : int
        Index on the grid, index in the on/off pattern of the point, and number of earlier attempts.
    laser_on : bool
    quality : str
        ``good``, or the reason why the dwell is rejected.
    flux : float
        I0 counts per X-ray pulse, dark subtracted, at unit amplifier gain.
    hits, gates : ndarray of int64, shape (P,)
        Hits and opened gates in each phase.
    laser_phase : int
        Phase of the laser pulse during this dwell.
    pairs : Pairs, optional
        Pair counters; needed only to correct after-effects.
    gain : float
        Amplifier gain of I0.
    off_point : float
        Energy readback minus the energy of the point, keV; 0 if the scan is not over energy.
    time : float
        Beamline seconds from any origin that all dwells of the pass share; NaN if unknown.
    seconds : float
        Length of the dwell in beamline seconds; NaN if unknown.
    currents : CurrentReading, optional
        Currents of the bunches, by which the counts are divided.
    monitor : bool
        Whether the dwell was taken at a monitor energy, to measure the drift of the sample: `point` is then the index
        of that energy, and `segment` the number of the dwell among all monitor dwells of the pass.
    live_shift : float
        Relative change of the photons by one standard deviation of a dead time that all dwells share; 0 without.
    """

    pass_uid: str
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
    time: float = float("nan")
    seconds: float = float("nan")
    currents: CurrentReading | None = None
    monitor: bool = False
    live_shift: float = 0.0

    def fault(self) -> str | None:
        """Reason why this dwell is rejected, in one or two words; None if it is good."""
        if self.quality != GOOD:
            return self.quality
        if not isfinite(self.flux):
            return "flux not a number"
        if self.flux <= 0:
            return "no flux"
        return FAULTS[kernels.fault_of_counts(self.hits, self.gates)]

    def fault_of_pairs(self) -> str | None:
        """Reason why the pair counters are unusable, in a few words; None if they are usable."""
        return "no pair counters" if self.pairs is None else self.pairs.fault()
