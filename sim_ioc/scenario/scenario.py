"""Truth of the simulated experiment: a scenario holds every truth and the seed.

A scenario file is TOML and lists only what differs from the defaults below, which are those of
`scenarios/default.toml`. Unknown keys and invalid values are reported by name.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from sim_ioc.scenario.axes import AxesTruth
from sim_ioc.scenario.cold import ColdTruth, drawn
from sim_ioc.scenario.detectors import BoxcarTruth, DetectorTruth, I0Truth, SecondApdTruth, TransmissionTruth
from sim_ioc.scenario.optics import AttenuatorTruth, FoilStageTruth, KnifeTruth
from sim_ioc.scenario.powder import PowderTruth
from sim_ioc.scenario.sample import SampleTruth, ScenarioTable

MOST_DIVIDER = 10_000
SCENARIO_DIRECTORY = Path(__file__).parents[1] / "scenarios"
DATA_DIRECTORY = Path(__file__).parents[1] / "data"


class ScenarioError(ValueError):
    """An invalid scenario; the message is one sentence that names the key."""


class KineticsTruth(ScenarioTable):
    """Decay of the transient after a pump: exponentials convolved with a Gaussian response."""

    lifetimes_ps: tuple[float, ...] = (120.0, 900.0, 155000.0)
    amplitudes: tuple[float, ...] = (0.60, 0.21, 0.19)
    response_sigma_ps: float = Field(default=45.0, ge=1, le=1000)
    fresh_spot: bool = Field(default=False, description="true: no residue of earlier pumps, as the paper assumes")

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=True)

    @model_validator(mode="after")
    def _check(self) -> KineticsTruth:
        if not self.lifetimes_ps or len(self.lifetimes_ps) != len(self.amplitudes):
            raise ValueError("lifetimes_ps and amplitudes must have the same length, at least 1")
        if not all(tau > 0 for tau in self.lifetimes_ps):
            raise ValueError("lifetimes_ps must be positive (inf is a constant offset)")
        if not all(abs(amplitude) < 1e6 for amplitude in self.amplitudes):
            raise ValueError("amplitudes must be finite")
        return self


class FluenceTruth(ScenarioTable):
    """Response to the pump fluence: linear, then a plateau."""

    nominal_mJ_cm2: float = Field(default=8.8, gt=0, le=1000)
    saturation_mJ_cm2: float = Field(default=11.0, gt=0, le=1e6)
    sharpness: float = Field(default=16.0, ge=1, le=100)


class RingTruth(ScenarioTable):
    """Storage ring: fill pattern, current, top-up."""

    rf_MHz: float = Field(default=351.933984, gt=1, le=3000)
    harmonic: int = Field(default=1296, ge=1, le=10000)
    num_bunches: int = Field(default=24, ge=1, le=1296, description="X-ray pulses per turn")
    buckets: tuple[int, ...] = Field(default=(), description="first bucket of each pulse; empty: evenly spaced")
    group_sizes: tuple[int, ...] = Field(default=(), description="neighbouring bunches that make a pulse; empty: one")
    charges: tuple[float, ...] = Field(default=(), description="charge of each pulse, any unit; empty: equal")
    bunch_spread_rms: float = Field(default=0.05, ge=0, le=0.5)
    current_mA: float = Field(default=102.0, gt=0, le=1000, description="nominal, right after a top-up")
    lifetime_h: float = Field(default=5.0, gt=0, le=1e6)
    topup_interval_s: tuple[float, float] = (60.0, 120.0)
    topup_veto_s: float = Field(default=0.02, ge=0, le=1)
    topup_bunches: int = Field(default=0, ge=0, le=1296, description="bunches that a top-up fills, in turn; 0: all")
    fill_record_period_s: float = Field(
        default=3.0, gt=0, le=1e4, description="time between updates of the fill pattern"
    )
    fill_record_noise: float = Field(default=2e-3, ge=0, le=0.2, description="relative, of each bucket in it")
    xray_shutter_travel_s: float = Field(default=0.5, ge=0, le=100)

    @model_validator(mode="after")
    def _check(self) -> RingTruth:
        self._check_pattern()
        low, high = self.topup_interval_s
        if not 1 <= low <= high <= 1e7:
            raise ValueError("topup_interval_s must be [shortest, longest], from 1 to 1e7 s")
        return self

    def _check_pattern(self) -> None:
        if not self.buckets and self.harmonic % self.num_bunches:
            raise ValueError(f"num_bunches must divide the harmonic number {self.harmonic}, or buckets be given")
        for name in ("buckets", "group_sizes", "charges"):
            given = getattr(self, name)
            if given and len(given) != self.num_bunches:
                raise ValueError(f"{name} must have one entry for each of the {self.num_bunches} pulses")
        if any(size < 1 for size in self.group_sizes) or any(charge <= 0 for charge in self.charges):
            raise ValueError("group_sizes must be at least 1 and charges above 0")
        sizes = self.group_sizes or (1,) * self.num_bunches
        ends = [*self.buckets[1:], self.harmonic]
        if any(not 0 <= first <= end - size for first, size, end in zip(self.buckets, sizes, ends, strict=False)):
            raise ValueError("buckets must ascend from 0, below the harmonic number, and leave room for each group")


class LaserTruth(ScenarioTable):
    """Pump laser."""

    divider: int = Field(default=5, ge=1, le=MOST_DIVIDER, description="one pump every this many bunches")
    phase: int = Field(default=0, ge=0, lt=MOST_DIVIDER, description="first pumped bunch")
    fluence_mJ_cm2: float = Field(default=8.8, ge=0, le=1000)
    highest_fluence_mJ_cm2: float = Field(default=14.0, gt=0, le=1000, description="with the wave plate at 45 deg")
    background_per_gate: float = Field(default=1e-4, ge=0, le=1, description="laser-only photons, slot 0")
    light_follows_delay: bool = Field(
        default=False, description="true: laser-only photons are in the slot that the laser pulse is nearest to"
    )
    is_blocked: bool = Field(default=False, description="true: the laser does not reach the sample, shutter or not")
    spot_fwhm_um: float = Field(default=45.0, gt=0, le=1e4, description="along the flow of the jet")
    spot_across_fwhm_um: float = Field(default=50.0, gt=0, le=1e4, description="across the flow")
    steering_along_um: float = Field(default=0.0, ge=-1000, le=1000, description="of m4, where both spots meet")
    steering_across_um: float = Field(default=0.0, ge=-1000, le=1000, description="of m5, where both spots meet")
    focus_mm: float = Field(default=0.0, ge=-50, le=50, description="of m8, where the spot is smallest")
    focus_depth_mm: float = Field(default=14.0, gt=0, le=1e3, description="of m8, in which the spot grows by sqrt(2)")
    shutter_travel_s: float = Field(default=0.05, ge=0, le=100)
    lock_error_rms_ps: float = Field(default=0.5, ge=0, le=100)
    free_running_off_Hz: float = Field(default=37.0, ge=-1e4, le=1e4, description="rate offset when unlocked")

    @model_validator(mode="after")
    def _check(self) -> LaserTruth:
        if self.phase >= self.divider:
            raise ValueError(f"phase must be below the divider {self.divider}")
        if self.fluence_mJ_cm2 > self.highest_fluence_mJ_cm2:
            raise ValueError("fluence_mJ_cm2 must not exceed highest_fluence_mJ_cm2")
        return self


class DelayTruth(ScenarioTable):
    """Pump-probe delay generator."""

    t0_ns: float = Field(default=169.78, ge=-1e4, le=1e4, description="setting at which pump and probe coincide")
    sign: Literal[1, -1] = Field(default=1, description="-1: generator and phase work the other way")
    resolution_ps: float = Field(default=5.0, gt=0, le=1000)
    fine_resolution_ps: float = Field(default=0.1, gt=0, le=100)
    drift_ps_per_h: float = Field(default=10.0, ge=-1e5, le=1e5)
    start_ps: float = Field(default=100.0, ge=-1e6, le=1e6, description="delay at start-up")
    fine_range_ps: float = Field(default=2000.0, gt=0, le=1e5, description="range of the phase shifter, plus and minus")
    limit_step_ps: float = Field(default=40.0, ge=-1e4, le=1e4, description="step of the delay at either end of it")


class JetTruth(ScenarioTable):
    """Liquid jet: flow and thickness noise."""

    thickness_rms: float = Field(default=0.01, ge=0, le=0.1, description="1/f noise, rms over 60 s")
    pass_to_pass_rms: float = Field(default=0.05, ge=0, le=0.3, description="slow changes over tens of minutes")
    low_Hz: float = Field(default=0.01, gt=0, le=10)
    high_Hz: float = Field(default=100.0, gt=0, le=1e4)
    speed_m_s: float = Field(default=4.0, gt=0, le=100, description="at the nominal flow")
    flow_mL_min: float = Field(default=200.0, gt=0, le=1e4, description="nominal flow, that at start-up")
    lowest_flow_mL_min: float = Field(default=80.0, ge=0, le=1e4, description="below it there is no sheet")
    flow_rate_mL_min_s: float = Field(default=50.0, gt=0, le=1e5, description="how fast the pump changes the flow")
    width_mm: float = Field(default=5.0, gt=0, le=100, description="of the sheet, across the flow")
    height_mm: float = Field(default=20.0, gt=0, le=1000, description="of the sheet, along the flow")
    probe_spot_um: float = Field(default=5.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _check(self) -> JetTruth:
        if self.low_Hz >= self.high_Hz:
            raise ValueError("low_Hz must be below high_Hz")
        if self.lowest_flow_mL_min >= self.flow_mL_min:
            raise ValueError("lowest_flow_mL_min must be below flow_mL_min")
        return self


class MonochromatorTruth(ScenarioTable):
    """Diamond (111) monochromator."""

    start_keV: float = Field(default=13.45, gt=4, lt=30)
    low_limit_keV: float = Field(default=6.0, gt=3.1, lt=100)
    high_limit_keV: float = Field(default=24.0, gt=3.1, lt=100)
    speed_eV_s: float = Field(default=20.0, gt=0, le=1e6)
    settle_s: float = Field(default=0.1, ge=0, le=100)
    repeatability_eV: float = Field(default=0.01, ge=0, le=10)
    backlash_eV: float = Field(default=0.3, ge=0, le=50, description="error when coming from above")
    offset_eV: float = Field(default=0.0, ge=-100, le=100, description="calibration error: true - shown")
    crystal_urad: float = Field(
        default=0.0, ge=-200, le=200, description="of the second crystal, where flux is highest"
    )
    crystal_width_urad: float = Field(default=25.0, gt=0, le=1e4, description="of its rocking curve")

    @model_validator(mode="after")
    def _check(self) -> MonochromatorTruth:
        if not self.low_limit_keV < self.start_keV < self.high_limit_keV:
            raise ValueError("start_keV must lie between low_limit_keV and high_limit_keV")
        return self


class Scenario(ScenarioTable):
    """Every truth of the simulated experiment."""

    seed: int = Field(default=20210, ge=0, le=2**63 - 1)
    cold: ColdTruth | None = Field(default=None, description="draws settings that are wrong at start-up; none without")
    sample: SampleTruth = SampleTruth()
    kinetics: KineticsTruth = KineticsTruth()
    fluence: FluenceTruth = FluenceTruth()
    ring: RingTruth = RingTruth()
    laser: LaserTruth = LaserTruth()
    delay: DelayTruth = DelayTruth()
    jet: JetTruth = JetTruth()
    detector: DetectorTruth = DetectorTruth()
    apd2: SecondApdTruth | None = Field(default=None, description="a second APD; without the table there is none")
    transmission: TransmissionTruth | None = Field(default=None, description="chambers behind the sample, if any")
    boxcar: BoxcarTruth = BoxcarTruth()
    i0: I0Truth = I0Truth()
    monochromator: MonochromatorTruth = MonochromatorTruth()
    attenuator: AttenuatorTruth = AttenuatorTruth()
    knife: KnifeTruth = KnifeTruth()
    foil_stage: FoilStageTruth = FoilStageTruth()
    axes: AxesTruth = AxesTruth()
    powder: PowderTruth | None = Field(default=None, description="a powder in a cell instead of the jet, if any")

    @model_validator(mode="after")
    def _check(self) -> Scenario:
        if self.ring.buckets and self.laser.divider % self.ring.num_bunches:
            raise ValueError(
                "laser.divider must be a multiple of ring.num_bunches where ring.buckets are given: only then do the"
                " pumps come at equal distances"
            )
        return self


def parse_scenario(values: dict[str, Any], name: str = "scenario") -> Scenario:
    """Check the values of a scenario.

    Raises
    ------
    ScenarioError
        Unknown keys or invalid values; one sentence with their full names.
    """
    try:
        return Scenario.model_validate(drawn(_merged(Scenario().model_dump(), values)))
    except ValidationError as error:
        raise ScenarioError(f"{name}: " + "; ".join(map(_sentence, error.errors()))) from None


def _merged(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    for key, value in values.items():
        default = defaults.get(key)
        both_tables = isinstance(default, dict) and isinstance(value, dict)
        merged[key] = _merged(default, value) if both_tables else value  # type: ignore[arg-type]
    return merged


def _sentence(error: Any) -> str:
    key = ".".join(map(str, error["loc"])) or "scenario"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    if error["type"] in ("value_error", "missing", "model_type"):
        return f"{key}: " + error["msg"].removeprefix("Value error, ")
    return f"{key} = {error['input']!r}: " + error["msg"]


def load_scenario(path: str | Path | None = None, seed: int | None = None) -> Scenario:
    """Read a scenario file; without a path, the default one. A seed replaces that of the file.

    A bare name such as ``demo`` refers to a file that comes with the package.

    Raises
    ------
    ScenarioError
        The file is missing, is not TOML, or has an unknown key or an invalid value.
    """
    file = Path(path) if path is not None else SCENARIO_DIRECTORY / "default.toml"
    if not file.suffix and not file.is_file():
        file = SCENARIO_DIRECTORY / f"{file.name}.toml"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"scenario file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file.name} is not valid TOML: {error}") from None
    values |= {} if seed is None else {"seed": seed}
    return parse_scenario(_with_folders(values, file.absolute().parent), file.name)


def _with_folders(values: Any, folder: Path) -> Any:
    """The values with each entry ``folder`` of spectra relative to that of the scenario."""
    if not isinstance(values, dict):
        return values
    found = {key: _with_folders(value, folder) for key, value in values.items()}
    own = found.get("folder")
    return {**found, "folder": str(folder / own)} if isinstance(own, str) and own else found
