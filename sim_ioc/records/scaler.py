"""A scaler record; fields, types and behaviour follow the documentation of the synApps scaler record.

Counts travel as doubles over Channel Access. A put to CNT with completion completes when counting has ended.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping

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
from sim_ioc.records.fields import text_field
from sim_ioc.timebase.clock import SimulatedClock

NUM_CHANNELS = 32
CLOCK_HZ = 1e7
CLOCK_CHANNEL = 1
MAX_TICKS = 2**32 - 1  # presets and counts are unsigned 32-bit in the record
SHORTEST_UPDATE_S = 0.02  # wall seconds between two updates while it counts
MAIN_FIELDS = {
    "CNT": "1 counts for TP; complete when Done",
    "CONT": "OneShot; background counting is not simulated",
    "TP": "preset time, beamline seconds",
    "T": "time counted, beamline seconds",
    "FREQ": "frequency of the clock on channel 1, Hz",
    "NCH": "number of channels",
    "S1": "ticks of the clock",
    "NM1": "name of channel 1",
}

Counts = Callable[[float, float], Mapping[int, float]]
"""Counts by channel in a window (start and end, beamline seconds)."""


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


def _refuse_auto_count(name: str) -> None:
    if name != "OneShot":
        raise PutRefusedError("background counting (AutoCount) is not simulated: leave CONT at OneShot")


class ScalerRecord(SimDevice):
    """A scaler record with the clock on channel 1.

    Only the preset of the clock stops a count, so presets and gates of the other channels are read-only.

    Parameters
    ----------
    name, description
        PV name without prefix; text of DESC.
    inputs : mapping of int to str
        Names of the connected channels, by number.
    clock
        Beamline time.
    start_count
        Called at the start of each count; returns the function that gives the counts of the connected channels.
    """

    def __init__(
        self,
        name: str,
        description: str,
        inputs: Mapping[int, str],
        clock: SimulatedClock,
        start_count: Callable[[], Counts],
    ) -> None:
        super().__init__()
        self._clock, self._start_count = clock, start_count
        self._names = {CLOCK_CHANNEL: "clock", **inputs}
        self._stop = asyncio.Event()
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
        self.record.fields = self._fields(description)
        self.record.main_fields = MAIN_FIELDS | {
            key: text
            for number, channel in inputs.items()
            for key, text in ((f"S{number}", f"counts of {channel}"), (f"NM{number}", f"name of channel {number}"))
        }
        self.records = {name: self.record}

    def _fields(self, description: str) -> dict[str, object]:
        auto = _menu("OneShot", ["OneShot", "AutoCount"], writable=True)
        auto.check = _refuse_auto_count
        auto_preset = _double(1.0, writable=True)
        auto_preset.limits = Limits(0.0, MAX_TICKS / CLOCK_HZ)
        fields: dict[str, object] = {
            "CNT": self.count.record,
            "CONT": auto,
            "TP": self.preset_time,
            "TP1": auto_preset,
            "T": self.elapsed,
            "FREQ": _double(CLOCK_HZ, writable=False, precision=0),
            "RATE": self.update_rate,
            "RAT1": _float(0.0, Limits(0, 60)),
            "DLY": self.delay,
            "DLY1": _float(0.0, Limits(0, 1e6)),
            "NCH": ShortChannel(value=NUM_CHANNELS),
            "EGU": text_field(""),
            "PREC": ShortChannel(value=3),
            "VERS": FloatChannel(value=3.19, precision=2),
            "RTYP": text_field("scaler"),
            "DESC": text_field(description),
        }
        for number in range(1, NUM_CHANNELS + 1):
            is_clock = number == CLOCK_CHANNEL
            name = StringChannel(value=self._names.get(number, ""))
            name.writable = True
            fields |= {
                f"S{number}": self.counts[number - 1],
                f"NM{number}": name,
                f"PR{number}": self.preset_ticks if is_clock else _double(0.0, writable=False, precision=0),
                f"G{number}": _menu("Y" if is_clock else "N", ["N", "Y"]),
                f"D{number}": _menu("Dn" if is_clock else "Up", ["Up", "Dn"]),
            }
        return fields

    async def _put_preset_time(self, seconds: float) -> None:
        await self.preset_ticks.post(float(math.floor(seconds * CLOCK_HZ + 1e-3)))

    async def _put_preset_ticks(self, ticks: float) -> None:
        await self.preset_time.post(ticks / CLOCK_HZ)

    def _start(self) -> None:
        self._stop.clear()
        self.spawn(self._user_count(self._clock.now() + float(self.delay.value)))

    async def _user_count(self, start_s: float) -> None:
        """Count for the preset, or until a stop. The clock preset is set to whole ticks first, as the record does."""
        ticks = float(round(self.preset_time.value * CLOCK_HZ))
        await self.preset_ticks.post(ticks)
        end_s = start_s + ticks / CLOCK_HZ
        counts = self._start_count()
        clock, rate = self._clock, float(self.update_rate.value)
        while not self._stop.is_set() and (now := clock.now()) < end_s:
            if rate > 0 and now > start_s:
                await self._post(start_s, now, counts)
            step_s = max(1 / rate, SHORTEST_UPDATE_S * clock.speedup) if rate > 0 else math.inf
            await self._sleep_or_stop(min(end_s, now + step_s))
        end_s = min(end_s, max(start_s, clock.now())) if self._stop.is_set() else end_s
        await self._post(start_s, end_s, counts)
        await self.record.post(end_s - start_s)
        await self.count.done()

    async def _sleep_or_stop(self, until_s: float) -> None:
        left = (until_s - self._clock.now()) / self._clock.speedup
        if left > 0:
            try:
                await asyncio.wait_for(self._stop.wait(), left)
            except TimeoutError:
                return

    async def _post(self, start_s: float, end_s: float, counts: Counts) -> None:
        seconds = end_s - start_s
        by_channel = {CLOCK_CHANNEL: float(round(seconds * CLOCK_HZ)), **counts(start_s, end_s)}
        await self.elapsed.post(seconds, always=True)
        for number, value in by_channel.items():
            await self.counts[number - 1].post(value, always=True)
