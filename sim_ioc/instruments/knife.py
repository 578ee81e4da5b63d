"""A knife at the sample: two blades across the beams."""

from __future__ import annotations

from functools import partial

from sim_ioc.physics.spots import AXES, PARKED_UM
from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings

RANGE_UM = Limits(-3000.0, 3000.0)
SPEED_UM_S = 2000.0


class SimKnife(SimDevice):
    """`m6` covers the beams along the flow of the jet, `m7` across it; out of them at start-up."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        for motor, axis in zip(("m6", "m7"), AXES, strict=True):
            blade = MotorSettings(f"7idd:{motor}", f"blade {axis} the flow", "um", RANGE_UM, PARKED_UM, SPEED_UM_S)
            self.records |= MotorRecord(blade, world.clock, partial(self.moved, axis)).records

    async def moved(self, axis: str, position_um: float) -> None:
        """A blade is at a position."""
        now = self._world.clock.now()
        self._world.blades.set(now, self._world.blades.at(now).moved(**{f"{axis}_um": position_um}))
