"""Channels of the Channel Access server: what a put does, and what is refused.

A put is checked, the value posted, then the device's handler runs; put-completion follows the handler.
A put beyond the limits is refused, unlike on a real analogue output, which clips it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from caproto import (
    AccessRights,
    AlarmSeverity,
    AlarmStatus,
    CAStatus,
    ChannelDouble,
    ChannelEnum,
    ChannelFloat,
    ChannelInteger,
    ChannelShort,
    ChannelString,
    ChannelType,
    SubscriptionType,
    time_types,
)
from caproto._backend import backend
from caproto._dbr import TimeStamp, native_type
from caproto._utils import ConversionDirection

Handler = Callable[[Any], Awaitable[None]]
Putter = tuple[str, str]
"""Host and user of a client."""
PutLogger = Callable[[Putter, str, Any, Any], Awaitable[None]]
"""Takes who has put, the name of the record, its new value and the old one."""
EPICS_EPOCH_S = 631_152_000
"""Seconds from the UNIX epoch to that of EPICS, the beginning of 1990."""
CHANGED = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_LOG


class PutRefusedError(ValueError):
    """A put that the record refuses: beyond a limit, not a number, or not allowed now."""


@dataclass(frozen=True)
class Limits:
    """Drive limits, in the unit of the record."""

    low: float
    high: float


class RecordMixin:
    """Common part of all records and fields; a mix-in for the channel classes of caproto."""

    pv_name = ""
    meaning = ""
    writable = False
    silent = False
    limits: Limits | None = None
    handler: Handler | None = None
    put_logger: PutLogger | None = None
    check: Callable[[Any], None] | None = None
    fields: dict[str, Any]
    main_fields: dict[str, str] | None = None  # fields that belong to the interface like the value, and their meaning

    def check_access(self, hostname: str, username: str) -> AccessRights:
        """Clients may read all records and write the writable ones."""
        return AccessRights.READ | AccessRights.WRITE if self.writable else AccessRights.READ

    def get_field(self, field: str) -> Any:
        """The channel of a field; KeyError if the record has no such field."""
        return self if field in ("", "VAL") else self.fields[field]

    async def auth_write(
        self,
        hostname: str,
        username: str,
        data: Any,
        data_type: Any,
        metadata: Any,
        *,
        flags: int = 0,
        user_address: tuple[str, int] | None = None,
    ) -> CAStatus | None:
        """Handle a put of a client; a refusal is returned as a status, as by a real record."""
        if not self.writable:
            return CAStatus.ECA_NOWTACCESS
        try:
            await self.write_from_dbr(data, data_type, metadata, flags=flags, putter=(hostname, username))
        except PutRefusedError as refusal:
            logging.getLogger(__name__).warning("put refused: %s", refusal)
            return CAStatus.ECA_PUTFAIL
        return None

    async def write_from_dbr(
        self, data: Any, data_type: Any, metadata: Any, *, flags: int = 0, putter: Putter | None = None
    ) -> None:
        """Process a put of a client."""
        if data_type in (ChannelType.PUT_ACKS, ChannelType.PUT_ACKT):
            return
        try:
            value = backend.convert_values(
                values=data,
                from_dtype=native_type(data_type),
                to_dtype=self.data_type,  # type: ignore[attr-defined]
                string_encoding=self.string_encoding,  # type: ignore[attr-defined]
                enum_strings=getattr(self, "enum_strings", None),
                direction=ConversionDirection.FROM_WIRE,
            )
            new = self.accept(value)
        except PutRefusedError:
            raise
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise PutRefusedError(f"{self.pv_name}: cannot convert the value to the record's type ({error})") from error
        await self.put(new, putter)

    async def put(self, value: Any, putter: Putter | None = None) -> None:
        """Check a value, post it, log who has put it, run the handler.

        Raises
        ------
        PutRefusedError
            The value is refused; the record keeps the old one.
        """
        new = self.accept(value)
        if self.check is not None:
            self.check(new)
        old = self.value  # type: ignore[attr-defined]
        if _same(old, new):
            await self._processed()
        else:
            await self.post(new)
            if self.put_logger is not None and putter is not None:
                await self.put_logger(putter, self.pv_name, new, old)
        if self.handler is not None:
            await self.handler(new)

    def accept(self, value: Any) -> Any:
        """Convert a value from the wire to the value of the record."""
        return self.preprocess_value(value)  # type: ignore[attr-defined]

    async def auth_read(
        self, hostname: str, username: str, data_type: Any, *, user_address: tuple[str, int] | None = None
    ) -> Any:
        """Return the cached reply of the last get while the record is unchanged."""
        if data_type not in time_types:
            return await self.read(data_type)  # type: ignore[attr-defined]
        kept = self._content  # type: ignore[attr-defined]
        if data_type.name not in kept:
            kept[data_type.name] = await self.read(data_type)  # type: ignore[attr-defined]
        return kept[data_type.name]

    async def publish(self, flags: Any) -> None:
        """Post to the monitors of the record, unless its device is silent."""
        self._content.clear()  # type: ignore[attr-defined]
        if self._queues and not self.silent:  # type: ignore[attr-defined]
            await super().publish(flags)  # type: ignore[misc]

    def _read_metadata(self, dbr_metadata: Any) -> None:
        """Fill in what comes with a value: in types with a time that alone; caproto looks for fifteen attributes."""
        if dbr_metadata.DBR_ID in time_types:
            dbr_metadata.stamp = self._data["timestamp"]  # type: ignore[attr-defined]
        else:
            super()._read_metadata(dbr_metadata)  # type: ignore[misc]

    async def set_silent(self, silent: bool) -> None:
        """Stop replying, or reply again and post what has changed meanwhile."""
        self.silent = silent
        await self.publish(SubscriptionType.DBE_VALUE | SubscriptionType.DBE_ALARM | SubscriptionType.DBE_LOG)

    async def set_alarm(self, severity: AlarmSeverity, status: AlarmStatus) -> None:
        """Set the alarm state; the severity NO_ALARM clears it."""
        if self.alarm.severity != severity:  # type: ignore[attr-defined]
            quiet = severity == AlarmSeverity.NO_ALARM
            cause = AlarmStatus.NO_ALARM if quiet else status
            await self.alarm.write(severity=severity, status=cause)  # type: ignore[attr-defined]

    async def _processed(self) -> None:
        """Update the time stamp of an unchanged value, without a monitor post, as a real record does."""
        await self.write_metadata(publish=False, timestamp=time.time())  # type: ignore[attr-defined]
        self._content.clear()  # type: ignore[attr-defined]

    async def post(self, value: Any, always: bool = False) -> None:
        """Set the value from the server side and post it, if it has changed.

        As `write` of caproto, without the parts for alarms and metadata: an instrument posts forty results after each
        dwell, and all of them have to be there before it is done.
        """
        if not always and _same(self.value, value):  # type: ignore[attr-defined]
            return
        if self._fill_at_next_write:  # type: ignore[attr-defined]  # a client waits for a snapshot of this moment
            await self.write(value, verify_value=False, update_fields=False)  # type: ignore[attr-defined]
            return
        data: dict[str, Any] = self._data  # type: ignore[attr-defined]
        data["value"] = self.preprocess_value(value)  # type: ignore[attr-defined]
        seconds, rest = divmod(time.time_ns(), 10**9)
        data["timestamp"] = TimeStamp(secondsSinceEpoch=seconds - EPICS_EPOCH_S, nanoSeconds=rest)
        await self.publish(CHANGED)


def _same(old: Any, new: Any) -> bool:
    if isinstance(new, np.ndarray):
        return np.array_equal(old, new)
    both_nan = isinstance(new, float) and isinstance(old, float) and math.isnan(new) and math.isnan(old)
    return both_nan or old == new


class _Numeric(RecordMixin):
    def accept(self, value: Any) -> Any:
        number = self.preprocess_value(value)  # type: ignore[attr-defined]
        if self.max_length > 1:  # type: ignore[attr-defined]
            return number
        plain = float(number)
        if not math.isfinite(plain):
            raise PutRefusedError(f"{self.pv_name}: {plain} is not a finite number")
        if self.limits is not None and not self.limits.low <= plain <= self.limits.high:
            raise PutRefusedError(
                f"{self.pv_name}: {plain:g} is outside the limits {self.limits.low:g} to {self.limits.high:g}"
            )
        return plain if isinstance(self, (ChannelDouble, ChannelFloat)) else round(plain)


class DoubleChannel(_Numeric, ChannelDouble):
    """64-bit float, or an array of them."""


class FloatChannel(_Numeric, ChannelFloat):
    """32-bit float."""


class LongChannel(_Numeric, ChannelInteger):
    """32-bit integer, or an array of them."""


class ShortChannel(_Numeric, ChannelShort):
    """16-bit integer."""


class StringChannel(RecordMixin, ChannelString):
    """String of up to 39 characters."""

    def accept(self, value: Any) -> str:
        """First string from the wire."""
        text = value[0] if isinstance(value, (list, tuple, np.ndarray)) and len(value) else value
        return text.decode("latin-1") if isinstance(text, bytes) else str(text)


class EnumChannel(RecordMixin, ChannelEnum):
    """An enumeration; its value is the name of the state."""

    def accept(self, value: Any) -> str:
        """Name of the state, given its name or number."""
        state = value[0] if isinstance(value, (list, tuple, np.ndarray)) and len(value) else value
        if isinstance(state, bytes):
            state = state.decode("latin-1")
        if isinstance(state, str):
            if state in self.enum_strings:
                return state
            if not state.isdigit():
                raise PutRefusedError(f"{self.pv_name}: {state!r} is none of {', '.join(self.enum_strings)}")
        if not 0 <= int(state) < len(self.enum_strings):
            raise PutRefusedError(f"{self.pv_name}: no state has the number {int(state)}")
        return str(self.enum_strings[int(state)])

    @property
    def index(self) -> int:
        """Number of the present state."""
        return int(self.enum_strings.index(self.value))
