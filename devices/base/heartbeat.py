"""Heartbeats of IOCs: a hung IOC still looks connected, and its old values look fresh."""

from __future__ import annotations

import time
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device
from ophyd.utils.errors import DisconnectedError

from devices.base.device import StationDevice
from devices.base.signals import Readback, SoftSignal

ASK_TIMEOUT = 1.0
"""Seconds for explicit gets; with the longest silence below well under five seconds."""
PAUSE, LEAST = 0.05, 0.2
"""Seconds between two gets, and those that the last one has for its reply at least."""


class StaleError(RuntimeError):
    """A value may be stale: the heartbeat of its server has stopped."""


class Heartbeat(Readback):
    """A counter that its server increments about once a second."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._counted: tuple[Any, float] = (None, time.monotonic())
        super().__init__(*args, **kwargs)

    def read(self) -> dict[str, dict[str, Any]]:
        """The count; see `age` for how old it is."""
        return {self.name: {"value": self.get(), "timestamp": self.timestamp}}

    def notice(self, count: Any) -> None:
        """Record when a new count has arrived, by the clock of this process."""
        if count != self._counted[0]:
            self._counted = (count, time.monotonic())

    def _read_changed(self, value: Any = None, **kwargs: Any) -> None:
        self.notice(value)
        super()._read_changed(value=value, **kwargs)

    @property
    def age(self) -> float:
        """Seconds since the count has changed, by the clock of this process alone."""
        return time.monotonic() - self._counted[1]


class Server(StationDevice):
    """An IOC with a heartbeat record; prefix for example ``7idd:``."""

    heartbeat = Cpt(Heartbeat, "Heartbeat", auto_monitor=True, kind="hinted")
    longest_silence = Cpt(SoftSignal, value=2.5, units="s", kind="config")
    """Age of the heartbeat beyond which an explicit get decides, and values are refused if the count has stopped."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        self.heartbeat.name = self.name

    @property
    def is_fresh(self) -> bool:
        """Whether the heartbeat advances; reads it explicitly if in doubt."""
        if self.heartbeat.age <= self.longest_silence.get():
            return True
        deadline = time.monotonic() + ASK_TIMEOUT  # our own threads may be late, or the server has just resumed
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.heartbeat.notice(self.heartbeat.get(use_monitor=False, timeout=max(left, LEAST)))
            except (TimeoutError, DisconnectedError):
                return False
            if self.heartbeat.age <= self.longest_silence.get():
                return True
            time.sleep(min(PAUSE, max(0.0, left)))
        return False

    def refuse(self, what: str) -> None:
        """Refuse `what`, since the heartbeat has stopped.

        Raises
        ------
        StaleError
        """
        raise StaleError(f"{what} may be old: {self.heartbeat.pvname} has not counted for {self.heartbeat.age:.1f} s")


def serves(server: Server, *devices: Device) -> None:
    """Assign devices to the server of their records: their readings are refused when it hangs."""
    for device in devices:
        device.server = server
