"""Truth of what stands in the beams: filters before I0, and a knife with a photodiode behind it."""

from __future__ import annotations

from pydantic import Field

from sim_ioc.scenario.sample import ScenarioTable


class AttenuatorTruth(ScenarioTable):
    """Filters in the X-ray beam before I0."""

    start: float = Field(default=0.0, ge=0, le=6, description="their absorbance at start-up")


class KnifeTruth(ScenarioTable):
    """Two blades at the sample, and a photodiode behind it that sees X-rays and laser."""

    along_um: float = Field(default=0.0, ge=-500, le=500, description="of m6, where it halves the X-rays")
    across_um: float = Field(default=0.0, ge=-500, le=500, description="of m7, where it halves the X-rays")
    parallax_along_um: float = Field(default=0.0, ge=-50, le=50, description="of the laser, there and at the sample")
    parallax_across_um: float = Field(default=0.0, ge=-50, le=50, description="of the laser, there and at the sample")
    xrays_per_s: float = Field(default=4e5, gt=0, le=1e8, description="of the diode, at the nominal current")
    laser_per_s: float = Field(default=4e5, gt=0, le=1e8, description="of the diode, at the highest fluence in focus")
    dark_per_s: float = Field(default=100.0, ge=0, le=1e8, description="of the diode")
    noise: float = Field(default=1e-3, ge=0, le=0.5, description="relative, for each count of the diode")


class FoilStageTruth(ScenarioTable):
    """Stage of the foil."""

    start_mm: float = Field(default=10.0, ge=-20, le=60, description="of m9 at start-up")
    foil_mm: float = Field(default=10.0, ge=-20, le=60, description="of m9 with the foil in the beam")
    width_mm: float = Field(default=8.0, gt=0, le=100, description="of the foil")
