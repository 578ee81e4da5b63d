"""Double-crystal monochromator, diamond (111), with the PVs of the synApps Kohzu support."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np

from sim_ioc.instruments.trajectory import SimTrajectory
from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out, states
from sim_ioc.records.motor import MotorRecord, MotorSettings
from sim_ioc.timebase.timeline import Ramp, Timeline

HC_keV_A = 12.398419843  # CODATA 2018
DIAMOND_111_A = 3.56683 / math.sqrt(3)
CRYSTAL_URAD_S = 50.0
READBACK_PERIOD_S = 0.05  # wall seconds between two readbacks of a move


def bragg_angle_deg(energy_keV: float) -> float:
    """Bragg angle of diamond (111) at an energy."""
    return math.degrees(math.asin(HC_keV_A / (2 * DIAMOND_111_A * energy_keV)))


def bragg_energy_keV(angle_deg: float) -> float:
    """Energy that diamond (111) reflects at a Bragg angle."""
    return HC_keV_A / (2 * DIAMOND_111_A * math.sin(math.radians(angle_deg)))


def pushed(axis: Ramp, crystal: float, play: float) -> list[Ramp]:
    """How an axis with play moves a crystal: at rest until one end of the play reaches it, and then along."""
    distance = axis.last - axis.first
    touched = crystal if distance > 0 else crystal - play
    share = min(max((touched - axis.first) / distance, 0.0), 1.0) if distance else 1.0
    meets = axis.start_s + share * (axis.end_s - axis.start_s)
    last = max(crystal, axis.last) if distance > 0 else min(crystal, axis.last + play)
    rest, along = Ramp(axis.start_s, meets, crystal, crystal), Ramp(meets, axis.end_s, crystal, last)
    return [each for each in (rest, along) if each.end_s > each.start_s]


class SimMonochromator(SimDevice):
    """Energy and angle setpoints, their readbacks, and the move.

    The encoder sees the axis: the readback shows the limited repeatability of each move, but not the
    play between axis and crystal. Coming from above, the crystal lags by the backlash.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._truth = truth = world.scenario.monochromator
        self._rng: np.random.Generator = world.random("mono")
        self._axis = Timeline(Ramp(0.0, 0.0, truth.start_keV, truth.start_keV))
        self._move: asyncio.Task[None] | None = None
        self.readback_is_nan = False
        self.is_stuck = False
        energy = Limits(truth.low_limit_keV, truth.high_limit_keV)
        angle = Limits(bragg_angle_deg(energy.high), bragg_angle_deg(energy.low))
        keV, deg = Shown("keV", 6, energy), Shown("deg", 6, angle)
        start_deg = bragg_angle_deg(truth.start_keV)
        self.energy = analog_out(truth.start_keV, keV, energy, "energy setpoint", self._put_energy)
        self.energy_rbv = analog_in(truth.start_keV, keV, "energy readback")
        self.theta = analog_out(start_deg, deg, angle, "Bragg angle setpoint", self._put_theta)
        self.theta_rbv = analog_in(start_deg, deg, "Bragg angle readback")
        self.mode = states("Auto", ("Manual", "Auto"), "bo", "Manual: moves on KohzuPutBO; Auto: at once")
        self.go = states("Done", ("Done", "Put"), "bo", "starts the move to the setpoint", self._put_go)
        self.moving = states("Done", ("Done", "Moving"), "bi", "whether the axis moves")
        self.records = {
            "7ida:BraggEAO": self.energy,
            "7ida:BraggERdbkAO": self.energy_rbv,
            "7ida:BraggThetaAO": self.theta,
            "7ida:BraggThetaRdbkAO": self.theta_rbv,
            "7ida:KohzuPutBO": self.go,
            "7ida:KohzuMoving": self.moving,
            "7ida:KohzuModeBO": self.mode,
        }
        crystal = MotorSettings("7ida:Crystal2", "second crystal", "urad", Limits(-200.0, 200.0), 0.0, CRYSTAL_URAD_S)
        self.records |= MotorRecord(crystal, world.clock, self.turn_crystal).records
        speed = truth.speed_eV_s * 1e-3
        self.records |= SimTrajectory(world.clock, self.follow, self.halt, energy, speed).records
        world.crystal_share.set(world.clock.now(), self._share(0.0))

    async def turn_crystal(self, angle_urad: float) -> None:
        """The second crystal is at an angle."""
        self._world.crystal_share.set(self._world.clock.now(), self._share(angle_urad))

    def _share(self, angle_urad: float) -> float:
        """Flux in that of the top of the rocking curve."""
        return 0.5 ** (4 * ((angle_urad - self._truth.crystal_urad) / self._truth.crystal_width_urad) ** 2)

    async def _put_energy(self, energy_keV: float) -> None:
        await self.theta.post(bragg_angle_deg(energy_keV))
        if self.mode.value == "Auto":
            await self._begin()

    async def _put_theta(self, angle_deg: float) -> None:
        await self.energy.post(bragg_energy_keV(angle_deg))
        if self.mode.value == "Auto":
            await self._begin()

    async def _put_go(self, name: str) -> None:
        if name == "Put":
            await self._begin()
            await self.go.post("Done")

    async def _begin(self) -> None:
        """Start the move to the setpoint; the put completes before the axis arrives."""
        if self._move is not None:
            self._move.cancel()
        now = self._world.clock.now()
        first = self.encoder_keV(now)
        last = float(self.energy.value) + self._rng.normal(0.0, self._truth.repeatability_eV * 1e-3)
        if self.is_stuck:
            self._move = None
            await self._stick(now)
            return
        arrival = now + abs(last - first) * 1e3 / self._truth.speed_eV_s
        axis = Ramp(now, arrival, first, last)
        self._axis.set(now, axis)
        # The play is a clearance: the crystal is pushed up at its lower end and down at its upper end.
        crystal = self._crystal_keV(now)
        backlash = self._truth.backlash_eV * 1e-3
        last_crystal = min(max(crystal, last), last + backlash)
        offset = self._truth.offset_eV * 1e-3
        self._world.energy_keV.set(now, Ramp(now, arrival, crystal + offset, last_crystal + offset))
        await self.moving.post("Moving")
        self._move = self.spawn(self._travel(axis))

    async def _stick(self, now: float) -> None:
        """Report a move without moving."""
        here, crystal = self.encoder_keV(now), self._world.energy_keV.at(now).at(now)
        self._axis.set(now, Ramp(now, now, here, here))
        self._world.energy_keV.set(now, Ramp(now, now, crystal, crystal))
        await self.moving.post("Moving")

    async def follow(self, ramps: Sequence[Ramp]) -> bool:
        """Follow ramps that join, from where the axis is; returns whether it has arrived at their end."""
        if self._move is not None:
            self._move.cancel()
        now = self._world.clock.now()
        if self.is_stuck:  # until it is stopped, or sent elsewhere
            await self._stick(now)
            self._move = self.spawn(self._world.clock.sleep_until(math.inf))
            await asyncio.wait((self._move,))
            return False
        away = self.encoder_keV(now) - ramps[0].first
        crystal, offset = self._crystal_keV(now), self._truth.offset_eV * 1e-3
        for ramp in ramps:
            moved = Ramp(ramp.start_s, ramp.end_s, ramp.first + away, ramp.last + away)
            self._axis.set(ramp.start_s, moved)
            for each in pushed(moved, crystal, self._truth.backlash_eV * 1e-3):
                crystal = each.last
                shown = Ramp(each.start_s, each.end_s, each.first + offset, each.last + offset)
                self._world.energy_keV.set(each.start_s, shown)
        await self.energy.post(moved.last)
        await self.moving.post("Moving")
        travel = self._move = self.spawn(self._travel(moved))
        await asyncio.wait((travel,))
        return not travel.cancelled() and self._world.clock.now() >= moved.end_s

    async def halt(self) -> None:
        """Stop where the axis is."""
        now = self._world.clock.now()
        here, crystal = self.encoder_keV(now), self._world.energy_keV.at(now).at(now)
        if self._move is None or self._move.done():
            return
        self._move.cancel()
        self._axis.set(now, Ramp(now, now, here, here))
        self._world.energy_keV.set(now, Ramp(now, now, crystal, crystal))
        await self.energy.post(here)
        await self.show_readback()
        await self.moving.post("Done")

    def encoder_keV(self, time_s: float) -> float:
        """Position of the axis, as its encoder sees it."""
        return self._axis.at(time_s).at(time_s)

    async def set_stuck(self, stuck: bool) -> None:
        """Make the axis stick, or release it."""
        self.is_stuck = stuck
        if not stuck and self._move is None:
            await self.moving.post("Done")

    def _crystal_keV(self, time_s: float) -> float:
        return self._world.energy_keV.at(time_s).at(time_s) - self._truth.offset_eV * 1e-3

    async def _travel(self, axis: Ramp) -> None:
        clock = self._world.clock
        while (now := clock.now()) < axis.end_s:
            await self.show_readback()
            await clock.sleep_until(min(axis.end_s, now + READBACK_PERIOD_S * clock.speedup))
        await clock.sleep_until(axis.end_s + self._truth.settle_s)
        await self.show_readback()
        await self.moving.post("Done")

    async def show_readback(self) -> None:
        """Post the present position."""
        energy = self.encoder_keV(self._world.clock.now())
        await self.energy_rbv.post(math.nan if self.readback_is_nan else energy)
        await self.theta_rbv.post(bragg_angle_deg(energy))
