"""Thermostated cell: the temperature controller of its block, and a thermocouple inside."""

from __future__ import annotations

import asyncio

from sim_ioc.physics.powder import PowderWorld
from sim_ioc.records.channels import Limits, PutRefusedError
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out, states
from sim_ioc.timebase.timeline import Ramp

CELL = "X10DA-ES1-CELL:"
PERIOD_S = 0.05  # wall seconds between two readings
DEGC, KELVIN = Shown("degC", 3), Shown("K", 3)


class SimCell(SimDevice):
    """Setpoint, ramp, readback of the block, the inside, and an interlock.

    The setpoint is that of the block. It is in position when the readback has been within the tolerance for the
    settling time. Above the maximum the interlock trips: the heater is off, and the block cools down, until a reset.
    """

    def __init__(self, powder: PowderWorld) -> None:
        super().__init__()
        self._powder, self._clock, truth = powder, powder.world.clock, powder.truth.cell
        self._since_s: float | None = 0.0
        self._settled_s = 0.0
        self.is_stuck = False
        start = truth.start_degC
        self.setpoint = analog_out(start, DEGC, Limits(-20.0, 300.0), "setpoint of the block", self._put_setpoint)
        self.setpoint.check = self._refuse_while_tripped
        self.readback = analog_in(start, DEGC, "temperature of the block")
        self.inside = analog_in(start, DEGC, "thermocouple inside the cell")
        self.ramp = analog_out(truth.ramp_K_min, Shown("K/min", 2), Limits(0.1, 100.0), "ramp rate", self._put_ramp)
        self.tolerance = analog_out(0.3, KELVIN, Limits(0.01, 10.0), "in position: readback from setpoint")
        self.settling = analog_out(20.0, Shown("s", 1), Limits(0.0, 3600.0), "in position: for so long")
        self.maximum = analog_out(truth.highest_degC, DEGC, Limits(0.0, 300.0), "interlock: highest of the block")
        self.in_position = states("Yes", ("No", "Yes"), "bi", "whether the block is at the setpoint")
        self.interlock = states("OK", ("OK", "Tripped"), "bi", "Tripped: the heater is off")
        self.reset = states("Done", ("Done", "Reset"), "bo", "resets the interlock", self._put_reset)
        stuck = states("Normal", ("Normal", "Fault"), "bo", "the ramp stands still", self._put_stuck)
        named = {
            "Setpoint": self.setpoint, "Readback_RBV": self.readback, "Inside_RBV": self.inside, "Ramp": self.ramp,
            "Tolerance": self.tolerance, "Settling": self.settling, "Maximum": self.maximum,
            "Sample": states("In", ("Out", "In"), "bo", "powder in the cell, changed by hand", self._put_sample),
            "InPosition_RBV": self.in_position, "Interlock_RBV": self.interlock, "Reset": self.reset,
        }  # fmt: skip
        self.records = {f"{CELL}{name}": record for name, record in named.items()} | {"Fault:RampStuck": stuck}

    async def run(self) -> None:
        """Post the readings periodically."""
        while True:
            await self._show()
            await asyncio.sleep(PERIOD_S)

    async def _show(self) -> None:
        now, truth = self._clock.now(), self._powder.truth.cell
        block = self._powder.block_degC(now) + self._powder.rng.normal(0.0, truth.noise_K)
        await self.readback.post(block)
        await self.inside.post(self._powder.inside_degC(now) + self._powder.rng.normal(0.0, truth.noise_K))
        await self._judge(now, block)
        if block > float(self.maximum.value) and self.interlock.value == "OK":
            await self.interlock.post("Tripped")
            await self._go(truth.start_degC)

    async def _judge(self, now_s: float, block_degC: float) -> None:
        """In position or not; a single reading that is off by its noise takes it back."""
        if abs(block_degC - float(self.setpoint.value)) > float(self.tolerance.value):
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        settled = self._since_s is not None and now_s - self._since_s >= float(self.settling.value)
        await self.in_position.post("Yes" if settled else "No")

    def _refuse_while_tripped(self, _: float) -> None:
        if self.interlock.value != "OK":
            raise PutRefusedError("the interlock of the cell has tripped: reset it first")

    async def _put_setpoint(self, degC: float) -> None:
        self._since_s = None
        await self.in_position.post("No")
        await self._go(degC)

    async def _put_ramp(self, _: float) -> None:
        await self._go(float(self.setpoint.value))

    async def _put_reset(self, name: str) -> None:
        if name == "Reset":
            await self.interlock.post("OK")
            await self.reset.post("Done")

    async def _put_sample(self, name: str) -> None:
        self._powder.sample_in.set(self._clock.now(), name == "In")

    async def _put_stuck(self, name: str) -> None:
        self.is_stuck = name == "Fault"
        await self._go(float(self.setpoint.value))

    async def _go(self, degC: float) -> None:
        """Ramp the block from where it is."""
        now = self._clock.now()
        first = self._powder.block_degC(now)
        last = first if self.is_stuck else degC
        seconds = 60 * abs(last - first) / float(self.ramp.value)
        self._powder.ramp(Ramp(now, now + seconds, first, last))
