"""Avalanche photodiode (APD) and the discriminator behind it."""

from __future__ import annotations

import asyncio

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out
from sim_ioc.timebase.timeline import Ramp

THRESHOLD_STEP_MV = 0.1
HIGHEST_FRACTION_OF_BREAKDOWN = 0.97
RAMP_PERIOD_S = 0.02  # wall seconds between two readings of a bias that ramps
TEMPERATURE_PERIOD_S = 0.5  # wall seconds between two readings of the temperature


class SimApd(SimDevice):
    """The bias ramps to its setpoint; the threshold changes at once, in steps of its converter."""

    def __init__(self, world: World, prefix: str = "7idd:APD1:") -> None:
        super().__init__()
        self._world = world
        truth = world.scenario.detector
        volts, millivolts = Shown("V", 2), Shown("mV", 2)
        highest_V = HIGHEST_FRACTION_OF_BREAKDOWN * truth.breakdown_V
        self.hv = analog_out(truth.hv_V, volts, Limits(0.0, highest_V), "bias of the APD", self._put_hv)
        self.hv_readback = analog_in(truth.hv_V, volts, "bias readback, also during a ramp")
        self.temperature = analog_in(truth.temperature_degC, Shown("degC", 3), "temperature of the APD")
        self.threshold = analog_out(
            truth.threshold_mV,
            millivolts,
            Limits(0.0, 1000.0),
            "discriminator, below the baseline",
            self._put_threshold,
        )
        self.threshold_readback = analog_in(truth.threshold_mV, millivolts, "threshold readback")
        self.records = {
            f"{prefix}HV": self.hv,
            f"{prefix}HV_RBV": self.hv_readback,
            f"{prefix}Temperature_RBV": self.temperature,
            f"{prefix}Threshold": self.threshold,
            f"{prefix}Threshold_RBV": self.threshold_readback,
        }

    async def run(self) -> None:
        """Post the temperature periodically."""
        while True:
            await self.temperature.post(self._world.temperature_degC(self._world.clock.now()))
            await asyncio.sleep(TEMPERATURE_PERIOD_S)

    async def _put_hv(self, volts: float) -> None:
        now = self._world.clock.now()
        here = self._world.hv_V.at(now).at(now)
        takes_s = abs(volts - here) / self._world.scenario.detector.hv_ramp_V_s
        ramp = Ramp(now, now + takes_s, here, volts)
        self._world.hv_V.set(now, ramp)
        self.spawn(self._show(ramp))

    async def _show(self, ramp: Ramp) -> None:
        """Post the bias until this ramp has ended or another one has started."""
        clock = self._world.clock
        while (now := clock.now()) < ramp.end_s and self._world.hv_V.at(now) is ramp:
            await self.hv_readback.post(ramp.at(now))
            await clock.sleep_until(min(ramp.end_s, now + RAMP_PERIOD_S * clock.speedup))
        if self._world.hv_V.at(now) is ramp:
            await self.hv_readback.post(ramp.last)

    async def _put_threshold(self, millivolts: float) -> None:
        taken = round(millivolts / THRESHOLD_STEP_MV) * THRESHOLD_STEP_MV
        self._world.threshold_mV.set(self._world.clock.now(), taken)
        await self.threshold_readback.post(taken)
