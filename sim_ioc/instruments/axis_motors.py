"""Motor records that move energy, delay and fluence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.motor import MotorRecord, MotorSettings
from sim_ioc.scenario.axes import AxisMotorTruth
from sim_ioc.timebase.timeline import Ramp

PICOSECONDS = {"ps": 1.0, "ns": 1e3, "s": 1e12}
EV = {"eV": 1.0, "keV": 1e3}


class SimAxisMotors(SimDevice):
    """The motor records of the scenario; none by default."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._slip_eV = 0.0
        self._rng = world.random("mono")
        self._axes = axes = world.scenario.axes
        start_eV = world.scenario.monochromator.start_keV * 1e3
        start_ps = world.scenario.delay.start_ps
        self.records = {}
        start = start_eV / EV[axes.energy.unit]
        self._add(axes.energy, axes.energy.unit, "X-ray energy", start, self._energy, self._energy_begun)
        delay = axes.delay.zero + axes.delay.sign * start_ps / PICOSECONDS[axes.delay.unit]
        self._add(axes.delay, axes.delay.unit, "pump-probe delay", delay, self._delay)
        fluence = world.scenario.laser.fluence_mJ_cm2
        self._add(axes.fluence, axes.fluence.unit, "laser fluence", fluence, self._fluence)

    def _add(
        self,
        axis: AxisMotorTruth,
        unit: str,
        meaning: str,
        start: float,
        moved: Callable[[float], Awaitable[None]],
        begun: Callable[[float, float], None] | None = None,
    ) -> None:
        if axis.record:
            settings = MotorSettings(axis.record, meaning, unit, Limits(axis.low, axis.high), start, axis.speed)
            self.records |= MotorRecord(settings, self._world.clock, moved, begun).records

    def _energy_begun(self, first: float, target: float) -> None:
        """A large move ends somewhere else each time; small ones return to where they were."""
        powder = self._world.scenario.powder
        if powder is not None and abs(target - first) * EV[self._axes.energy.unit] > powder.large_move_eV:
            self._slip_eV = float(self._rng.uniform(*powder.slip_eV))

    async def _energy(self, position: float) -> None:
        scenario, now = self._world.scenario, self._world.clock.now()
        off_eV = scenario.monochromator.offset_eV + self._slip_eV
        energy_keV = (position * EV[self._axes.energy.unit] + off_eV) * 1e-3
        self._world.energy_keV.set(now, Ramp(now, now, energy_keV, energy_keV))

    async def _delay(self, position: float) -> None:
        axis = self._axes.delay
        delay_ps = axis.sign * (position - axis.zero) * PICOSECONDS[axis.unit]
        self._world.delay_ps.set(self._world.clock.now(), delay_ps)

    async def _fluence(self, position: float) -> None:
        self._world.fluence_mJ_cm2.set(self._world.clock.now(), position)
