"""Bunch timing: rates and pattern of the ring and the laser."""

from __future__ import annotations

from sim_ioc.instruments.fpga import SimFpga
from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, long_in, long_out


class SimBunchTiming(SimDevice):
    """Rates and pattern; the laser phase moves by whole bunches, and the counter follows."""

    def __init__(self, world: World, fpga: SimFpga) -> None:
        super().__init__()
        self._world = world
        self._fpga = fpga
        ring, model = world.scenario.ring, world.model
        self.laser_phase = long_out(
            model.laser_phase, Shown(), Limits(0, model.divider - 1), "first pumped bunch", self._put_laser_phase
        )
        hertz = Shown("Hz", 3)
        prefix = "7idd:Timing:"
        self.records = {
            f"{prefix}RFFrequency_RBV": analog_in(ring.rf_MHz * 1e6, hertz, "frequency of the ring's RF"),
            f"{prefix}Harmonic_RBV": long_in(ring.harmonic, Shown(), "buckets in the ring"),
            f"{prefix}NumBunches_RBV": long_in(model.num_bunches, Shown(), "bunches in the ring"),
            f"{prefix}LaserDivider": long_in(model.divider, Shown(), "bunches per pump pulse"),
            f"{prefix}BunchRate_RBV": analog_in(model.bunch_rate_hz, hertz, "X-ray pulses per second"),
            f"{prefix}LaserRate_RBV": analog_in(model.laser_rate_hz, hertz, "pump pulses per second"),
            f"{prefix}LaserPhase": self.laser_phase,
        }

    async def _put_laser_phase(self, phase: int) -> None:
        await self._pump(phase)

    async def slip(self, slipped: bool) -> None:
        """Make the laser pump one bunch late, or as set again; the counter follows."""
        await self._pump((self.laser_phase.value + slipped) % self._world.model.divider)

    async def _pump(self, phase: int) -> None:
        self._world.laser_phase.set(self._world.clock.now(), phase)
        await self._fpga.laser_phase.post(phase)
