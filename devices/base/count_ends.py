"""Waits at the end of a dwell until the monitors of its servers have caught up.

A server sends monitors in order, but replies to gets and puts before them, and a busy one sends them late: what has
changed during a count is known for certain only when the end of the count has been reported, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

from ophyd import Signal
from ophyd.signal import EpicsSignalBase

from devices.base.abort import DONE

LONGEST_LAG = 3.0
"""Seconds to wait for the monitors at the end of a dwell."""
POLL_INTERVAL = 0.001
"""Seconds."""


class CountEnds:
    """Monitors the busy records of detectors: theirs are the last monitors that a server sends in a dwell.

    Parameters
    ----------
    busy : mapping
        Busy record of each detector, by name of the detector.
    """

    def __init__(self, busy: Mapping[str, EpicsSignalBase]) -> None:
        of_record: dict[str, EpicsSignalBase] = {}  # channels of one scaler share its record
        self._busy = {name: of_record.setdefault(signal.pvname, signal) for name, signal in busy.items()}
        self._ended: set[Signal] = set()

    def stage(self) -> None:
        """Subscribe."""
        for signal in set(self._busy.values()):
            signal.subscribe(self._changed, run=False)

    def unstage(self) -> None:
        """Unsubscribe."""
        for signal in set(self._busy.values()):
            signal.clear_sub(self._changed)

    def begin_dwell(self) -> None:
        """A dwell begins."""
        self._ended.clear()

    async def late(self, detectors: Iterable[str]) -> list[str]:
        """Wait until the ends of the counts of these detectors have been reported; returns records that are late."""
        awaited = [self._busy[name] for name in detectors if name in self._busy]
        deadline = monotonic() + LONGEST_LAG
        while (late := [signal.pvname for signal in awaited if signal not in self._ended]) and monotonic() < deadline:
            await asyncio.sleep(POLL_INTERVAL)
        return late

    def _changed(self, *, value: Any, obj: Signal, **_: Any) -> None:
        if value == DONE:
            self._ended.add(obj)
