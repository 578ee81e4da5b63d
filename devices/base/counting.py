"""Detectors that count for a preset time while their busy record is set."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from ophyd import Device, Signal
from ophyd.utils.errors import DisconnectedError

from devices.base.abort import BUSY, abandon_count, abort_count
from devices.base.bulk_read import BulkRead
from devices.base.computed import Computed
from devices.base.device import StationDevice
from devices.base.settings import Setting
from devices.base.signals import PolledReadback
from devices.channel_access import ChannelAccessException, ThreadlessStatus

END_TIMEOUT = 5.0
"""Seconds of wall time within which a detector must end a count."""
LONGEST_WAIT = 1.0
"""Seconds after which unread replies are requested again: another client may have started a count since."""


class Count:
    """The readings of one count.

    Parameters
    ----------
    signals : sequence of ophyd.Signal
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = signals
        computed = [source for signal in self._signals if isinstance(signal, Computed) for source in signal.sources]
        fetched = [signal for signal in self._signals if isinstance(signal, PolledReadback)]
        self._needed = list(dict.fromkeys([*fetched, *computed]))
        self._request: BulkRead | None = None
        self._requested = monotonic()

    def request(self) -> None:
        """Send the gets; if that fails, `readings` sends them again and raises the error."""
        self._requested = monotonic()
        with suppress(DisconnectedError, ChannelAccessException):
            self._request = BulkRead(self._needed)

    def readings(self) -> OrderedDict[str, dict[str, Any]]:
        """Wait for the replies; value and time stamp by name of the signal.

        Raises
        ------
        DisconnectedError, TimeoutError
            Naming a record that does not reply.
        """
        if self._request is None or monotonic() - self._requested > LONGEST_WAIT:
            self._request = BulkRead(self._needed)
        fetched = self._request.readings()
        found: OrderedDict[str, dict[str, Any]] = OrderedDict()
        for signal in self._signals:
            if isinstance(signal, Computed):
                found.update(signal.of(fetched))
            else:
                found.update({signal.name: fetched[signal.name]} if signal.name in fetched else signal.read())
        return found


class CountingDetector(StationDevice):
    """Counts for its preset time when triggered; its readings are those of the last count.

    The gets are sent from the put-completion callback, so that replies are there, or on their way, when `read` is
    called.
    """

    _count: Count | None = None
    """The last count, until it is read."""
    _under_way: ThreadlessStatus | None = None
    """Status of the last count."""
    _staged_signals: list[Signal] | None = None

    def _read_signals(self) -> list[Signal]:
        """The signals that are read, those of sub-devices included."""
        if self._staged_signals is not None:
            return self._staged_signals
        found = [getattr(self, attribute) for attribute in self.read_attrs]
        return [signal for signal in found if not isinstance(signal, Device)]

    def stage(self) -> list[object]:
        """Fix the list of signals that are read, so that it is not looked up in each dwell."""
        self._staged_signals = self._read_signals()
        return list(super().stage())

    @property
    def go(self) -> Setting:
        """The busy record: a put of 1 starts a count, and completes when the readings are there."""
        raise NotImplementedError

    @property
    def counted_key(self) -> str:
        """Data key of the time (s) that it has counted; empty where it does not say."""
        return ""

    def trigger(self) -> ThreadlessStatus:
        """Count for the preset time; done when the put of the busy record completes."""
        count = self._count = Count(self._read_signals())
        self._under_way = self.go.process(BUSY, at_once=count.request)
        return self._under_way

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Readings of the last count, by one bulk get, and the monitored values beside them."""
        count, self._count = self._count, None
        return (count or Count(self._read_signals())).readings()

    def unstage(self) -> list[object]:
        """Abort a count that is still running; unstaged in any case, also if the server does not reply."""
        self._staged_signals = None
        unstaged = list(super().unstage())
        abandon_count(self, self.go)
        return unstaged

    def pause(self) -> None:
        """Abort a count that is still running: it would complete the trigger that follows the pause."""
        abort_count(self, self.go, self._under_way, END_TIMEOUT)
