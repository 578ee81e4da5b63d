"""Faults as PVs: a put of 1 causes one, a put of 0 ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sim_ioc.channels import EnumChannel
from sim_ioc.device import SimDevice
from sim_ioc.laser import Laser
from sim_ioc.mono import Monochromator
from sim_ioc.records import states
from sim_ioc.ring import RingAndShutter
from sim_ioc.scaler import Scaler
from sim_ioc.world import World


class Faults(SimDevice):
    """Switches that break the other devices."""

    def __init__(self, world: World, ring: RingAndShutter, laser: Laser, mono: Monochromator, scaler: Scaler) -> None:
        super().__init__()
        self._world, self._ring, self._laser, self._mono, self._scaler = world, ring, laser, mono, scaler
        self.records = {
            "Fault:BeamDump": self._switch("the ring loses its beam", self._beam_dump),
            "Fault:LaserUnlocked": self._switch("the laser loses its lock", self._laser_unlocked),
            "Fault:LaserShutterStuck": self._switch("the laser shutter does not move", self._shutter_stuck),
            "Fault:GateSaturated": self._switch("one phase has a hit in every gate", self._gate_saturated),
            "Fault:I0NaN": self._switch("I0 reads NaN", self._i0_nan),
            "Fault:EnergyNaN": self._switch("the energy readback is NaN", self._energy_nan),
        }

    @staticmethod
    def _switch(meaning: str, action: Callable[[bool], Awaitable[None]]) -> EnumChannel:
        async def handler(name: str) -> None:
            await action(name == "Fault")

        return states("Normal", ("Normal", "Fault"), "bo", meaning, handler)

    async def _beam_dump(self, on: bool) -> None:
        await self._ring.set_beam(not on)

    async def _laser_unlocked(self, on: bool) -> None:
        await self._laser.set_lock(not on)

    async def _shutter_stuck(self, on: bool) -> None:
        self._laser.is_stuck = on

    async def _gate_saturated(self, on: bool) -> None:
        self._world.saturated.set(self._world.clock.now(), on)

    async def _i0_nan(self, on: bool) -> None:
        self._scaler.i0_is_nan = on

    async def _energy_nan(self, on: bool) -> None:
        self._mono.readback_is_nan = on
        await self._mono.show_readback()
