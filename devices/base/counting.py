"""Detectors that count for a preset time while a record of theirs is busy."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from ophyd import Device, Signal
from ophyd.utils.errors import DisconnectedError

from devices.base.bulk_read import Request
from devices.base.computed import Computed
from devices.base.ending import BUSY, DONE, end
from devices.base.settings import Setting
from devices.base.signals import PolledReadback
from devices.channel_access import ChannelAccessException, ThreadlessStatus

END_TIMEOUT = 5.0
"""Seconds of wall time for a detector to end a count."""
LONGEST_WAIT = 1.0
"""Seconds after which answers that nobody has read are asked for again: others may have counted since."""


class Count:
    """What a detector reads after a count.

    Parameters
    ----------
    signals : sequence of ophyd.Signal
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = signals
        computed = [source for signal in self._signals if isinstance(signal, Computed) for source in signal.sources]
        fetched = [signal for signal in self._signals if isinstance(signal, PolledReadback)]
        self._needed = list(dict.fromkeys([*fetched, *computed]))
        self._request: Request | None = None
        self._asked = monotonic()

    def ask(self) -> None:
        """Ask the records; where that fails, `readings` asks again and says why."""
        self._asked = monotonic()
        with suppress(DisconnectedError, ChannelAccessException):
            self._request = Request(self._needed)

    def readings(self) -> OrderedDict[str, dict[str, Any]]:
        """Wait for the answers; name of each signal to its value and time stamp.

        Raises
        ------
        DisconnectedError, TimeoutError
            Naming a record that does not answer.
        """
        if self._request is None or monotonic() - self._asked > LONGEST_WAIT:
            self._request = Request(self._needed)
        fetched = self._request.answers()
        found: OrderedDict[str, dict[str, Any]] = OrderedDict()
        for signal in self._signals:
            if isinstance(signal, Computed):
                found.update(signal.of(fetched))
            else:
                found.update({signal.name: fetched[signal.name]} if signal.name in fetched else signal.read())
        return found


class CountingDetector(Device):
    """Counts for its preset time when triggered; its readings are those of the last count.

    They are asked for as soon as a count has ended, so that the answers are there, or on their way, when they are
    read.
    """

    _count: Count | None = None
    """The last count, until it is read."""
    _under_way: ThreadlessStatus | None = None
    """That of the last count."""
    _staged_signals: list[Signal] | None = None

    def _read_signals(self) -> list[Signal]:
        """What is read, also from parts of the detector."""
        if self._staged_signals is not None:
            return self._staged_signals
        found = [getattr(self, attribute) for attribute in self.read_attrs]
        return [signal for signal in found if not isinstance(signal, Device)]

    def stage(self) -> list[object]:
        """Settle what is read, so that it need not be found out in each dwell."""
        self._staged_signals = self._read_signals()
        return list(super().stage())

    @property
    def go(self) -> Setting:
        """The record that starts a count, is busy meanwhile, and answers its put when the readings are there."""
        raise NotImplementedError

    def trigger(self) -> ThreadlessStatus:
        """Count for the preset time; done when the record says so."""
        count = self._count = Count(self._read_signals())
        self._under_way = self.go.process(BUSY, at_once=count.ask)
        return self._under_way

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Readings of the last count, by explicit gets that run together, and what is monitored beside them."""
        count, self._count = self._count, None
        return (count or Count(self._read_signals())).readings()

    def unstage(self) -> list[object]:
        """End a count that is still running."""
        self._staged_signals = None
        if self.go.get() == BUSY:
            self.go.put(DONE, wait=False)
        return super().unstage()

    def pause(self) -> None:
        """End a count that is still running: one that went on would answer the trigger after the pause."""
        end(self, self.go, self._under_way, END_TIMEOUT)
