"""Configuration entries for scans: checks of dwells, suspenders, shutter retries, durations of moves."""

from __future__ import annotations

from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from plans.times import MoveTimes


class Section(BaseModel):
    """A section of the configuration. Unknown entries are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Facility(Section):
    """The facility, for exported files."""

    name: str = "Advanced Photon Source"
    """Name of the facility."""
    source: str = "undulator"
    """Kind of X-ray source."""
    crystal: str = "diamond(111)"
    """Crystal and reflection of the monochromator."""
    d_spacing_angstrom: float = Field(default=2.0593, gt=0)
    """Lattice spacing of that reflection, angstrom."""


class CommissioningEntry(Section):
    """Findings: threshold, gate and others."""

    oldest: float = Field(default=24.0, gt=0)
    """Hours after which a finding that scans depend on is noted at their start."""
    fluence: float | None = Field(default=None, gt=0)
    """Laser fluence (mJ/cm2) while `commission` looks for time zero and overlap; without it the present one."""
    lifetime: tuple[PositiveFloat, PositiveFloat] | None = None
    """Lifetime (ps) of the fast decay of the sample's transient and its error, if known: `commission` then takes half
    of the time for time zero."""
    foils: dict[str, FiniteFloat] = Field(default_factory=dict)
    """Position of the foil stage for the foil of each edge, for example ``Br_K = 10.0``."""
    i0_most: float = Field(default=5e6, gt=0)
    """Counts/s of I0 for which `find_flux` chooses the gain of its amplifier."""


class ReportEntry(Section):
    """Reports."""

    hook: tuple[str, ...] = ()
    """Program and arguments that `trxas report --send` runs, without a shell, for example a client of ELOG; ``{file}``
    and ``{title}`` in them are replaced, and without ``{file}`` the path of the report is the last argument. A password
    does not belong here: it would be visible in the list of processes."""

    @field_validator("hook")
    @classmethod
    def _names_a_program(cls, hook: tuple[str, ...]) -> tuple[str, ...]:
        if hook and not hook[0].strip():
            raise ValueError("the first text is the program")
        return hook


class CheckEntry(Section):
    """A reading that must lie between `low` and `high` for a dwell to count."""

    key: str
    """Data key of the reading, for example `ring_current`."""
    low: float
    """Lowest good reading, in the unit of the key."""
    high: float
    """Highest good reading."""
    reason: str
    """The dwell's `quality` if the reading is outside."""
    laser_on_only: bool = False
    """Check dwells with the laser on only."""
    laser_off_only: bool = False
    """Check dwells with the laser off only."""
    per: str = ""
    """Data key by which the reading is divided first."""
    needs_xrays: bool = False
    """Skip background runs."""
    waits: float = Field(default=0.0, ge=0)
    """Beamline seconds between test counts while a scan waits for the reading; 0: only retake the dwell."""

    @model_validator(mode="after")
    def _waits_whatever_the_laser_does(self) -> CheckEntry:
        if self.waits and (self.laser_on_only or self.laser_off_only):
            never = "a scan waits with the laser shut, so waits needs a check of both laser states"
            raise ValueError(f"{self.reason}: {never}")
        return self


class SuspenderEntry(Section):
    """Suspends scans while a reading is not between `low` and `high`."""

    signal: str
    """Device and signal by their names in the session, for example ``ring.current``."""
    low: float = float("-inf")
    """Lowest allowed reading, in the unit of the signal."""
    high: float = float("inf")
    """Highest allowed reading."""
    margin: float = Field(default=0.0, ge=0)
    """Hysteresis: how far inside the limits the reading must return."""
    wait: float = Field(default=0.0, ge=0)
    """Beamline seconds to wait after the reading is back within the limits."""
    between_dwells: bool = False
    """Suspend only between dwells; the dwell under way is completed."""
    longest: float = Field(default=float("inf"), gt=0)
    """Longest suspension, beamline seconds; scans then resume until the next suspension."""
    reason: str
    """Reason shown to the user."""

    @model_validator(mode="after")
    def _has_an_inside(self) -> SuspenderEntry:
        if not self.low + self.margin <= self.high - self.margin:
            given = f"low {self.low:g} and high {self.high:g} with a margin of {self.margin:g}"
            raise ValueError(f"{given} leave no allowed range")
        return self


class WatchEntry(Section):
    """What must stay constant while a dwell is counted: axes at their points, settings as at the start of the scan."""

    energy: float = Field(default=6e-5, gt=0)
    """keV; how far the energy may be from the point."""
    delay: float = Field(default=6.0, gt=0)
    """ps; how far the pump-probe delay may be from the point."""
    fluence: float = Field(default=0.05, gt=0)
    """Relative; how far the fluence may be from the point."""
    least_fluence: float = Field(default=0.2, gt=0)
    """mJ/cm2; lower fluences have the absolute tolerance of this one."""
    temperature: float = Field(default=0.5, gt=0)
    """K; how far the temperature of the sample may be from the point."""
    settings: dict[str, float] = Field(default_factory=dict)
    """Signals by their names in the session, with the tolerated deviation from the value at the start of the scan; they
    are added to those declared by devices, or override them. 0: no change."""
    unwatched: tuple[str, ...] = ()
    """Signals declared by devices that are not to be watched."""


class SteadyEntry(Section):
    """When the temperature of the sample is steady after a ramp; the tolerance is that of `[watch]`."""

    seconds: float = Field(default=60.0, gt=0)
    """Beamline seconds for which it has to be within the tolerance."""
    change: float = Field(default=0.1, gt=0)
    """K; largest difference between the means of the first and the last third of that time."""
    longest: float = Field(default=1800.0, gt=0)
    """Beamline seconds after a ramp after which a scan fails."""


class LaserShutterEntry(Section):
    """Retries of the laser shutter."""

    tries: int = Field(default=12, ge=1)
    """Number of tries before a scan fails."""
    wait: float = Field(default=5.0, ge=0)
    """Interval between tries, beamline seconds."""


class QueueEntry(Section):
    """Queues of plans and nights from a table."""

    stop_at: Literal["", "look", "bad"] = ""
    """After a pass with this verdict, or a worse one, a queue or night stops; empty: it goes on."""


class XrayShutterEntry(Section):
    """What to do when the X-ray shutter falls shut."""

    reopen: bool = False
    """Whether a scan reopens it when its permit returns; one that was shut on purpose stays shut."""


class Times(Section):
    """Durations of moves, beamline seconds, for estimating scan times."""

    energy_speed: float = Field(default=0.02, gt=0)
    """keV per second."""
    energy_settle: float = Field(default=0.1, ge=0)
    """Settling after each move of the energy."""
    delay: float = Field(default=0.0, ge=0)
    """Duration of a move of the delay."""
    fluence: float = Field(default=0.1, ge=0)
    """Settling after each move of the wave plate."""
    fluence_speed: float = Field(default=8.0, gt=0)
    """mJ/cm2 per second, on average over its range."""
    temperature: float = Field(default=240.0, ge=0)
    """From the end of a ramp until the sample is steady."""
    temperature_speed: float = Field(default=10.0, gt=0)
    """K per minute."""
    laser_shutter: float = Field(default=0.05, ge=0)
    """Opening or shutting it."""
    xray_shutter: float = Field(default=0.5, ge=0)
    """Opening or shutting it."""
    message: float = Field(default=0.005, ge=0)
    """Overhead of each move, wall seconds."""
    dwell: float = Field(default=0.02, ge=0)
    """Overhead of each dwell, wall seconds, until the session has measured it."""
    run: float = Field(default=0.15, ge=0)
    """Overhead of each run, wall seconds: opening, baseline and closing."""

    def of_moves(self) -> MoveTimes:
        """As the plans take them."""
        return MoveTimes(**self.model_dump())


def format_errors(error: ValidationError) -> str:
    """All validation errors on one line."""
    parts = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        text = {"extra_forbidden": "is not a known entry", "missing": "is missing"}.get(
            item["type"], item["msg"].removeprefix("Value error, ")
        )
        parts.append(f"{where}: {text}" if where else text)
    return "; ".join(parts)
