"""The scaler record that counts I0, and the amplifier of I0.

Field names, types and manners after the documentation of the synApps scaler record: counts travel as
doubles over Channel Access, CNT with completion is answered when counting has ended.
"""

from __future__ import annotations

import asyncio
import math

from sim_ioc.physics.world import World
from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import (
    DoubleChannel,
    EnumChannel,
    FloatChannel,
    Limits,
    PutRefusedError,
    ShortChannel,
    StringChannel,
)
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_out, text_field

NUM_CHANNELS = 32
CLOCK_HZ = 1e7
MAX_TICKS = 2**32 - 1  # presets and counts are unsigned 32-bit in the record
I0_CHANNEL = 2
MAIN_FIELDS = {
    "CNT": "1 counts for TP; complete when Done",
    "CONT": "OneShot; background counting is not simulated",
    "TP": "time to count, beamline seconds",
    "T": "time counted, beamline seconds",
    "FREQ": "frequency of the clock on channel 1, Hz",
    "NCH": "number of channels",
    "S1": "ticks of the clock",
    "S2": "counts of I0",
    "NM1": "name of channel 1",
    "NM2": "name of channel 2",
}


def _double(value: float, writable: bool, precision: int = 3) -> DoubleChannel:
    field = DoubleChannel(value=value, precision=precision)
    field.writable = writable
    return field


def _float(value: float, limits: Limits) -> FloatChannel:
    field = FloatChannel(value=value, precision=3)
    field.writable, field.limits = True, limits
    return field


def _menu(value: str, names: list[str], writable: bool = False) -> EnumChannel:
    field = EnumChannel(value=value, enum_strings=names)
    field.writable = writable
    return field


GAIN_DIGITS = (1, 2, 5)
GAIN_STEPS = tuple(float(digit * 10**power) for power in range(13) for digit in GAIN_DIGITS) + (1e13,)


def _refuse_between_steps(gain: float) -> None:
    if gain not in GAIN_STEPS:
        raise PutRefusedError(f"the I0 amplifier has gains of 1, 2 and 5 times a power of ten, not {gain:g}")


def _refuse_auto_count(name: str) -> None:
    if name != "OneShot":
        raise PutRefusedError("background counting (AutoCount) is not simulated: leave CONT at OneShot")


class SimScaler(SimDevice):
    """Scaler record with the clock on channel 1 and I0 on channel 2, and the amplifier of I0.

    Only the clock's preset stops a count, so the presets and gates of the other channels are read-only.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._stop = asyncio.Event()
        self.i0_is_nan = False
        self.count = BusyRecord(self._start, self._stop.set, ("Done", "Count"), "scaler", "counting")
        self.record = _double(0.0, writable=False)
        self.record.meaning = "last time counted; the record's fields are the scaler"
        self.preset_time = _double(1.0, writable=True)
        self.preset_time.limits = Limits(1 / CLOCK_HZ, MAX_TICKS / CLOCK_HZ)
        self.preset_time.handler = self._put_preset_time
        self.preset_ticks = _double(CLOCK_HZ, writable=True, precision=0)
        self.preset_ticks.limits = Limits(1, MAX_TICKS)
        self.preset_ticks.handler = self._put_preset_ticks
        self.elapsed = _double(0.0, writable=False)
        self.counts = [_double(0.0, writable=False, precision=0) for _ in range(NUM_CHANNELS)]
        self.update_rate = _float(0.0, Limits(0, 60))
        self.delay = _float(0.0, Limits(0, 1e6))
        self.auto = _menu("OneShot", ["OneShot", "AutoCount"], writable=True)
        self.auto.check = _refuse_auto_count
        self.auto_preset = _double(1.0, writable=True)
        self.auto_preset.limits = Limits(0.0, MAX_TICKS / CLOCK_HZ)
        self.auto_delay = _float(0.0, Limits(0, 1e6))
        self.record.fields = self._fields()
        self.record.main_fields = MAIN_FIELDS
        i0 = world.scenario.i0
        limits, meaning = Limits(GAIN_STEPS[0], GAIN_STEPS[-1]), "gain of the I0 amplifier, in steps of 1, 2, 5"
        gain = analog_out(i0.gain_V_per_A, Shown("V/A", 0), limits, meaning, self._put_gain)
        gain.check = _refuse_between_steps
        dark = analog_out(i0.dark_per_s, Shown("counts/s", 1), Limits(0, 1e9), "dark rate of I0, as last measured")
        self.records = {"7idd:scaler1": self.record, "7idd:I0:Gain": gain, "7idd:I0:Dark": dark}

    async def _put_gain(self, gain_V_per_A: float) -> None:
        relative = gain_V_per_A / self._world.scenario.i0.gain_V_per_A
        self._world.i0_gain.set(self._world.clock.now(), relative)

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {
            "CNT": self.count.record,
            "CONT": self.auto,
            "TP": self.preset_time,
            "TP1": self.auto_preset,
            "T": self.elapsed,
            "FREQ": _double(CLOCK_HZ, writable=False, precision=0),
            "RATE": self.update_rate,
            "RAT1": _float(0.0, Limits(0, 60)),
            "DLY": self.delay,
            "DLY1": self.auto_delay,
            "NCH": ShortChannel(value=NUM_CHANNELS),
            "EGU": text_field(""),
            "PREC": ShortChannel(value=3),
            "VERS": FloatChannel(value=3.19, precision=2),
            "RTYP": text_field("scaler"),
            "DESC": text_field("I0 and slow counters"),
        }
        for number in range(1, NUM_CHANNELS + 1):
            clock = number == 1
            name = StringChannel(value={1: "clock", I0_CHANNEL: "I0"}.get(number, ""))
            name.writable = True
            fields |= {
                f"S{number}": self.counts[number - 1],
                f"NM{number}": name,
                f"PR{number}": self.preset_ticks if clock else _double(0.0, writable=False, precision=0),
                f"G{number}": _menu("Y" if clock else "N", ["N", "Y"]),
                f"D{number}": _menu("Dn" if clock else "Up", ["Up", "Dn"]),
            }
        return fields

    async def _put_preset_time(self, seconds: float) -> None:
        await self.preset_ticks.post(float(math.floor(seconds * CLOCK_HZ + 1e-3)))

    async def _put_preset_ticks(self, ticks: float) -> None:
        await self.preset_time.post(ticks / CLOCK_HZ)

    def _start(self) -> None:
        self._stop.clear()
        self.spawn(self._user_count(self._world.clock.now() + float(self.delay.value)))

    async def _user_count(self, start_s: float) -> None:
        """Count for the preset; a stop ends it early. The clock is set to whole ticks first, as the record does."""
        ticks = float(round(self.preset_time.value * CLOCK_HZ))
        await self.preset_ticks.post(ticks)
        end_s = start_s + ticks / CLOCK_HZ
        noise = self._world.draw_i0_noise()
        clock, rate = self._world.clock, float(self.update_rate.value)
        while not self._stop.is_set() and (now := clock.now()) < end_s:
            if rate > 0 and now > start_s:
                await self._post(start_s, now, noise)
            step_s = max(1 / rate, 0.02 * clock.speedup) if rate > 0 else math.inf
            await self._sleep_or_stop(min(end_s, now + step_s))
        end_s = min(end_s, max(start_s, clock.now())) if self._stop.is_set() else end_s
        await self._post(start_s, end_s, noise)
        await self.record.post(end_s - start_s)
        await self.count.done()

    async def _sleep_or_stop(self, until_s: float) -> None:
        left = (until_s - self._world.clock.now()) / self._world.clock.speedup
        if left > 0:
            try:
                await asyncio.wait_for(self._stop.wait(), left)
            except TimeoutError:
                return

    async def _post(self, start_s: float, end_s: float, noise: float) -> None:
        seconds = end_s - start_s
        i0 = math.nan if self.i0_is_nan else float(round(self._world.i0_counts(start_s, end_s, noise)))
        await self.elapsed.post(seconds, always=True)
        await self.counts[0].post(float(round(seconds * CLOCK_HZ)), always=True)
        await self.counts[I0_CHANNEL - 1].post(i0, always=True)
