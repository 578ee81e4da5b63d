"""Reads several records in the time of one: all requests are sent before the first answer is waited for."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any

from ophyd.utils.errors import DisconnectedError

from devices.base.signals import Readback
from devices.channel_access import GroupGet

RECENT = 1.0
"""Seconds for which a value that a record has told stays good without asking."""


class Request:
    """Explicit gets of several signals, sent when it is made.

    Parameters
    ----------
    signals : sequence of Readback

    Raises
    ------
    DisconnectedError
        Naming a record that is not connected.
    ChannelAccessException
        Naming one whose server goes just then.
    """

    def __init__(self, signals: Sequence[Readback]) -> None:
        self._signals = signals
        for signal in signals:
            if not signal._read_pv.connected:
                raise DisconnectedError(f"{signal.name}: record {signal._read_pv.pvname} is not connected")
        self._gets = GroupGet([signal._read_pv for signal in signals])

    def answers(self, timeout: float = 2.0) -> dict[str, dict[str, Any]]:
        """Wait for all answers.

        Parameters
        ----------
        timeout : float
            Seconds to wait for all of them.

        Returns
        -------
        dict
            Name of the signal to value and time stamp, as `read` gives them.

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
            answer = self._gets.reply(number)
            if answer is None:
                raise self._unanswered(signal, timeout)
            value, stamp = answer
            readings[signal.name] = {"value": signal.convert(value), "timestamp": stamp}
        return readings

    def _unanswered(self, signal: Readback, timeout: float) -> Exception:
        pv = signal._read_pv
        if not pv.connected:
            return DisconnectedError(f"{signal.name}: record {pv.pvname} did not answer, its server has gone")
        return TimeoutError(f"{signal.name}: record {pv.pvname} did not answer within {timeout:g} s")


def fetch(signals: Sequence[Readback], timeout: float = 2.0) -> dict[str, dict[str, Any]]:
    """Explicit gets of all signals at once: a `Request` and its answers."""
    return Request(signals).answers(timeout)


class Asked(Readback):
    """A monitored value of a server that has no heartbeat of ours.

    What the record has told within the last second is good; else it is asked, which shows whether its server lives.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._told = -inf
        super().__init__(*args, **kwargs)

    def _read_changed(self, value: Any = None, **kwargs: Any) -> None:
        self._told = monotonic()
        super()._read_changed(value=value, **kwargs)

    def read(self) -> dict[str, dict[str, Any]]:
        if self.connected and monotonic() - self._told < RECENT:
            return super().read()
        return fetch([self])
