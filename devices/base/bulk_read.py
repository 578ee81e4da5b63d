"""Reads several records in the time of one: sends all gets before it waits for the first reply."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any

from ophyd import Signal
from ophyd.signal import EpicsSignalBase
from ophyd.utils.errors import DisconnectedError

from devices.base.signals import Readback
from devices.channel_access import GroupGet

GET_TIMEOUT = 2.0
"""Seconds to wait for all replies at the start of a run."""
RECENT = 1.0
"""Seconds for which a monitored value counts as fresh without a get."""


class BulkRead:
    """Explicit gets of several signals, sent on construction.

    Parameters
    ----------
    signals : sequence of Readback

    Raises
    ------
    DisconnectedError
        Naming a record that is not connected.
    ChannelAccessException
        Naming a record whose server has just gone.
    """

    def __init__(self, signals: Sequence[Readback]) -> None:
        self._signals = signals
        for signal in signals:
            if not signal._read_pv.connected:
                raise DisconnectedError(f"{signal.name}: record {signal._read_pv.pvname} is not connected")
        self._gets = GroupGet([signal._read_pv for signal in signals])

    def readings(self, timeout: float = 2.0) -> dict[str, dict[str, Any]]:
        """Wait for all replies.

        Parameters
        ----------
        timeout : float
            Seconds to wait for all of them.

        Returns
        -------
        dict
            Value and time stamp by name of the signal, as `read` returns them.

        Raises
        ------
        DisconnectedError
            Naming a record whose server has gone.
        TimeoutError
            Naming a record that did not answer.
        """
        self._gets.wait(timeout)
        readings = {}
        for number, signal in enumerate(self._signals):
            reply = self._gets.reply(number)
            if reply is None:
                raise self._no_reply(signal, timeout)
            value, stamp = reply
            readings[signal.name] = {"value": signal.convert(value), "timestamp": stamp}
        return readings

    def _no_reply(self, signal: Readback, timeout: float) -> Exception:
        pv = signal._read_pv
        if not pv.connected:
            return DisconnectedError(f"{signal.name}: record {pv.pvname} did not answer, its server has gone")
        return TimeoutError(f"{signal.name}: record {pv.pvname} did not answer within {timeout:g} s")


def fetch(signals: Sequence[Readback], timeout: float = 2.0) -> dict[str, dict[str, Any]]:
    """Read all signals at once by explicit gets: a `BulkRead` and its replies."""
    return BulkRead(signals).readings(timeout)


def fetch_value(signal: Readback) -> float:
    """One number by an explicit get: right after a move a monitored value may still be an earlier one."""
    return float(fetch([signal])[signal.name]["value"])


def raw_values(signals: Sequence[EpicsSignalBase]) -> dict[Signal, tuple[Any, float]]:
    """Value of the record and time stamp of all signals by explicit gets, for a watch.

    Raises
    ------
    DisconnectedError, TimeoutError
        Naming every record that does not answer.
    """
    if lost := [signal.pvname for signal in signals if not signal._read_pv.connected]:
        raise DisconnectedError(f"{', '.join(lost)} cannot be watched: not connected")
    gets = GroupGet([signal._read_pv for signal in signals])
    gets.wait(GET_TIMEOUT)
    answers = {signal: gets.reply(number) for number, signal in enumerate(signals)}
    if silent := [signal.pvname for signal, answer in answers.items() if answer is None]:
        raise TimeoutError(f"{', '.join(silent)} cannot be watched: no answer within {GET_TIMEOUT:g} s")
    return {signal: answer for signal, answer in answers.items() if answer is not None}


class RecentReadback(Readback):
    """A monitored value of a server without a heartbeat record.

    A value that arrived within the last second is fresh. Otherwise `read` sends a get, which fails if the server is
    dead.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._arrived = -inf
        super().__init__(*args, **kwargs)

    def _read_changed(self, value: Any = None, **kwargs: Any) -> None:
        self._arrived = monotonic()
        super()._read_changed(value=value, **kwargs)

    def read(self) -> dict[str, dict[str, Any]]:
        if self.connected and monotonic() - self._arrived < RECENT:
            return super().read()
        return fetch([self])
