"""Settable signals: puts that do not block, refusals with a reason, and the limits of the record."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

from ophyd import EpicsSignal, Signal, get_cl
from ophyd.status import Status
from ophyd.utils import ReadOnlyError
from ophyd.utils.errors import DisconnectedError

from devices.base.signals import DescribedSignal
from devices.channel_access import (
    NO_REPLY,
    PutCallback,
    ThreadlessStatus,
    is_plain_number,
    put,
    takes_integers,
    takes_puts,
)

NOT_SENT = (TimeoutError, ReadOnlyError, DisconnectedError, *NO_REPLY)
"""What a put raises that cannot be sent: its record has gone, does not reply, or is read-only."""


class Setting(DescribedSignal, EpicsSignal):
    """A settable value. `units` is used where the record has none.

    Channel Access reports at each reconnect whether a record may be written, and ophyd follows that: a refusal of the
    session is therefore stored and checked here.
    """

    _setpoint: Any
    refusal = ""
    """Why this session refuses puts; empty if it does not."""
    on_put: Callable[[EpicsSignal, Any], None] | None = None
    """Called with this signal and each value that is about to be sent; must not raise."""

    def put(self, value: Any, force: bool = False, **kwargs: Any) -> None:
        """As for any ophyd signal; a number put with ``wait=False`` is sent without the sleep of pyepics."""
        self._check_refusal()
        if not force and kwargs == {"wait": False} and is_plain_number(self._write_pv, value):
            self._send(value, None)
        else:
            self.wait_for_connection()
            self._announce(value, force)
            super().put(value, force=force, **kwargs)

    def check_value(self, value: Any) -> None:
        """Refuse what the record does not take: past its limits, or a fraction that it would round in silence.

        Raises
        ------
        ophyd.utils.LimitError
        ValueError
        """
        super().check_value(value)
        if isinstance(value, float) and not value.is_integer() and takes_integers(self._write_pv):
            raise ValueError(f"{self.name} takes whole numbers, not {value:g} ({self.setpoint_pvname})")

    def set(self, value: Any, **kwargs: Any) -> Status | ThreadlessStatus:
        """As for any ophyd signal; a put with completion also reports that the record has refused it."""
        self._check_refusal()
        if kwargs or not self._put_complete or not is_plain_number(self._write_pv, value):
            return super().set(value, **kwargs)
        return self.process(value)

    def process(self, value: float, at_once: Callable[[], None] | None = None) -> ThreadlessStatus:
        """Put a number with completion.

        Parameters
        ----------
        value : float
        at_once : callable, optional
            Called in libca's own thread when the record has processed the value, before the status is done; it must
            not raise, nor wait for Channel Access. The callbacks of the status then run in that thread too.

        Returns
        -------
        ThreadlessStatus
            Fails if the record refuses the value, or disconnects before it has processed it.

        Raises
        ------
        ophyd.utils.ReadOnlyError, ophyd.utils.LimitError, TimeoutError, ChannelAccessException
            If the put cannot be sent.
        """
        self._check_refusal()
        self.wait_for_connection()
        status = ThreadlessStatus(f"{self.name}: the put of {value:g} to {self.setpoint_pvname}")
        dispatcher = get_cl().get_dispatcher().get_thread_context("get_put")

        def on_completion(failure: str) -> None:
            if at_once is None:
                dispatcher.run(self._end, status, value, failure)
                return
            try:
                if not failure:
                    at_once()
            except Exception as error:  # noqa: BLE001 - a caller waits for the status
                status.end(error)
            self._end(status, value, failure)

        self._send(value, on_completion)
        return status

    def _end(self, status: ThreadlessStatus, value: float, failure: str) -> None:
        what = f"{self.name}: record {self.setpoint_pvname} has not processed {value:g}: {failure}"
        status.end(RuntimeError(what) if failure else None)

    def _send(self, value: float, callback: PutCallback | None) -> None:
        """As the put of ophyd, without its sleep."""
        self._announce(value)
        self.control_layer_log.debug("_write_pv.put(value=%s, use_complete=%s)", value, callback is not None)
        put(self._write_pv, value, callback)
        before, self._setpoint, now = self._setpoint, value, time()
        if self.pvname == self.setpoint_pvname:
            Signal.put(self, value, timestamp=now, force=True)
            self._run_subs(sub_type=self.SUB_SETPOINT, old_value=before, value=value, timestamp=now)

    def _check_refusal(self) -> None:
        if self.refusal:
            raise ReadOnlyError(f"{self.name}: nothing is put to {self.setpoint_pvname}: {self.refusal}")

    def _announce(self, value: Any, force: bool = False) -> None:
        """Check the value and the write access as ophyd does, then report the put to the observer."""
        if not force:
            self.check_value(value)
        if not self.write_access and not takes_puts(self._write_pv):
            raise ReadOnlyError("No write access to underlying EPICS PV")
        if self.on_put is not None:
            self.on_put(self, value)

    @property
    def limits(self) -> tuple[float, float]:
        """Drive limits of the record; the same number twice where it has none.

        Raises
        ------
        DisconnectedError
            While the record is not connected, and its limits are unknown.
        """
        if not self.connected:
            raise DisconnectedError(f"{self.name}: record {self.setpoint_pvname} is not connected")
        low, high = super().limits
        return low, high


class PanelSetting(Setting):
    """A setting that people put at its panel and no session does: write access to it is not required."""


class LongText(Setting):
    """A text that may be longer than the 40 characters of a string record: an array of characters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, string=True, put_complete=True, **kwargs)

    def mismatch(self) -> str:
        kind = self._read_pv.type.rpartition("_")[2]
        return "" if kind in ("char", "string") else f"{self.pvname} is of type {kind}, not a text"


class Adjustment(Setting):
    """A monitored setting with limits, checked before the put; `set` completes when the record has processed it."""

    def __init__(self, *args: Any, limits: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, limits=limits, put_complete=True, auto_monitor=True, **kwargs)
