"""Storage ring and the X-ray shutter of the beamline."""

from __future__ import annotations

import asyncio

import numpy as np

from sim_ioc.device import SimDevice
from sim_ioc.records import Shown, analog_in, double_waveform, states
from sim_ioc.world import World

CURRENT_PERIOD_S = 0.5  # wall seconds between two readings of the current


class RingAndShutter(SimDevice):
    """Current, mode, permit and fill pattern; the shutter opens and shuts on momentary commands."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._wanted = "Open"
        ring, model = world.scenario.ring, world.model
        self.current = analog_in(world.current_mA(0.0), Shown("mA", 3), "ring current")
        modes = ("User Operations", "Bm Studies", "Startup", "No Beam")
        self.permit = states("PERMIT", ("NO PERMIT", "PERMIT"), "bi", "leave to open the X-ray shutter")
        self.status = states("Open", ("Shut", "Open"), "bi", "where the X-ray shutter is")
        self.open = states("Done", ("Done", "Open"), "bo", "1 opens the X-ray shutter", self._put_open)
        self.close = states("Done", ("Done", "Close"), "bo", "1 shuts the X-ray shutter", self._put_close)
        buckets = np.zeros(ring.harmonic)
        spacing = ring.harmonic // ring.num_bunches
        buckets[::spacing] = model.bunch_weight * ring.current_mA / ring.num_bunches
        self.records = {
            "S-DCCT:CurrentM": self.current,
            "S:DesiredMode": states(modes[0], modes, "mbbi", "what the ring is run for"),
            "XFD:ShutterPermit": self.permit,
            "Mt:S:FillPatternWF": double_waveform(list(buckets), Shown("mA", 4), "charge of each bucket"),
            "7ida:rShtrA:Open": self.open,
            "7ida:rShtrA:Close": self.close,
            "7ida:rShtrA:Status_RBV": self.status,
        }

    async def run(self) -> None:
        """Read the current from time to time."""
        while True:
            await self.current.post(self._world.current_mA(self._world.clock.now()))
            await asyncio.sleep(CURRENT_PERIOD_S)

    async def set_beam(self, stored: bool) -> None:
        """Dump the beam or have it back."""
        now = self._world.clock.now()
        self._world.beam_stored.set(now, stored)
        await self.current.post(self._world.current_mA(now))
        await self.permit.post("PERMIT" if stored else "NO PERMIT")

    async def _put_open(self, name: str) -> None:
        if name == "Open":
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
        if wanted != self._wanted:
            return
        self._world.xray_open.set(self._world.clock.now(), wanted == "Open")
        await self.status.post(wanted)
