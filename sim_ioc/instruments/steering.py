"""Steering and focus of the pump laser: two motors that move its spot across the sample, and one with its lens."""

from __future__ import annotations

from functools import partial

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings

MOTORS = (
    MotorSettings("7idd:m4", "laser spot along the flow", "um", Limits(-1000.0, 1000.0), 0.0, 200.0),
    MotorSettings("7idd:m5", "laser spot across the flow", "um", Limits(-1000.0, 1000.0), 0.0, 200.0),
    MotorSettings("7idd:m8", "lens of the laser", "mm", Limits(-50.0, 50.0), 0.0, 10.0),
)
MOVES = {"m4": "along_um", "m5": "across_um", "m8": "lens_mm"}


class SimSteering(SimDevice):
    """Where both spots meet, and where the lens focuses, are truths."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        for settings in MOTORS:
            name = settings.name.partition(":")[2]
            self.records |= MotorRecord(settings, world.clock, partial(self.moved, name)).records

    async def moved(self, motor: str, position: float) -> None:
        """A motor is at a position."""
        now = self._world.clock.now()
        self._world.laser_spot.set(now, self._world.laser_spot.at(now).moved(**{MOVES[motor]: position}))
