"""Pump laser: shutter, lock to the ring, pulse energy."""

from __future__ import annotations

import asyncio
import math

import numpy as np
from caproto import AlarmSeverity, AlarmStatus

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, states
from sim_ioc.records.motor import MotorRecord, MotorSettings

WAVE_PLATE_DEG_S = 20.0
UNLOCKED_ERROR_PS = 5e4
READING_PERIOD_S = 0.5  # wall seconds between two readings of the lock


def wave_plate_angle_deg(fluence_mJ_cm2: float, highest_mJ_cm2: float) -> float:
    """Angle of the half-wave plate before a polariser: F = Fmax sin^2(2 angle), from 0 to 45 degrees."""
    return math.degrees(math.asin(math.sqrt(fluence_mJ_cm2 / highest_mJ_cm2))) / 2


class SimLaser(SimDevice):
    """The shutter reaches its state after a travel time; the wave plate sets the pulse energy."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._rng: np.random.Generator = world.random("laser")
        self.is_stuck = False
        self.command = states("Shut", ("Shut", "Open"), "bo", "shutter: 1 opens, 0 shuts", self._put_shutter)
        self.status = states("Shut", ("Shut", "Open"), "bi", "shutter state")
        self.locked = states("Locked", ("Unlocked", "Locked"), "bi", "whether the laser follows the ring")
        self.lock_error = analog_in(0.0, Shown("ps", 3), "timing error of the lock")
        self.pulse_energy = analog_in(self._pulse_energy_uJ(), Shown("uJ", 5), "energy of a pulse on the sample")
        self.repetition_rate = analog_in(world.model.laser_rate_hz, Shown("Hz", 3), "pump pulses per second, from RF")
        prefix = "7idd:Laser:"
        self.records = {
            f"{prefix}Shutter": self.command,
            f"{prefix}ShutterStatus_RBV": self.status,
            f"{prefix}Locked_RBV": self.locked,
            f"{prefix}LockError_RBV": self.lock_error,
            f"{prefix}PulseEnergy_RBV": self.pulse_energy,
            f"{prefix}RepRate_RBV": self.repetition_rate,
        }
        truth = world.scenario.laser
        angle = wave_plate_angle_deg(truth.fluence_mJ_cm2, truth.highest_fluence_mJ_cm2)
        plate = MotorSettings(
            "7idd:m1", "wave plate, sets the pump fluence", "deg", Limits(0.0, 45.0), angle, WAVE_PLATE_DEG_S
        )
        self.wave_plate = MotorRecord(plate, world.clock, self._turn_wave_plate)
        self.records |= self.wave_plate.records

    async def run(self) -> None:
        """Post the lock error periodically."""
        while True:
            await self._read_lock_error()
            await asyncio.sleep(READING_PERIOD_S)

    def _pulse_energy_uJ(self) -> float:
        """Pulse energy of a Gaussian spot from its peak fluence: F pi w h / (4 ln 2)."""
        laser = self._world.scenario.laser
        area_um2 = math.pi * laser.spot_fwhm_um * laser.spot_across_fwhm_um / (4 * math.log(2))
        fluence = self._world.fluence_mJ_cm2.at(self._world.clock.now())
        return fluence * 1e-5 * area_um2  # 1 mJ/cm2 is 1e-5 uJ/um2

    async def _turn_wave_plate(self, angle_deg: float) -> None:
        fluence = self._world.scenario.laser.highest_fluence_mJ_cm2 * math.sin(2 * math.radians(angle_deg)) ** 2
        self._world.fluence_mJ_cm2.set(self._world.clock.now(), fluence)
        await self.pulse_energy.post(self._pulse_energy_uJ())

    async def _put_shutter(self, name: str) -> None:
        self.spawn(self._travel(name))

    async def _travel(self, name: str) -> None:
        await self._world.clock.sleep(self._world.scenario.laser.shutter_travel_s)
        # A later command has overtaken this one: the last command wins.
        if name != self.command.value or self.is_stuck:
            return
        self._world.laser_open.set(self._world.clock.now(), name == "Open")
        await self.status.post(name)

    async def set_lock(self, locked: bool) -> None:
        """Lose or regain the lock."""
        self._world.laser_locked.set(self._world.clock.now(), locked)
        # A locked laser runs at the RF over the divider; an unlocked one at its own rate.
        off = 0.0 if locked else self._world.scenario.laser.free_running_off_Hz
        await self.repetition_rate.post(self._world.model.laser_rate_hz + off)
        await self.locked.post("Locked" if locked else "Unlocked")
        severity = AlarmSeverity.NO_ALARM if locked else AlarmSeverity.MAJOR_ALARM
        await self.locked.set_alarm(severity, AlarmStatus.STATE)
        await self.lock_error.set_alarm(severity, AlarmStatus.HIHI)
        await self._read_lock_error()

    async def _read_lock_error(self) -> None:
        locked = self.locked.value == "Locked"
        rms = self._world.scenario.laser.lock_error_rms_ps if locked else UNLOCKED_ERROR_PS
        await self.lock_error.post(float(self._rng.normal(0.0, rms)))
