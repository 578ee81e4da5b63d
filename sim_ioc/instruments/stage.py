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
    """`m2` moves the jet across the flow, `m3` along it; at 0 and 0 the beam meets its middle."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._place_mm = {"m2": 0.0, "m3": 0.0}
        across = MotorSettings("7idd:m2", "jet across its flow", "mm", RANGE_MM, 0.0, SPEED_MM_S)
        along = MotorSettings("7idd:m3", "jet along its flow", "mm", RANGE_MM, 0.0, SPEED_MM_S)
        self.records = MotorRecord(across, world.clock, self._moved_across).records
        self.records |= MotorRecord(along, world.clock, self._moved_along).records

    async def _moved_across(self, place_mm: float) -> None:
        self._moved("m2", place_mm)

    async def _moved_along(self, place_mm: float) -> None:
        self._moved("m3", place_mm)

    def _moved(self, motor: str, place_mm: float) -> None:
        self._place_mm[motor] = place_mm
        jet = self._world.scenario.jet
        sigma_mm = jet.probe_spot_um * 1e-3 / 2.3548
        share = _inside(self._place_mm["m2"], jet.width_mm, sigma_mm)
        share *= _inside(self._place_mm["m3"], jet.height_mm, sigma_mm)
        self._world.sample_share.set(self._world.clock.now(), share)


def _inside(place_mm: float, width_mm: float, sigma_mm: float) -> float:
    """Share of a Gaussian beam that falls between the edges of a sheet whose middle is at `place_mm`."""
    scale = sigma_mm * 2**0.5
    return 0.5 * (erf((place_mm + width_mm / 2) / scale) - erf((place_mm - width_mm / 2) / scale))
