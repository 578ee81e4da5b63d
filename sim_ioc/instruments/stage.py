"""Stage that carries the jet: two motors across the X-ray beam."""

from __future__ import annotations

from math import erf

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings

RANGE_MM = Limits(-15.0, 15.0)
SPEED_MM_S = 2.0


class SimSampleStage(SimDevice):
    """`m2` moves the jet across the flow, `m3` along it; at 0 and 0 the beam hits its centre."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._position_mm = {"m2": 0.0, "m3": 0.0}
        across = MotorSettings("7idd:m2", "jet across its flow", "mm", RANGE_MM, 0.0, SPEED_MM_S)
        along = MotorSettings("7idd:m3", "jet along its flow", "mm", RANGE_MM, 0.0, SPEED_MM_S)
        self.records = MotorRecord(across, world.clock, self._moved_across).records
        self.records |= MotorRecord(along, world.clock, self._moved_along).records

    async def _moved_across(self, position_mm: float) -> None:
        self._moved("m2", position_mm)

    async def _moved_along(self, position_mm: float) -> None:
        self._moved("m3", position_mm)

    def _moved(self, motor: str, position_mm: float) -> None:
        self._position_mm[motor] = position_mm
        jet = self._world.scenario.jet
        sigma_mm = jet.probe_spot_um * 1e-3 / 2.3548
        fraction = _inside(self._position_mm["m2"], jet.width_mm, sigma_mm)
        fraction *= _inside(self._position_mm["m3"], jet.height_mm, sigma_mm)
        self._world.sample_fraction.set(self._world.clock.now(), fraction)


def _inside(position_mm: float, width_mm: float, sigma_mm: float) -> float:
    """Fraction of a Gaussian beam between the edges of a sheet centred at `position_mm`."""
    scale = sigma_mm * 2**0.5
    return 0.5 * (erf((position_mm + width_mm / 2) / scale) - erf((position_mm - width_mm / 2) / scale))
