"""Pump-probe delay: a delay generator and a fine phase shifter. delay = t0 - generator + fine, or the other way.

At either end of its range the phase shifter slips: the delay then steps without a change of any readback.
"""

from __future__ import annotations

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out

GENERATOR_RANGE_S = Limits(0.0, 2e-6)


class SimDelayGenerator(SimDevice):
    """Setpoints are rounded to the resolution of the instrument; the readbacks show the result."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._truth = world.scenario.delay
        self._fine_ps = 0.0
        start_s = max(self._truth.t0_ns * 1e-9 - self._truth.start_ps * 1e-12, 0.0)
        self._generator_s = self._rounded(start_s, self._truth.resolution_ps * 1e-12)
        fine_range = Limits(-self._truth.fine_range_ps, self._truth.fine_range_ps)
        s, ps = Shown("s", 12, GENERATOR_RANGE_S), Shown("ps", 1, fine_range)
        self.generator = analog_out(
            self._generator_s, s, GENERATOR_RANGE_S, "delay of the laser pulse", self._put_generator
        )
        self.generator_rbv = analog_in(self._generator_s, s, "readback of the laser delay")
        self.fine = analog_out(0.0, ps, fine_range, "fine phase, adds to the pump-probe delay", self._put_fine)
        self.fine_rbv = analog_in(0.0, ps, "readback of the fine phase")
        self.records = {
            "7idd:DG1:ADelayAO": self.generator,
            "7idd:DG1:ADelayAI": self.generator_rbv,
            "7idd:digDelay1:delay": self.fine,
            "7idd:digDelay1:actualDelay": self.fine_rbv,
        }
        world.delay_ps.set(world.clock.now(), self._delay_ps())

    @staticmethod
    def _rounded(value: float, step: float) -> float:
        return round(value / step) * step

    def _delay_ps(self) -> float:
        slipped = abs(self._fine_ps) >= self._truth.fine_range_ps - 0.5 * self._truth.fine_resolution_ps
        step = self._truth.limit_step_ps if slipped else 0.0
        delay = self._truth.t0_ns * 1e3 - self._generator_s * 1e12 + self._fine_ps + step
        return self._truth.sign * delay

    async def _put_generator(self, seconds: float) -> None:
        self._generator_s = self._rounded(seconds, self._truth.resolution_ps * 1e-12)
        self._world.delay_ps.set(self._world.clock.now(), self._delay_ps())
        await self.generator_rbv.post(self._generator_s)

    async def _put_fine(self, picoseconds: float) -> None:
        self._fine_ps = self._rounded(picoseconds, self._truth.fine_resolution_ps)
        self._world.delay_ps.set(self._world.clock.now(), self._delay_ps())
        await self.fine_rbv.post(self._fine_ps)
