"""Detectors that count for a preset time while a record of theirs is busy."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Any

from epics import ca
from ophyd import Device, Signal
from ophyd.status import Status
from ophyd.utils.errors import DisconnectedError

from devices.computed import Computed
from devices.signals import Fetched, Setting
from devices.together import Request, fetch

COUNT, DONE = 1, 0
END_TIMEOUT = 5.0
"""Seconds of wall time for a detector to end a count."""


class CountingDetector(Device):
    """Counts for its preset time when triggered; its readings are those of the last count.

    They are asked for as soon as a count has ended, so that the answers are there, or on their way, when they are
    read.
    """

    _request: Request | None = None

    @property
    def go(self) -> Setting:
        """The record that starts a count, is busy meanwhile, and answers its put when the readings are there."""
        raise NotImplementedError

    def trigger(self) -> Status:
        """Count for the preset time; done when the record says so."""
        self._request = None
        status = self.go.set(COUNT)
        status.add_callback(self._ask)
        return status

    def _ask(self, status: Status) -> None:
        """Ask for the readings of a count that has ended; where that fails, `read` asks again and says why."""
        if status.success:
            with suppress(DisconnectedError, ca.ChannelAccessException):
                self._request = Request(self._fetched())

    def _fetched(self) -> list[Fetched]:
        """What `read` has to ask the records for."""
        needed: dict[str, Fetched] = {}
        for signal in self._read_signals():
            if isinstance(signal, Fetched):
                needed[signal.name] = signal
            elif isinstance(signal, Computed):
                needed |= {source.name: source for source in signal.sources}
        return list(needed.values())

    def _read_signals(self) -> list[Signal]:
        found = [getattr(self, attribute) for attribute in self.read_attrs]
        return [signal for signal in found if not isinstance(signal, Device)]

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Readings of the last count, by explicit gets that run together, and what is monitored beside them."""
        needed = self._fetched()
        request, self._request = self._request, None
        fetched = request.answers() if request is not None and request.is_for(needed) else fetch(needed)
        readings: OrderedDict[str, dict[str, Any]] = OrderedDict()
        for signal in self._read_signals():
            if isinstance(signal, Computed):
                readings.update(signal.of(fetched))
            else:
                readings.update({signal.name: fetched[signal.name]} if signal.name in fetched else signal.read())
        return readings

    def unstage(self) -> list[object]:
        """End a count that is still running."""
        if self.go.get() == COUNT:
            self.go.put(DONE, wait=False)
        return super().unstage()

    def pause(self) -> None:
        """End a count that is still running: one that went on would answer the trigger after the pause."""
        try:
            if self.go.get() == COUNT:
                self.go.set(DONE).wait(END_TIMEOUT)
        except (TimeoutError, DisconnectedError) as error:  # a pause must not end the scan
            self.log.error(
                "%s may still be counting, its record %s does not answer: %s", self.name, self.go.pvname, error
            )
