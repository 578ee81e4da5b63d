"""Storage ring and the X-ray shutter of the beamline."""

from __future__ import annotations

import asyncio

import numpy as np
from caproto import AlarmSeverity, AlarmStatus

from sim_ioc.physics.world import FloatArray, World
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, double_waveform, states
from sim_ioc.scenario.scenario import RingTruth

CURRENT_PERIOD_S = 0.5  # wall seconds between two readings of the current
LEAST_FILL_PERIOD_S = 0.1  # wall seconds between two readings of the fill pattern, where the clock runs fast


def fill_pattern(ring: RingTruth, pulse_weight: FloatArray) -> FloatArray:
    """Current of each bucket in mA; the bunches of a group share the charge of their pulse."""
    buckets = np.zeros(ring.harmonic)
    spacing = ring.harmonic // ring.num_bunches
    firsts = ring.buckets or tuple(range(0, spacing * ring.num_bunches, spacing))
    sizes = ring.group_sizes or (1,) * ring.num_bunches
    for first, size, weight in zip(firsts, sizes, pulse_weight, strict=True):
        buckets[first : first + size] = weight * ring.current_mA / ring.num_bunches / size
    return buckets


class SimRing(SimDevice):
    """Current, mode, permit and fill pattern; momentary commands open and shut the X-ray shutter."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._wanted = "Open"
        self._fill_rng = world.random("fill")
        self.shutter_is_stuck = False
        ring, model = world.scenario.ring, world.model
        to_topup = world.seconds_to_topup(0.0)
        self.to_topup = analog_in(to_topup, Shown("s", 1), "seconds until the next top-up")
        self.current = analog_in(world.current_mA(0.0), Shown("mA", 3), "ring current")
        self.current_elsewhere = analog_in(world.current_mA(0.0), Shown("mA", 3), "ring current, as the SLS names it")
        modes = ("User Operations", "Bm Studies", "Startup", "No Beam")
        self.permit = states("PERMIT", ("NO PERMIT", "PERMIT"), "bi", "permit to open the X-ray shutter")
        self.status = states("Open", ("Shut", "Open"), "bi", "state of the X-ray shutter")
        self.fill = double_waveform(
            list(fill_pattern(ring, model.bunch_weight)), Shown("mA", 4), "charge of each bucket"
        )
        self.open = states("Done", ("Done", "Open"), "bo", "1 opens the X-ray shutter", self._put_open)
        self.close = states("Done", ("Done", "Close"), "bo", "1 shuts the X-ray shutter", self._put_close)
        self.mode = states(modes[0], modes, "mbbi", "operating mode of the ring")
        self.records = {
            "S-DCCT:CurrentM": self.current,
            "Mt:TopUpTime2Inject": self.to_topup,
            "S:DesiredMode": self.mode,
            "XFD:ShutterPermit": self.permit,
            "Mt:S:FillPatternWF": self.fill,
            "7ida:rShtrA:Open": self.open,
            "7ida:rShtrA:Close": self.close,
            "7ida:rShtrA:Status_RBV": self.status,
        }

    async def _post_fill(self, now_s: float) -> None:
        """Post the fill pattern as it is measured, with noise; without beam it stays as it was."""
        ring = self._world.scenario.ring
        if self._world.current_mA(now_s) <= 0:
            return
        charge = fill_pattern(ring, self._world.bunch_weight(now_s)) * self._world.current_mA(now_s) / ring.current_mA
        noise = ring.fill_record_noise * self._fill_rng.standard_normal(charge.size)
        await self.fill.post(charge * (1 + noise))

    async def run_fill(self) -> None:
        """Post the fill pattern as often as the record is updated, and no more than ten times a second."""
        while True:
            await self._post_fill(self._world.clock.now())
            period = self._world.scenario.ring.fill_record_period_s
            await asyncio.sleep(max(period / self._world.clock.speedup, LEAST_FILL_PERIOD_S))

    async def run(self) -> None:
        """Post the current and the time to the next top-up periodically."""
        self.spawn(self.run_fill())
        while True:
            now = self._world.clock.now()
            await self.to_topup.post(self._world.seconds_to_topup(now))
            await self._post_current(now)
            await asyncio.sleep(CURRENT_PERIOD_S)

    async def _post_current(self, now_s: float) -> None:
        for record in (self.current, self.current_elsewhere):
            await record.post(self._world.current_mA(now_s))

    async def set_beam(self, stored: bool) -> None:
        """Dump or restore the beam."""
        now = self._world.clock.now()
        self._world.beam_stored.set(now, stored)
        await self._post_current(now)
        await self.mode.post(self.mode.enum_strings[0] if stored else "No Beam")
        severity = AlarmSeverity.NO_ALARM if stored else AlarmSeverity.MAJOR_ALARM
        await self.current.set_alarm(severity, AlarmStatus.LOLO)
        await self.set_permit(stored)

    async def set_permit(self, given: bool) -> None:
        """Grant or withdraw the permit of the X-ray shutter.

        Without it the shutter shuts by itself and refuses to open. When the permit returns, it stays shut until a
        command opens it.
        """
        await self.permit.post("PERMIT" if given else "NO PERMIT")
        if not given:
            await self._command("Shut")

    async def withdraw_permit(self, withdrawn: bool) -> None:
        """Withdraw the permit alone, with the beam stored."""
        await self.set_permit(not withdrawn)

    async def _put_open(self, name: str) -> None:
        if name == "Open":
            if self.permit.value == "PERMIT":
                await self._command("Open")
            await self.open.post("Done")

    async def _put_close(self, name: str) -> None:
        if name == "Close":
            await self._command("Shut")
            await self.close.post("Done")

    async def _command(self, wanted: str) -> None:
        self._wanted = wanted
        self.spawn(self._travel(wanted))

    async def _travel(self, wanted: str) -> None:
        await self._world.clock.sleep(self._world.scenario.ring.xray_shutter_travel_s)
        if wanted != self._wanted or self.shutter_is_stuck:
            return
        self._world.xray_open.set(self._world.clock.now(), wanted == "Open")
        await self.status.post(wanted)
