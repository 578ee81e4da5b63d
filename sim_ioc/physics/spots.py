"""Spots of laser and X-rays at the sample, and what two blades there leave of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erf, hypot, log, sqrt

from sim_ioc.scenario.optics import KnifeTruth
from sim_ioc.scenario.scenario import JetTruth, LaserTruth

AXES = ("along", "across")
SIGMAS = 2 * sqrt(2 * log(2))
"""Full width at half maximum of a Gaussian over its standard deviation."""
PARKED_UM = -1000.0
"""Of a blade out of both beams."""


@dataclass(frozen=True)
class LaserSpot:
    """Where the laser is steered to, and the position of its lens.

    Attributes
    ----------
    along_um, across_um : float
        Of the two motors that steer it.
    lens_mm : float
    """

    along_um: float = 0.0
    across_um: float = 0.0
    lens_mm: float = 0.0

    def moved(self, **changes: float) -> LaserSpot:
        """With another position of a motor."""
        return replace(self, **changes)

    def size(self, laser: LaserTruth) -> float:
        """Width of the spot over that in focus, of a Gaussian beam."""
        return hypot(1.0, (self.lens_mm - laser.focus_mm) / laser.focus_depth_mm)

    def fwhm_um(self, laser: LaserTruth) -> tuple[float, float]:
        """Full widths at half maximum, along and across the flow."""
        size = self.size(laser)
        return laser.spot_fwhm_um * size, laser.spot_across_fwhm_um * size

    def away_um(self, laser: LaserTruth) -> tuple[float, float]:
        """From the spot of the X-rays."""
        return self.along_um - laser.steering_along_um, self.across_um - laser.steering_across_um

    def share(self, laser: LaserTruth, jet: JetTruth) -> float:
        """Fluence at the spot of the X-rays, in that of the middle of the laser spot in focus."""
        share = self.size(laser) ** -2
        for away, fwhm in zip(self.away_um(laser), self.fwhm_um(laser), strict=True):
            share *= 0.5 ** (4 * away**2 / (fwhm**2 + jet.probe_spot_um**2))
        return share


@dataclass(frozen=True)
class Blades:
    """Two blades at the sample: each covers all that is at a smaller coordinate than its position, um."""

    along_um: float = PARKED_UM
    across_um: float = PARKED_UM

    def moved(self, **changes: float) -> Blades:
        """With another position of a blade."""
        return replace(self, **changes)

    def xrays(self, knife: KnifeTruth, jet: JetTruth) -> float:
        """Fraction of the X-rays that passes both."""
        return self._passed((knife.along_um, knife.across_um), (jet.probe_spot_um, jet.probe_spot_um))

    def laser(self, knife: KnifeTruth, laser: LaserTruth, spot: LaserSpot) -> float:
        """Fraction of the laser that passes both."""
        along, across = spot.away_um(laser)
        centre = knife.along_um + along + knife.parallax_along_um, knife.across_um + across + knife.parallax_across_um
        return self._passed(centre, spot.fwhm_um(laser))

    def _passed(self, centre: tuple[float, float], fwhm: tuple[float, float]) -> float:
        passed = 1.0
        for blade, middle, width in zip((self.along_um, self.across_um), centre, fwhm, strict=True):
            passed *= 0.5 * (1 + erf((middle - blade) * SIGMAS / (width * sqrt(2))))
        return passed
