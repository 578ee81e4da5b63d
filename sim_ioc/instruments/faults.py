"""Faults as PVs: a put of 1 causes one, a put of 0 ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from caproto import AlarmSeverity, AlarmStatus

from sim_ioc.instruments.frames import SimFrames
from sim_ioc.instruments.jet import SimJet
from sim_ioc.instruments.laser import SimLaser
from sim_ioc.instruments.mono import SimMonochromator
from sim_ioc.instruments.ring import SimRing
from sim_ioc.instruments.scaler import SimScaler
from sim_ioc.instruments.timing import SimBunchTiming
from sim_ioc.physics.world import World
from sim_ioc.records.channels import EnumChannel, Limits, PutRefusedError
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, long_out, states, text_out

MISSING_FRACTION = 0.1
NOBODY = "none"


@dataclass(frozen=True)
class Breakable:
    """The devices with faults of their own."""

    ring: SimRing
    laser: SimLaser
    mono: SimMonochromator
    scaler: SimScaler
    jet: SimJet
    timing: SimBunchTiming
    frames: SimFrames


class Faults(SimDevice):
    """Switches that cause faults in the other devices.

    Parameters
    ----------
    world
        State of the beamline.
    parts
        Devices with faults of their own.
    devices
        All devices by short name: any of them can go silent, any of their records can go into alarm.
    """

    def __init__(self, world: World, parts: Breakable, devices: Mapping[str, SimDevice]) -> None:
        super().__init__()
        self._world, self._parts, self._devices = world, parts, devices
        actions: dict[str, tuple[str, Callable[[bool], Awaitable[None]]]] = {
            "BeamDump": ("the ring loses its beam, and with it the permit", self._beam_dump),
            "PermitLost": ("the X-ray shutter loses its permit and shuts", parts.ring.withdraw_permit),
            "LaserUnlocked": ("the laser loses its lock", self._laser_unlocked),
            "LaserPhaseSlip": ("the laser pumps one bunch late", parts.timing.slip),
            "LaserShutterStuck": ("the laser shutter does not move", self._laser_shutter_stuck),
            "XrayShutterStuck": ("the X-ray shutter does not move", self._xray_shutter_stuck),
            "WavePlateStuck": ("the wave plate reports a move and never arrives", self._wave_plate_stuck),
            "MonoStuck": ("the monochromator reports a move and never arrives", parts.mono.set_stuck),
            "JetStopped": ("the pump of the jet stops", parts.jet.set_stopped),
            "GateSaturated": ("one phase has a hit in every gate", self._gate_saturated),
            "MissingShots": ("a tenth of the gates do not open", self._missing_shots),
            "I0NaN": ("I0 reads NaN", self._i0_nan),
            "EnergyNaN": ("the energy readback is NaN", self._energy_nan),
        }
        self.records = {f"Fault:{name}": self._switch(*what) for name, what in actions.items()} | self._of_frames()
        self._in_alarm: Any = None
        alarm = text_out("", "name of a PV, without prefix, that goes into MAJOR alarm; empty: none", self._alarm)
        alarm.check = self._check_alarm
        names = (NOBODY, *devices)
        self.records["Fault:AlarmOn"] = alarm
        silent = text_out(NOBODY, f"device that stops replying: {', '.join(names)}", self._silence)
        silent.check = self._check_silent
        self.records["Fault:Silent"] = silent

    def _of_frames(self) -> dict[str, Any]:
        """How many frames of each sweep are lost, sent twice, or latched late."""

        def setter(kind: str) -> Callable[[int], Awaitable[None]]:
            async def handler(number: int) -> None:
                setattr(self._parts.frames, kind, number)

            return handler

        return {
            f"Fault:{kind.capitalize()}Frames": long_out(
                0, Shown("frames"), Limits(0, 1000), f"frames of each sweep that are {kind}", setter(kind)
            )
            for kind in ("lost", "doubled", "late")
        }

    @staticmethod
    def _switch(meaning: str, action: Callable[[bool], Awaitable[None]]) -> EnumChannel:
        async def handler(name: str) -> None:
            await action(name == "Fault")

        return states("Normal", ("Normal", "Fault"), "bo", meaning, handler)

    async def _beam_dump(self, on: bool) -> None:
        await self._parts.ring.set_beam(not on)

    async def _laser_unlocked(self, on: bool) -> None:
        await self._parts.laser.set_lock(not on)

    async def _laser_shutter_stuck(self, on: bool) -> None:
        self._parts.laser.is_stuck = on

    async def _xray_shutter_stuck(self, on: bool) -> None:
        self._parts.ring.shutter_is_stuck = on

    async def _wave_plate_stuck(self, on: bool) -> None:
        self._parts.laser.wave_plate.is_stuck = on

    async def _gate_saturated(self, on: bool) -> None:
        self._world.saturated.set(self._world.clock.now(), on)

    async def _missing_shots(self, on: bool) -> None:
        self._world.missing_fraction.set(self._world.clock.now(), MISSING_FRACTION if on else 0.0)

    async def _i0_nan(self, on: bool) -> None:
        self._parts.scaler.i0_is_nan = on

    async def _energy_nan(self, on: bool) -> None:
        self._parts.mono.readback_is_nan = on
        await self._parts.mono.show_readback()

    def _record(self, name: str) -> Any:
        return next((device.records[name] for device in self._devices.values() if name in device.records), None)

    def _check_alarm(self, name: str) -> None:
        if name and self._record(name) is None:
            raise PutRefusedError(f"no PV {name} that could go into alarm")

    async def _alarm(self, name: str) -> None:
        if self._in_alarm is not None:
            await self._in_alarm.set_alarm(AlarmSeverity.NO_ALARM, AlarmStatus.NO_ALARM)
        self._in_alarm = self._record(name)
        if self._in_alarm is not None:
            await self._in_alarm.set_alarm(AlarmSeverity.MAJOR_ALARM, AlarmStatus.HIHI)

    def _check_silent(self, name: str) -> None:
        if name not in (NOBODY, *self._devices):
            raise PutRefusedError(f"no device {name} that could stop replying")

    async def _silence(self, name: str) -> None:
        for short, device in self._devices.items():
            for record in device.records.values():
                for channel in (record, *record.fields.values()):
                    if channel.silent != (short == name):
                        await channel.set_silent(short == name)
