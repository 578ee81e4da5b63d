"""Liquid jet: flow of the pump and speed of the sheet."""

from __future__ import annotations

import asyncio

from caproto import AlarmSeverity, AlarmStatus

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out, states
from sim_ioc.timebase.timeline import Ramp

READBACK_PERIOD_S = 0.05  # wall seconds between two readbacks of a change
HIGHEST_FLOW_ML_MIN = 400.0


class SimJet(SimDevice):
    """The flow ramps to its setpoint at the rate of the pump; below the lowest flow there is no sheet.

    The speed of the sheet is proportional to the flow, so a slower jet leaves more of the earlier pumps in the probe.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._truth = truth = world.scenario.jet
        self._ramp = Ramp(0.0, 0.0, truth.flow_mL_min, truth.flow_mL_min)
        self._change: asyncio.Task[None] | None = None
        self._stopped = False
        shown = Shown("mL/min", 1)
        highest = max(HIGHEST_FLOW_ML_MIN, 2 * truth.flow_mL_min)
        self.flow = analog_out(truth.flow_mL_min, shown, Limits(0.0, highest), "flow of the jet", self._put)
        self.flow_rbv = analog_in(truth.flow_mL_min, shown, "flow readback")
        self.running = states("Running", ("Stopped", "Running"), "bi", "whether there is a sheet")
        prefix = "7idd:Jet:"
        self.records = {
            f"{prefix}Flow": self.flow,
            f"{prefix}Flow_RBV": self.flow_rbv,
            f"{prefix}Running_RBV": self.running,
        }

    async def set_stopped(self, stopped: bool) -> None:
        """Stop the pump whatever its setpoint, or let it run again."""
        self._stopped = stopped
        await self._aim(0.0 if stopped else float(self.flow.value))

    async def _put(self, flow_mL_min: float) -> None:
        if not self._stopped:
            await self._aim(flow_mL_min)

    async def _aim(self, flow_mL_min: float) -> None:
        if self._change is not None:
            self._change.cancel()
        now = self._world.clock.now()
        first = self._ramp.at(now)
        self._ramp = Ramp(now, now + abs(flow_mL_min - first) / self._truth.flow_rate_mL_min_s, first, flow_mL_min)
        self._change = self.spawn(self._follow())

    async def _follow(self) -> None:
        clock, end_s = self._world.clock, self._ramp.end_s
        while (now := clock.now()) < end_s:
            await self._show()
            await clock.sleep_until(min(end_s, now + READBACK_PERIOD_S * clock.speedup))
        await self._show()

    async def _show(self) -> None:
        now = self._world.clock.now()
        flow = self._ramp.at(now)
        runs = flow >= self._truth.lowest_flow_mL_min
        # Rounded to whole mL/min, since each speed of the jet needs its own model.
        speed = self._truth.speed_m_s * round(flow) / self._truth.flow_mL_min
        self._world.jet_speed_m_s.set(now, speed if runs else 0.0)
        await self.flow_rbv.post(flow)
        await self.running.post("Running" if runs else "Stopped")
        severity = AlarmSeverity.NO_ALARM if runs else AlarmSeverity.MAJOR_ALARM
        await self.running.set_alarm(severity, AlarmStatus.STATE)
