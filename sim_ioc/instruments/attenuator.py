"""Filters in the X-ray beam before I0."""

from __future__ import annotations

from math import exp

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings

RANGE = Limits(0.0, 6.0)
SPEED_PER_S = 2.0


class SimAttenuator(SimDevice):
    """A wedge: its position is its absorbance."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        start = world.scenario.attenuator.start
        wedge = MotorSettings("7ida:Attenuator", "absorbance of the filters before I0", "ln", RANGE, start, SPEED_PER_S)
        self.records = MotorRecord(wedge, world.clock, self.moved).records
        world.filter_share.set(world.clock.now(), exp(-start))

    async def moved(self, absorbance: float) -> None:
        """The wedge is at an absorbance."""
        self._world.filter_share.set(self._world.clock.now(), exp(-absorbance))
