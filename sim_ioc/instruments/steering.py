"""Steering of the pump laser: two motors that move its spot across the sample."""

from __future__ import annotations

from functools import partial

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings

RANGE_UM = Limits(-1000.0, 1000.0)
SPEED_UM_S = 200.0


class SimSteering(SimDevice):
    """`m4` moves the spot along the flow of the jet, `m5` across it; where both spots meet is a truth."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._position_um = {"m4": 0.0, "m5": 0.0}
        along = MotorSettings("7idd:m4", "laser spot along the flow", "um", RANGE_UM, 0.0, SPEED_UM_S)
        across = MotorSettings("7idd:m5", "laser spot across the flow", "um", RANGE_UM, 0.0, SPEED_UM_S)
        self.records = MotorRecord(along, world.clock, partial(self.moved, "m4")).records
        self.records |= MotorRecord(across, world.clock, partial(self.moved, "m5")).records
        world.laser_share.set(world.clock.now(), self._share())

    async def moved(self, motor: str, position_um: float) -> None:
        """A motor is at a position."""
        self._position_um[motor] = position_um
        self._world.laser_share.set(self._world.clock.now(), self._share())

    def _share(self) -> float:
        """Fluence at the X-ray spot, in that of the middle of the laser spot; both spots are Gaussian."""
        laser, probe = self._world.scenario.laser, self._world.scenario.jet.probe_spot_um
        share = 1.0
        for motor, centre, fwhm in (
            ("m4", laser.steering_along_um, laser.spot_fwhm_um),
            ("m5", laser.steering_across_um, laser.spot_across_fwhm_um),
        ):
            away = self._position_um[motor] - centre
            share *= 0.5 ** (4 * away**2 / (fwhm**2 + probe**2))
        return share
