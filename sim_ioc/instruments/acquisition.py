"""Acquisition for a preset time, used by the photon counter and the boxcars."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out
from sim_ioc.timebase.clock import SimulatedClock

LONGEST_DWELL_S = 3600.0
HIGHEST_COUNT = 2**31 - 1
PREPARE_AT_FRACTION = 0.1
"""Fraction of a window after which its results are prepared."""


class Acquisition:
    """PresetTime, Acquire (busy) and ElapsedTime_RBV.

    Parameters
    ----------
    device
        Owner of the acquisition tasks.
    clock
        Beamline time.
    post
        Posts every result of a window (start and end, beamline seconds) before Acquire returns to Done.
    highest_rate_hz
        Limits the preset time, so that counts fit a signed 32-bit integer.
    begin
        Called at the start of a window with its start and preset time.
    prepare
        Called early in a window with its start and its end, which a stop may move.
    """

    def __init__(
        self,
        device: SimDevice,
        clock: SimulatedClock,
        post: Callable[[float, float], Awaitable[None]],
        highest_rate_hz: float,
        begin: Callable[[float, float], None] | None = None,
        prepare: Callable[[float, float], None] | None = None,
    ) -> None:
        self._device, self._clock, self._post_results = device, clock, post
        self._prepare = prepare
        self._begin = begin
        self._stop = asyncio.Event()
        longest = min(LONGEST_DWELL_S, HIGHEST_COUNT / highest_rate_hz)
        self._busy = BusyRecord(
            self._start, self._stop.set, ("Done", "Acquire"), "busy", "1 counts for PresetTime; complete when Done"
        )
        self._preset = analog_out(1.0, Shown("s", 3), Limits(0.001, longest), "preset time, beamline seconds")
        self._elapsed = analog_in(0.0, Shown("s", 6), "time counted, beamline seconds")

    def records(self, prefix: str) -> dict[str, Any]:
        """The records, by PV name."""
        return {
            f"{prefix}PresetTime": self._preset,
            f"{prefix}Acquire": self._busy.record,
            f"{prefix}ElapsedTime_RBV": self._elapsed,
        }

    def _start(self) -> None:
        self._stop.clear()
        start_s, preset_s = self._clock.now(), float(self._preset.value)
        if self._begin is not None:
            self._begin(start_s, preset_s)
        self._device.spawn(self._acquire(start_s, preset_s))

    async def _acquire(self, start_s: float, preset_s: float) -> None:
        waiting = asyncio.ensure_future(self._wait(start_s, preset_s))
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        elapsed_s = preset_s if waiting.done() else min(self._clock.now() - start_s, preset_s)
        waiting.cancel()
        stopping.cancel()
        await self._post_results(start_s, start_s + elapsed_s)
        await self._elapsed.post(elapsed_s, always=True)
        await self._busy.done()

    async def _wait(self, start_s: float, preset_s: float) -> None:
        """Wait for the end of a window, and prepare its results early in it."""
        if self._prepare is not None:
            await self._clock.sleep_until(start_s + PREPARE_AT_FRACTION * preset_s)
            self._prepare(start_s, start_s + preset_s)
        await self._clock.sleep_until(start_s + preset_s)
