"""Truth of motor records that move an axis of the experiment, at stations whose axes are such records."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sim_ioc.scenario.sample import ScenarioTable


class AxisMotorTruth(ScenarioTable):
    """A motor record; without a name there is none."""

    record: str = Field(default="", pattern=r"^([A-Za-z0-9_-]+:)*[A-Za-z0-9_-]*$", description="name behind the prefix")
    low: float = Field(default=0.0, description="lower limit, in the unit of the record")
    high: float = Field(default=1.0, description="upper limit")
    speed: float = Field(default=100.0, gt=0, description="units of the record per second")

    @model_validator(mode="after")
    def _check(self) -> AxisMotorTruth:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self


class EnergyMotorTruth(AxisMotorTruth):
    """X-ray energy."""

    unit: Literal["keV", "eV"] = "keV"


class DelayMotorTruth(AxisMotorTruth):
    """Pump-probe delay: sign * (record - zero)."""

    unit: Literal["ps", "ns", "s"] = "ps"
    sign: Literal[1, -1] = 1
    zero: float = Field(default=0.0, description="record at which pump and probe coincide")


class FluenceMotorTruth(AxisMotorTruth):
    """Laser fluence."""

    unit: Literal["mJ/cm2"] = "mJ/cm2"


class AxesTruth(ScenarioTable):
    """Motor records beside the monochromator, the delay generator and the wave plate; the last one moved counts."""

    energy: EnergyMotorTruth = EnergyMotorTruth()
    delay: DelayMotorTruth = DelayMotorTruth()
    fluence: FluenceMotorTruth = FluenceMotorTruth()
