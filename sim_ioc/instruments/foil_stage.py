"""Stage that moves the foil between the chambers."""

from __future__ import annotations

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings

RANGE_MM = Limits(-20.0, 60.0)
SPEED_MM_S = 20.0


class SimFoilStage(SimDevice):
    """`m9` moves a frame with one foil, which is in the beam within its half width."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self._truth = world, world.scenario.foil_stage
        frame = MotorSettings("7idd:m9", "stage of the foil", "mm", RANGE_MM, self._truth.start_mm, SPEED_MM_S)
        self.records = MotorRecord(frame, world.clock, self.moved).records
        world.foil_in.set(world.clock.now(), self._is_in(self._truth.start_mm))

    async def moved(self, position_mm: float) -> None:
        """The stage is at a position."""
        self._world.foil_in.set(self._world.clock.now(), self._is_in(position_mm))

    def _is_in(self, position_mm: float) -> bool:
        return abs(position_mm - self._truth.foil_mm) < 0.5 * self._truth.width_mm
