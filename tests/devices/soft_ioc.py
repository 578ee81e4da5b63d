"""Records of a beamline served by softioc, another implementation of Channel Access than the simulator's.

A process of its own: ``python soft_ioc.py PREFIX``. Says ``ready`` and ends when its standard input ends.
Some instruments behave as they should, the others each have one fault, named by their place in the prefix.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from softioc import asyncio_dispatcher, builder, softioc

MOVE_TIME, LATE = 0.03, 0.6  # wall seconds
NUM_PHASES = 20  # 4 bunches, laser at every 5th
START_KEV = 13.45

Move = Callable[["Mono", float], Awaitable[None]]


class Mono:
    """Kohzu records; `move` determines what happens after a put of a new energy."""

    def __init__(self, prefix: str, move: Move) -> None:
        builder.SetDeviceName(prefix)
        self._move = move
        self.readback = builder.aIn("BraggERdbkAO", initial_value=START_KEV, EGU="keV", PREC=5)
        builder.aOut(
            "BraggEAO", initial_value=START_KEV, EGU="keV", PREC=5, DRVL=6, DRVH=24, LOPR=6, HOPR=24,
            always_update=True, on_update=self._put, blocking=move is begin_late,
        )  # fmt: skip
        builder.aIn("BraggThetaRdbkAO", initial_value=12.8, EGU="deg", PREC=5)
        builder.aOut("BraggThetaAO", initial_value=12.8, EGU="deg", PREC=5, DRVL=7, DRVH=30)
        self.moving = builder.boolIn("KohzuMoving", ZNAM="Done", ONAM="Moving")
        builder.boolOut("KohzuModeBO", ZNAM="Manual", ONAM="Auto", initial_value=1)
        self.puts = builder.longIn("Puts", initial_value=0)

    async def _put(self, energy: float) -> None:
        self.puts.set(self.puts.get() + 1)
        await self._move(self, energy)


async def arrive(mono: Mono, energy: float) -> None:
    """As it should be."""
    mono.moving.set(1)
    await asyncio.sleep(MOVE_TIME)
    mono.readback.set(energy)
    mono.moving.set(0)


async def fall_short(mono: Mono, energy: float) -> None:
    """Ends 1 eV below."""
    await arrive(mono, energy - 1e-3)


async def begin_late(mono: Mono, energy: float) -> None:
    """The server is busy: it processes the put after a while."""
    await asyncio.sleep(LATE)
    await arrive(mono, energy)


async def stay(mono: Mono, energy: float) -> None:
    """The sequencer never begins."""


async def hang(mono: Mono, energy: float) -> None:
    """The sequencer never ends."""
    mono.moving.set(1)


async def jump(mono: Mono, energy: float) -> None:
    """Arrives so fast that the sequencer does not show it."""
    mono.readback.set(energy)


async def lag(mono: Mono, energy: float) -> None:
    """The readback follows after the sequencer has ended."""
    mono.moving.set(1)
    await asyncio.sleep(MOVE_TIME)
    mono.moving.set(0)
    await asyncio.sleep(5 * MOVE_TIME)
    mono.readback.set(energy)


async def tremble(mono: Mono, energy: float) -> None:
    """The readback trembles by 0.1 meV before the sequencer begins."""
    mono.readback.set(mono.readback.get() + 1e-7)
    await asyncio.sleep(5 * MOVE_TIME)
    await arrive(mono, energy)


async def twice(mono: Mono, energy: float) -> None:
    """Rests for a moment below the target, as a sequencer that takes up backlash does."""
    await arrive(mono, energy - 1e-3)
    await asyncio.sleep(5 * MOVE_TIME)
    await arrive(mono, energy)


class Laser:
    """Laser records; a shutter that is stuck at 0 or 1 takes commands and stays."""

    def __init__(self, prefix: str, stuck_at: int | None = None) -> None:
        builder.SetDeviceName(prefix)
        self._stuck = stuck_at is not None
        builder.boolOut("Shutter", ZNAM="Shut", ONAM="Open", always_update=True, on_update=self._put)
        self._status = builder.boolIn("ShutterStatus_RBV", ZNAM="Shut", ONAM="Open", initial_value=stuck_at or 0)
        builder.boolIn("Locked_RBV", ZNAM="Unlocked", ONAM="Locked", initial_value=1)
        builder.aIn("LockError_RBV", initial_value=0.5, EGU="ps", PREC=2)
        builder.aIn("PulseEnergy_RBV", initial_value=0.25, EGU="uJ", PREC=4)
        builder.aIn("RepRate_RBV", initial_value=1.303e6, EGU="Hz", PREC=1)

    async def _put(self, command: int) -> None:
        await asyncio.sleep(MOVE_TIME)
        if not self._stuck:
            self._status.set(command)


class Delay:
    """Delay generator that comes `off` seconds beside what it was set to, and the fine phase."""

    def __init__(self, prefix: str, off: float = 0.0) -> None:
        builder.SetDeviceName(prefix)
        self._off = off
        builder.aOut(
            "ADelayAO", initial_value=169.78e-9, EGU="s", PREC=12, DRVL=0, DRVH=1e-6, on_update=self._put,
            always_update=True,
        )  # fmt: skip
        self._readback = builder.aIn("ADelayAI", initial_value=169.78e-9, EGU="s", PREC=12)
        self._fine = builder.aIn("actualDelay", initial_value=0.0, EGU="ps", PREC=1)
        builder.aOut("delay", initial_value=0.0, EGU="ps", PREC=1, on_update=lambda fine: self._fine.set(fine))
        self.puts = builder.longIn("Puts", initial_value=0)

    def _put(self, seconds: float) -> None:
        self.puts.set(self.puts.get() + 1)
        self._readback.set(seconds + self._off)


class Counter:
    """Photon counter: each acquisition fills its arrays with its own number. `odd` replaces records by others."""

    def __init__(self, prefix: str, odd: dict[str, Any] | None = None) -> None:
        builder.SetDeviceName(prefix)
        self._odd, self._number = odd or {}, 0
        self._arrays = {
            name: builder.WaveformIn(name, initial_value=self._odd.get(name, np.zeros(size, np.int32)), length=size)
            for name, size in {
                "Counts": NUM_PHASES, "Gates": NUM_PHASES, "PairGates": 5 * NUM_PHASES,
                "PairCounts": 5 * NUM_PHASES, "PrevHits": 5 * NUM_PHASES, "Coinc": 5 * NUM_PHASES,
            }.items()
            if name not in self._odd
        }  # fmt: skip
        for name, (value, length) in self._odd.items():
            builder.WaveformIn(name, initial_value=value, length=length)
        self._elapsed = builder.aIn("ElapsedTime_RBV", EGU="s", PREC=3)
        builder.longIn("LaserPhase_RBV", initial_value=2)
        self._preset = builder.aOut("PresetTime", initial_value=0.05, EGU="s", PREC=3, DRVL=0.001, DRVH=10)
        builder.longIn("NumBunches_RBV", initial_value=4)
        builder.longIn("NumPhases_RBV", initial_value=NUM_PHASES)
        for name in ("GateDly-1_DLY", "GateDly-1_WIDTH", "DivByN-1_N"):
            builder.longOut(name, initial_value=5, DRVL=1, DRVH=1000)
        builder.boolOut("GateDly-1_CLOCK", ZNAM="Internal", ONAM="RF", initial_value=0)
        self._acquire = builder.boolOut(
            "Acquire", ZNAM="Done", ONAM="Acquire", always_update=True, blocking=True, on_update=self._put
        )

    async def _put(self, busy: int) -> None:
        if not busy:
            return
        await asyncio.sleep(self._preset.get())
        self._number += 1
        for record in self._arrays.values():
            record.set(np.full(record.get().size, self._number, np.int32))
        self._elapsed.set(self._preset.get())
        self._acquire.set(0, process=False)


class Level:
    """A voltage and its readback, which may stay."""

    def __init__(self, prefix: str, stays: bool = False) -> None:
        place, _, name = prefix.rpartition(":")
        builder.SetDeviceName(place)
        readback = builder.aIn(f"{name}_RBV", initial_value=3.0, EGU="V", PREC=2)
        follow = (lambda _: None) if stays else readback.set
        builder.aOut(name, initial_value=3.0, EGU="V", PREC=2, DRVL=0, DRVH=10, on_update=follow, always_update=True)


class Boxcar:
    """Boxcars: each acquisition fills its readings with its own number. `trace` replaces the waveform by another."""

    def __init__(self, prefix: str, trace: Any = None, clipped: int = 0) -> None:
        builder.SetDeviceName(prefix)
        self._number = 0
        self._units = [self._unit(f"BOX{i}:", int(i == clipped)) for i in (1, 2)]
        self._elapsed = builder.aIn("ElapsedTime_RBV", EGU="s", PREC=3)
        builder.aIn("Frequency_RBV", initial_value=1.3e6, EGU="Hz", PREC=1)
        self._preset = builder.aOut("PresetTime", initial_value=0.002, EGU="s", PREC=3, DRVL=0.001, DRVH=10)
        value = np.zeros(64) if trace is None else trace
        self._trace = builder.WaveformIn("PWA:Waveform", initial_value=value, length=64)
        builder.WaveformIn("PWA:Phase", initial_value=np.arange(64) * 5.625, length=64)
        self._periods = builder.longIn("PWA:NumPeriods", initial_value=0)
        self._acquire = builder.boolOut(
            "Acquire", ZNAM="Done", ONAM="Acquire", always_update=True, blocking=True, on_update=self._put
        )

    @staticmethod
    def _unit(place: str, clipped: int) -> dict[str, Any]:
        for name, unit, high in (("WindowStart", "deg", 360), ("BaselineStart", "deg", 360), ("WindowSize", "s", 1e-6)):
            builder.aOut(place + name, initial_value=0, EGU=unit, DRVL=0, DRVH=high)
        builder.longOut(f"{place}Periods", initial_value=1, DRVL=1, DRVH=1000)
        builder.boolOut(f"{place}BaselineEnable", ZNAM="Off", ONAM="On")
        return {
            "value": builder.aIn(f"{place}Value", EGU="V", PREC=6),
            "stddev": builder.aIn(f"{place}StdDev", initial_value=1.0, EGU="V", PREC=6),
            "samples": builder.longIn(f"{place}NumSamples"),
            "overload": builder.boolIn(f"{place}Overload_RBV", ZNAM="Fine", ONAM="Overload", initial_value=clipped),
        }

    async def _put(self, busy: int) -> None:
        if not busy:
            return
        await asyncio.sleep(self._preset.get())
        self._number += 1
        for i, unit in enumerate(self._units):
            unit["value"].set(-self._number / (i + 1))
            unit["samples"].set(self._number)
        self._trace.set(np.full(64, -float(self._number)))
        self._periods.set(self._number)
        self._elapsed.set(self._preset.get())
        self._acquire.set(0, process=False)


def build(prefix: str) -> None:
    """Make all records below a prefix that ends with a colon."""
    moves: dict[str, Move] = {
        "good": arrive, "short": fall_short, "still": stay, "stuck": hang,
        "jump": jump, "lag": lag, "tremble": tremble, "twice": twice, "late": begin_late,
    }  # fmt: skip
    for name, move in moves.items():
        Mono(f"{prefix}mono-{name}", move)
    builder.SetDeviceName(f"{prefix}server-still")
    builder.longIn("Heartbeat", initial_value=7)  # answers, and does not count
    Laser(f"{prefix}laser")
    Laser(f"{prefix}laser-stuck-shut", stuck_at=0)
    Laser(f"{prefix}laser-stuck-open", stuck_at=1)
    Delay(f"{prefix}delay")
    Delay(f"{prefix}delay-off", off=1e-10)
    Counter(f"{prefix}counter")
    Level(f"{prefix}level")
    Level(f"{prefix}level-stuck", stays=True)
    Boxcar(f"{prefix}uhf")
    Boxcar(f"{prefix}uhf-texts", trace=np.full(64, "1"))
    Boxcar(f"{prefix}uhf-clipped", clipped=2)
    Counter(f"{prefix}counter-floats", odd={"Counts": (np.linspace(0, 1, NUM_PHASES), NUM_PHASES)})
    Counter(f"{prefix}counter-few", odd={"Gates": (np.arange(12, dtype=np.int32), NUM_PHASES)})
    Counter(f"{prefix}counter-ragged", odd={"PairGates": (np.zeros(99, np.int32), 99)})
    Counter(f"{prefix}counter-texts", odd={"Coinc": (np.full(5 * NUM_PHASES, "1"), 5 * NUM_PHASES)})
    builder.SetDeviceName(f"{prefix}odd")
    builder.WaveformIn("Unknown", initial_value=np.array([7, -1], np.int32), length=2)
    builder.WaveformIn("Filler", initial_value=np.array([222], np.uint8), length=1)
    builder.WaveformIn("Fillers", initial_value=np.array([7, 222], np.uint8), length=2)
    builder.WaveformIn("Empty", initial_value=np.zeros(0, np.int32), length=1)
    Counter(f"{prefix}counter-shorts", odd={"Counts": (np.arange(NUM_PHASES, dtype=np.int16), NUM_PHASES)})


def main() -> None:
    """Serve until standard input ends, so that no parent leaves this behind."""
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    build(sys.argv[1])
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    print("ready", flush=True)
    sys.stdin.read()
    softioc.safeEpicsExit(0)


if __name__ == "__main__":
    main()
