"""Signals with a complete `describe`: shape, numpy type, units, precision, limits.

Otherwise they are plain ophyd signals.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from ophyd import EpicsSignalRO, Signal
from ophyd.ophydobj import OphydObject
from ophyd.signal import EpicsSignalBase
from ophyd.utils.errors import DisconnectedError

from devices.channel_access import NO_REPLY, FinishedStatus

EMPTY_METADATA = (None, "")
LIMITS = ("lower_ctrl_limit", "upper_ctrl_limit")


FLOATS = ("double", "float")
NUMBERS = ("double", "float", "long", "int", "short", "enum", "char")
TEXT = ("string", "enum", "char")
"""Record types, as pyepics names them, that can be read as a number or as a text."""


def refuse_stale(signal: OphydObject) -> None:
    """Refuse a stale value, if the heartbeat of the server is known.

    Raises
    ------
    devices.base.heartbeat.StaleError
        Naming the record and the heartbeat.
    """
    server = getattr(signal.root, "server", None)
    if server is not None and not server.is_fresh:
        server.refuse(f"{signal.name}: record {getattr(signal, 'pvname', '')}")


class DescribedSignal(EpicsSignalBase):
    """Adds numpy type and units to the description, and omits what the record does not define."""

    def __init__(self, *args: Any, units: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._declared_units = units

    def get(self, **kwargs: Any) -> Any:
        monitored = self._monitored() if not kwargs else None
        if monitored is not None:
            return monitored
        try:
            return super().get(**kwargs)
        except NO_REPLY as error:  # the record was connected, and stopped replying
            raise DisconnectedError(f"{self.name}: record {self.pvname} did not answer ({error})") from error

    def _monitored(self) -> int | float | None:
        """The latest monitored number, as `get` of ophyd returns it, at a tenth of the cost.

        None if the record is not monitored, not connected, or no plain number.
        """
        pv = self._read_pv
        if self._string or self._monitors[self.pvname] is None or not (self._auto_monitor and pv.connected):
            return None
        value = pv._args["value"] if self._signal_is_ready.is_set() else None
        return value if isinstance(value, (int, float)) else None

    def read(self) -> dict[str, dict[str, Any]]:
        refuse_stale(self)
        if not self.connected:
            return dict(super().read())  # raises
        return {self.name: {"value": self.get(), "timestamp": self.timestamp}}

    def mismatch(self) -> str:
        """Mismatch in type or length of the connected record; empty if there is none."""
        kind, count = self._read_pv.type.rpartition("_")[2], int(self._read_pv.count)
        wanted = TEXT if self._string else NUMBERS
        if kind not in wanted:
            return f"{self.pvname} is of type {kind}, not {' or '.join(wanted)}"
        return f"{self.pvname} has {count} elements, not 1" if count != 1 else ""

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        if entry["dtype"] == "integer" and self._read_pv.type.endswith(FLOATS):  # 1 was put for 1.0
            entry["dtype"] = "number"
        entry["dtype_numpy"] = np.dtype(entry.get("dtype_numpy") or _numpy_type(entry["dtype"])).str
        if self._declared_units and entry.get("units") in EMPTY_METADATA:
            entry["units"] = self._declared_units
        if entry.get("units") in EMPTY_METADATA:
            entry.pop("units", None)
        low, high = (entry.get(key) for key in LIMITS)
        if low is None or high is None or not low < high:  # a record without limits reports 0 and 0
            for key in LIMITS:
                entry.pop(key, None)
        if "enum_strs" in entry:
            entry["enum_strs"] = list(entry["enum_strs"])
        return description


def _numpy_type(dtype: str) -> str:
    return {"integer": "<i8", "number": "<f8", "string": "<U40", "boolean": "|b1"}.get(dtype, "<f8")


class Readback(DescribedSignal, EpicsSignalRO):
    """A read-only value. `units` is used where the record has none."""

    def convert(self, raw: Any) -> Any:
        """Convert a value of the record to the value in documents."""
        return raw


class PolledReadback(Readback):
    """A value read by an explicit get: a monitor could still hold the value of the previous acquisition."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_monitor=False, **kwargs)

    def get(self, **kwargs: Any) -> Any:
        return self.convert(super().get(**kwargs))

    def read(self) -> dict[str, dict[str, Any]]:
        return {self.name: {"value": self.get(), "timestamp": self.timestamp}}


class PolledNumber(PolledReadback):
    """A number that some records serve as integer and others as float; always float here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, dtype="float64", **kwargs)

    def convert(self, raw: Any) -> float:
        return float(raw)


class PhaseArray(PolledReadback):
    """Integer array with one element per phase, or `lags` rows of them.

    The record is a LONG waveform of fixed length, and keeps its 32-bit integers. A record that sends fewer elements
    than its element count raises an error: padding would be read as counts.

    Parameters
    ----------
    lags : int
        Rows of phases; 0 for a plain array of phases.
    """

    def __init__(self, *args: Any, lags: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lags = lags

    def _array_shape(self) -> tuple[int, ...]:
        count = int(self._read_pv.count)
        if self._lags and count % self._lags:
            raise ValueError(f"{self._read_pvname} has {count} elements, not a multiple of {self._lags} lags")
        return (self._lags, count // self._lags) if self._lags else (count,)

    def mismatch(self) -> str:
        kind, count = self._read_pv.type.rpartition("_")[2], int(self._read_pv.count)
        if kind not in ("long", "int", "short"):
            return f"{self.pvname} is of type {kind}, not an array of integers"
        rows = self._lags or 1
        return f"{self.pvname} has {count} elements, not {rows} rows" if count % rows or count < 2 * rows else ""

    def convert(self, raw: Any) -> np.ndarray:
        value = np.asarray(raw)
        shape = self._array_shape()
        size = prod(shape)
        if value.dtype.kind != "i" or value.size != size:
            raise ValueError(
                f"{self._read_pvname} gave {value.size} elements of type {value.dtype}; expected {size} integers"
            )
        return value.reshape(shape).astype(np.int32)  # exact: Channel Access has no longer integers

    def describe(self) -> dict[str, dict[str, Any]]:
        shape = list(self._array_shape())
        return {
            self.name: {
                "source": self.source_name,
                "dtype": "array",
                "shape": shape,
                "dtype_numpy": "<i4",
                "units": self._declared_units or "counts",
            }
        }


class TraceArray(PolledReadback):
    """Array of floats, with the element count of the record."""

    def mismatch(self) -> str:
        kind, count = self._read_pv.type.rpartition("_")[2], int(self._read_pv.count)
        if kind not in ("double", "float"):
            return f"{self.pvname} is of type {kind}, not an array of numbers"
        return f"{self.pvname} has {count} element, not an array" if count < 2 else ""

    def convert(self, raw: Any) -> np.ndarray:
        value = np.asarray(raw)
        count = int(self._read_pv.count)
        if value.dtype.kind != "f" or value.size != count:
            raise ValueError(
                f"{self._read_pvname} gave {value.size} elements of type {value.dtype}; expected {count} numbers"
            )
        return value.astype(np.float64)

    def describe(self) -> dict[str, dict[str, Any]]:
        entry = {
            "source": self.source_name,
            "dtype": "array",
            "shape": [int(self._read_pv.count)],
            "dtype_numpy": "<f8",
        }
        return {self.name: entry | ({"units": self._declared_units} if self._declared_units else {})}


class SoftSignal(Signal):
    """A value of the session, described as completely as a hardware signal.

    Parameters
    ----------
    units : str, optional
    longest : int
        Maximum number of characters of a text.
    """

    def __init__(self, *args: Any, units: str | None = None, longest: int = 40, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._declared_units = units
        self._longest = longest
        self._kind_of_value = type(self._readback)

    def put(self, value: Any, **kwargs: Any) -> None:
        """Store a value with the type of the initial one: an integer put to a float signal becomes a float.

        A descriptor holds for all events after it: its dtype must not be integer because a user put 1 for 1.0.

        Raises
        ------
        ValueError
            If the value is not a number for a float signal, or not a string for a string signal.
        """
        kind = self._kind_of_value
        if kind is float and isinstance(value, int | np.integer | np.floating) and not isinstance(value, bool):
            value = float(value)
        if kind in (float, str) and not isinstance(value, kind):
            raise ValueError(f"{self.name}: {value!r} is a {type(value).__name__}, not a {kind.__name__}")
        super().put(value, **kwargs)

    def set(self, value: Any, **_: Any) -> FinishedStatus:
        """Set the value; done at once.

        Raises
        ------
        ValueError
            If the value cannot be put.
        """
        self.put(value)
        return FinishedStatus()

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        known = f"<U{self._longest}" if entry["dtype"] == "string" else entry.get("dtype_numpy")
        entry["dtype_numpy"] = np.dtype(known or _numpy_type(entry["dtype"])).str
        if self._declared_units:
            entry["units"] = self._declared_units
        return description
