"""Windows of the axes during a dwell, and the wait of a scan for changed settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

from plans.compilation.positions import Position
from plans.compilation.quality import Check
from plans.protocols import WaitObserver
from plans.watch import Tolerances, Watcher, Window

AXIS_KEYS: Mapping[str, str] = {
    "energy": "mono_energy",
    "delay": "laser_delay",
    "fluence": "laser_fluence",
    "temperature": "sample_temperature",
}
"""Data key of the reading of each axis."""
POLL_INTERVAL = 0.05
"""Seconds of wall time between two polls while a scan waits."""
OFF_POINT = "is not at the point"
MOVED = "has moved"


def windows_of(position: Position, tolerances: Tolerances) -> dict[str, Window]:
    """Window of every axis that has a position."""
    values = {axis: getattr(position, axis) for axis in AXIS_KEYS}
    return {axis: tolerances.window(axis, value) for axis, value in values.items() if value is not None}


def held_windows(position: Position, before: Position, tolerances: Tolerances) -> dict[str, Window]:
    """Window of every axis that a scan does not move, around its position `before`, if known.

    A temperature that nobody has set may drift.
    """
    held = windows_of(replace(before, temperature=None), tolerances)
    return {axis: each for axis, each in held.items() if getattr(position, axis) is None}


def within(windows: Mapping[str, Window], otherwise: str) -> tuple[Check, ...]:
    """Checks that each axis is in its window at the end of a dwell; `otherwise` ends the quality if it is not."""
    return tuple(
        Check(AXIS_KEYS[axis], low, high, f"{AXIS_KEYS[axis]} {otherwise}")
        for axis, (low, high) in windows.items()
        if isfinite(low) and isfinite(high)
    )


class SettingsWait:
    """Waits until all settings are as at the start of the run.

    The RunEngine does not cancel an awaited coroutine when it pauses, and starts it again when it resumes: only the
    last call ends the wait, and nothing is logged twice.
    """

    def __init__(self, watch: Watcher, observer: WaitObserver) -> None:
        self._watch, self._observer = watch, observer
        self._calls = 0
        self._wait: Any = None
        self._waits = False

    async def until_back(self) -> bool:
        """Wait; False if a later call has replaced this one, or the scan has ended."""
        self._calls += 1
        mine = self._calls
        if not self._waits and (away := self._watch.away()):
            self._wait, self._waits = self._observer.begin("settings have changed", "; ".join(away)), True
        while self._watch.away() and mine == self._calls:
            await asyncio.sleep(POLL_INTERVAL)
        if mine != self._calls:
            return False
        if self._waits:
            self._waits = False
            end = self._observer.end if self._watch.is_staged else self._observer.give_up
            end(self._wait)
        return self._watch.is_staged
