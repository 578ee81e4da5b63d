"""Reads several records in the time of one: all requests are sent before the first answer is waited for."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any

from epics import ca
from ophyd.utils.errors import DisconnectedError

from devices.signals import Readback

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
    """

    def __init__(self, signals: Sequence[Readback]) -> None:
        self._asked = []
        for signal in signals:
            pv = signal._read_pv
            if not pv.connected:
                raise DisconnectedError(f"{signal.name}: record {pv.pvname} is not connected")
            kind = ca.promote_type(pv.chid, use_time=True)
            ca.get_with_metadata(pv.chid, ftype=kind, wait=False)
            self._asked.append((signal, pv, kind))
        ca.flush_io()

    def answers(self, timeout: float = 2.0) -> dict[str, dict[str, Any]]:
        """Wait for all answers.

        Parameters
        ----------
        timeout : float
            Seconds to wait for an answer.

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
        readings = {}
        for signal, pv, kind in self._asked:
            try:
                answer = ca.get_complete_with_metadata(pv.chid, ftype=kind, timeout=timeout)
            except (ca.ChannelAccessException, ca.ChannelAccessGetFailure) as error:
                raise DisconnectedError(f"{signal.name}: record {pv.pvname} did not answer ({error})") from error
            if answer is None:
                raise TimeoutError(f"{signal.name}: record {pv.pvname} did not answer within {timeout:g} s")
            readings[signal.name] = {"value": signal.convert(answer["value"]), "timestamp": answer["timestamp"]}
        return readings


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
