"""Entries of the configuration that scans go by: what makes a dwell count, what is waited for, how long things take."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the configuration. Unknown entries are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CheckEntry(Section):
    """A reading that must lie between `low` and `high` for a dwell to count."""

    key: str
    """Data key of the reading, for example `ring_current`."""
    low: float
    """Smallest good reading, in the unit of the key."""
    high: float
    """Largest good reading."""
    reason: str
    """What the dwell's `quality` says otherwise."""
    laser_on_only: bool = False
    """Asked only of dwells with the laser on."""
    laser_off_only: bool = False
    """Asked only of dwells with the laser off."""
    per: str = ""
    """Data key that the reading is divided by first."""
    needs_xrays: bool = False
    """Not asked of background runs."""
    waits: float = Field(default=0.0, ge=0)
    """Beamline seconds between two counts while a scan waits for it; 0: the dwell is only taken again."""

    @model_validator(mode="after")
    def _waits_whatever_the_laser_does(self) -> CheckEntry:
        if self.waits and (self.laser_on_only or self.laser_off_only):
            raise ValueError(f"{self.reason}: a scan waits with the laser shut, so waits is for checks of both states")
        return self


class SuspenderEntry(Section):
    """A reading that has to lie between `low` and `high` for a scan to go on; while it does not, scans wait."""

    signal: str
    """Device and signal by their names in the session, for example ``ring.current``."""
    low: float = float("-inf")
    """Smallest reading with which a scan goes on, in the unit of the signal."""
    high: float = float("inf")
    """Largest."""
    margin: float = Field(default=0.0, ge=0)
    """How far within the limits it has to be again."""
    wait: float = Field(default=0.0, ge=0)
    """Beamline seconds to wait after it is within the limits again."""
    between_dwells: bool = False
    """Wait before the next dwell only; the one under way is counted to its end."""
    longest: float = Field(default=float("inf"), gt=0)
    """Beamline seconds after which scans go on all the same, until it has been within the limits once more."""
    reason: str
    """What the user is told meanwhile."""

    @model_validator(mode="after")
    def _has_an_inside(self) -> SuspenderEntry:
        if not self.low + self.margin <= self.high - self.margin:
            raise ValueError(f"low {self.low:g} and high {self.high:g} with a margin of {self.margin:g} leave nothing")
        return self


class LaserShutter(Section):
    """What is done when the laser shutter does not follow."""

    tries: int = Field(default=12, ge=1)
    """How often it is asked before a scan is given up."""
    wait: float = Field(default=5.0, ge=0)
    """Beamline seconds between two tries."""


class XrayShutter(Section):
    """What is done when the X-ray shutter falls shut."""

    reopen: bool = True
    """Whether a scan opens it when its permit is back; one that somebody shut stays shut."""


class Times(Section):
    """How long moves take, beamline seconds; for telling the time of a scan beforehand."""

    energy_speed: float = Field(default=0.02, gt=0)
    """keV per second."""
    energy_settle: float = Field(default=0.1, ge=0)
    """After each move of the energy."""
    delay: float = Field(default=0.0, ge=0)
    """A move of the delay."""
    fluence: float = Field(default=0.1, ge=0)
    """After each move of the wave plate."""
    fluence_speed: float = Field(default=8.0, gt=0)
    """mJ/cm2 per second, on average over its range."""
    laser_shutter: float = Field(default=0.05, ge=0)
    """Opening or shutting it."""
    xray_shutter: float = Field(default=0.5, ge=0)
    """Opening or shutting it."""
    message: float = Field(default=0.005, ge=0)
    """Wall seconds of messages for each move."""
    dwell: float = Field(default=0.02, ge=0)
    """Wall seconds of messages for each dwell, until the session has seen some itself."""
    run: float = Field(default=0.15, ge=0)
    """Wall seconds of messages for each run: its begin, first readings and end."""
