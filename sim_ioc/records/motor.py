"""A motor record; fields and behaviour follow the documentation of the EPICS motor record.

A put to VAL with completion completes when the motor has stopped. DMOV goes to 0 before that put has any other effect,
and back to 1 after the last readback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sim_ioc.records.channels import DoubleChannel, EnumChannel, Limits, LongChannel, ShortChannel
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_out, text_field
from sim_ioc.timebase.clock import SimulatedClock
from sim_ioc.timebase.timeline import Ramp

READBACK_PERIOD_S = 0.05  # wall seconds between two readbacks of a move

MAIN_FIELDS = {
    "RBV": "position readback",
    "DMOV": "1 when the motor is done moving",
    "MOVN": "1 while the motor moves",
    "STOP": "1 stops the motor",
    "HLS": "1 at the high limit switch, beyond the limits",
    "LLS": "1 at the low limit switch, beyond the limits",
    "OFF": "user offset; always 0",
    "HLM": "highest position",
    "LLM": "lowest position",
    "VELO": "units per beamline second",
}


STEP = 1e-4  # units per motor step
MENUS = {
    "DIR": ("Pos", "Neg"),
    "FOFF": ("Variable", "Frozen"),
    "SET": ("Use", "Set"),
    "UEIP": ("No", "Yes"),
    "CNEN": ("Disable", "Enable"),
}


@dataclass(frozen=True)
class MotorSettings:
    """Name, range and speed of a motor."""

    name: str
    meaning: str
    unit: str
    limits: Limits
    start: float
    speed: float


class MotorRecord(SimDevice):
    """One motor.

    Parameters
    ----------
    settings
        Name, range and speed (units per beamline second).
    clock
        Beamline time.
    moved
        Called with the position at each readback.
    begun
        Called with position and target at the beginning of a move.
    """

    def __init__(
        self,
        settings: MotorSettings,
        clock: SimulatedClock,
        moved: Callable[[float], Awaitable[None]],
        begun: Callable[[float, float], None] | None = None,
    ) -> None:
        super().__init__()
        self._settings, self._clock, self._moved, self._begun = settings, clock, moved, begun
        self._ramp = Ramp(0.0, 0.0, settings.start, settings.start)
        self._move: asyncio.Task[None] | None = None
        self._rest = asyncio.Event()
        self._rest.set()
        shown = Shown(settings.unit, 4, settings.limits)
        self.setpoint = analog_out(settings.start, shown, settings.limits, settings.meaning, self._put)
        self.readback = DoubleChannel(value=settings.start, units=settings.unit, precision=4)
        self.raw_readback = LongChannel(value=self._steps(settings.start))
        self.done, self.moving, self.direction = ShortChannel(value=1), ShortChannel(value=0), ShortChannel(value=1)
        self.is_stuck = False
        stop = ShortChannel(value=0)
        stop.writable, stop.handler = True, self._put_stop
        self.setpoint.fields |= {
            "RTYP": text_field("motor"),
            "RBV": self.readback,
            "DRBV": self.readback,
            "RRBV": self.raw_readback,
            "DMOV": self.done,
            "MOVN": self.moving,
            "TDIR": self.direction,
            "STOP": stop,
        } | self._fixed_fields()
        for field in ("DRVH", "DRVL"):  # an ao has them, a motor does not
            del self.setpoint.fields[field]
        self.setpoint.main_fields = MAIN_FIELDS
        self.records = {settings.name: self.setpoint}

    def _fixed_fields(self) -> dict[str, object]:
        """Fields that clients read but that have no effect here; all are read-only."""
        limits, speed = self._settings.limits, self._settings.speed
        numbers = dict.fromkeys(("HLM", "DHLM"), limits.high) | dict.fromkeys(("LLM", "DLLM"), limits.low)
        numbers |= dict.fromkeys(("VELO", "VMAX"), speed) | {"MRES": STEP, "RDBD": STEP}
        numbers |= dict.fromkeys(("OFF", "ACCL", "BDST", "MSTA"), 0.0)  # CA has no unsigned long: MSTA is a double
        fields: dict[str, object] = {key: DoubleChannel(value=value, precision=4) for key, value in numbers.items()}
        fields |= {key: EnumChannel(value=names[0], enum_strings=names) for key, names in MENUS.items()}
        fields |= {
            key: ShortChannel(value=0) for key in ("HLS", "LLS", "LVIO", "HOMF", "HOMR", "JOGF", "JOGR", "MISS", "RCNT")
        }
        fields |= {"SPMG": EnumChannel(value="Go", enum_strings=("Stop", "Pause", "Move", "Go"))}
        return fields

    @staticmethod
    def _steps(position: float) -> int:
        return round(position / STEP)

    async def _put(self, target: float) -> None:
        if self._move is not None:
            self._move.cancel()
        self._rest.clear()
        now = self._clock.now()
        first = self._ramp.at(now)
        if self._begun is not None:
            self._begun(first, target)
        self._ramp = Ramp(now, now + abs(target - first) / self._settings.speed, first, target)
        if self.is_stuck:  # it reports a move without moving, until it is stopped
            self._ramp = Ramp(now, now, first, first)
        await self.done.post(0)
        await self.moving.post(1)
        await self.direction.post(int(target >= first))
        if not self.is_stuck:
            self._move = self.spawn(self._travel(self._ramp))
        await self._rest.wait()

    async def _put_stop(self, value: int) -> None:
        if value and not self._rest.is_set():
            here = self._ramp.at(self._clock.now())
            self._ramp = Ramp(0.0, 0.0, here, here)
            if self._move is not None:
                self._move.cancel()
            await self.setpoint.post(here)
            await self._arrive()

    async def _travel(self, ramp: Ramp) -> None:
        while (now := self._clock.now()) < ramp.end_s:
            await self._show()
            await self._clock.sleep_until(min(ramp.end_s, now + READBACK_PERIOD_S * self._clock.speedup))
        await self._arrive()

    async def _arrive(self) -> None:
        await self._show()
        await self.moving.post(0)
        await self.done.post(1)
        self._rest.set()

    async def _show(self) -> None:
        position = self._ramp.at(self._clock.now())
        await self._moved(position)
        await self.readback.post(position)
        await self.raw_readback.post(self._steps(position))
