"""Signals whose `describe` says everything: shape, numpy type, units, precision, limits.

They are plain ophyd signals otherwise.
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


NUMBERS = ("double", "float", "long", "int", "short", "enum", "char")
TEXT = ("string", "enum", "char")
"""Types of records, as pyepics names them, that can be read as a number or as a text."""


def refuse_stale(signal: OphydObject) -> None:
    """Refuse to pass an old value as a present one, if the signal's device knows its server.

    Raises
    ------
    devices.base.heartbeat.StaleError
        Naming the record and the heartbeat.
    """
    server = getattr(signal.root, "server", None)
    if server is not None:
        server.check(f"{signal.name}: record {getattr(signal, 'pvname', '')}")


class Described(EpicsSignalBase):
    """Adds numpy type and units to the description and leaves out what the record does not say."""

    def __init__(self, *args: Any, units: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._declared_units = units

    def get(self, **kwargs: Any) -> Any:
        told = self._monitored() if not kwargs else None
        if told is not None:
            return told
        try:
            return super().get(**kwargs)
        except NO_REPLY as error:  # the record was connected, and went silent
            raise DisconnectedError(f"{self.name}: record {self.pvname} did not answer ({error})") from error

    def _monitored(self) -> int | float | None:
        """The number that a monitored record has told last, as `get` of ophyd gives it, at a tenth of its cost.

        None where there is none: the record is not monitored, not connected, or no plain number.
        """
        pv = self._read_pv
        if self._string or self._monitors[self.pvname] is None or not (self._auto_monitor and pv.connected):
            return None
        value = pv._args["value"] if self._signal_is_ready.is_set() else None
        return value if isinstance(value, (int, float)) else None

    def read(self) -> dict[str, dict[str, Any]]:
        refuse_stale(self)
        return dict(super().read())

    def mismatch(self) -> str:
        """What is wrong with type or length of the connected record; empty if nothing is."""
        kind, count = self._read_pv.type.rpartition("_")[2], int(self._read_pv.count)
        wanted = TEXT if self._string else NUMBERS
        if kind not in wanted:
            return f"{self.pvname} is of type {kind}, not {' or '.join(wanted)}"
        return f"{self.pvname} has {count} elements, not 1" if count != 1 else ""

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        entry["dtype_numpy"] = np.dtype(entry.get("dtype_numpy") or _numpy_type(entry["dtype"])).str
        if self._declared_units and entry.get("units") in EMPTY_METADATA:
            entry["units"] = self._declared_units
        if entry.get("units") in EMPTY_METADATA:
            entry.pop("units", None)
        low, high = (entry.get(key) for key in LIMITS)
        if low is None or high is None or not low < high:  # a record without limits announces 0 and 0
            for key in LIMITS:
                entry.pop(key, None)
        if "enum_strs" in entry:
            entry["enum_strs"] = list(entry["enum_strs"])
        return description


def _numpy_type(dtype: str) -> str:
    return {"integer": "<i8", "number": "<f8", "string": "<U40", "boolean": "|b1"}.get(dtype, "<f8")


class Readback(Described, EpicsSignalRO):
    """A value that the hardware tells. `units` is used where the record has none."""

    def convert(self, raw: Any) -> Any:
        """The value as documents hold it, from what the record sent."""
        return raw


class PolledReadback(Readback):
    """A value that is read by an explicit get: a monitor could still hold the value from before an acquisition."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_monitor=False, **kwargs)

    def get(self, **kwargs: Any) -> Any:
        return self.convert(super().get(**kwargs))

    def read(self) -> dict[str, dict[str, Any]]:
        return {self.name: {"value": self.get(), "timestamp": self.timestamp}}


class FetchedNumber(PolledReadback):
    """A number that some records serve as integer and others as float; always float here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, dtype="float64", **kwargs)

    def convert(self, raw: Any) -> float:
        return float(raw)


class PhaseArray(PolledReadback):
    """Integer array with one element a phase, or `lags` rows of them.

    The record is a LONG waveform of fixed length, and keeps its 32-bit integers. A record that sends fewer elements
    than it announces is an error: padding would be read as counts.

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


class Trace(PolledReadback):
    """Array of numbers of a fixed length, as long as the record announces."""

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
    """A value that lives in the session: same description as a hardware signal.

    Parameters
    ----------
    units : str, optional
    longest : int
        Characters that a text may have.
    """

    def __init__(self, *args: Any, units: str | None = None, longest: int = 40, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._declared_units = units
        self._longest = longest

    def set(self, value: Any, **_: Any) -> FinishedStatus:
        """Keep the value; done at once.

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
