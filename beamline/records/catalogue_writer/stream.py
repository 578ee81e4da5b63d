"""Events of one stream as table rows and blocks of arrays; independent of the catalogue."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

_RESERVED = ("seq_num", "time")


class UnfitDocumentError(ValueError):
    """A document does not fit its descriptor."""


@dataclass(frozen=True)
class EventRow:
    """One event: its scalars by column and its arrays by data key."""

    uid: str
    scalars: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass
class ArrayKey:
    """Type and shape of one array data key; from its first event if the descriptor lacks them."""

    dtype: np.dtype | None
    shape: tuple[int, ...] | None


@dataclass
class ExternalRows:
    """Rows of a stream in an external file: its StreamResource, and the number of referenced rows."""

    resource: Mapping[str, Any]
    rows: int = 0

    def take(self, datum: Mapping[str, Any]) -> None:
        """Add the rows that a StreamDatum references; known rows are skipped.

        Raises
        ------
        UnfitDocumentError
            When rows are missing before it.
        """
        start, stop = (operator.index(datum["indices"][end]) for end in ("start", "stop"))
        if start > self.rows:
            raise UnfitDocumentError(f"it references rows from {start} on, but those from {self.rows} on are missing")
        self.rows = max(self.rows, stop)


@dataclass
class Stream:
    """The rows of a stream, and which are stored.

    `pending` are rows to store, by sequence number; a repeated number replaces its row. `sent` are the numbers
    of the last attempt to store, `stored` those in the catalogue, each with the uid of its event, in rising order.
    `files` has the data keys stored in external files.
    """

    name: str
    metadata: dict[str, Any]
    scalars: dict[str, str]
    arrays: dict[str, ArrayKey]
    pending: dict[int, EventRow] = field(default_factory=dict)
    sent: dict[int, str] = field(default_factory=dict)
    stored: dict[int, str] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    updates_stored: int = 0
    files: dict[str, ExternalRows] = field(default_factory=dict)

    @classmethod
    def from_descriptor(cls, doc: Mapping[str, Any]) -> Stream:
        """Create the stream that a descriptor declares; external keys are not columns."""
        inner = {k: v for k, v in doc["data_keys"].items() if "external" not in v}
        arrays = {k: _array_key(v) for k, v in inner.items() if v["dtype"] == "array"}
        scalars = {k: _scalar_kind(v) for k, v in inner.items() if v["dtype"] != "array"}
        metadata = {k: v for k, v in doc.items() if k not in ("name", "object_keys", "run_start")}
        return cls(doc["name"], metadata, scalars, arrays)

    def take(self, event: Mapping[str, Any]) -> bool:
        """Add an event; True if it precedes the last stored one, or replaces one.

        Raises
        ------
        UnfitDocumentError
            When the event does not fit the descriptor.
        """
        seq_num = operator.index(event["seq_num"])
        if self.stored.get(seq_num) == event["uid"]:
            return False
        self.pending[seq_num] = self._row(event)
        return bool(self.stored) and seq_num <= next(reversed(self.stored))

    def schema(self) -> pa.Schema:
        """Columns of the table: sequence number, time, scalars, and the time stamp of every key."""
        fields = [pa.field("seq_num", pa.int64()), pa.field("time", pa.float64())]
        fields += [pa.field(column(key), _ARROW[kind]) for key, kind in self.scalars.items()]
        fields += [pa.field(f"ts_{key}", pa.float64()) for key in (*self.scalars, *self.arrays)]
        return pa.schema(fields)

    def table(self) -> pa.Table:
        """The pending scalars as a table."""
        return pa.Table.from_pylist([row.scalars for row in self._rows()], schema=self.schema())

    def blocks(self) -> dict[str, np.ndarray]:
        """The pending arrays by data key, shape (events, ...)."""
        rows = self._rows()
        return {key: np.stack([row.arrays[key] for row in rows]) for key in self.arrays}

    def mark_sent(self) -> None:
        """Mark the pending rows as sent; all or none will be stored."""
        self.sent = {seq_num: self.pending[seq_num].uid for seq_num in sorted(self.pending)}

    def mark_stored(self) -> None:
        """Mark the sent rows as stored."""
        for seq_num in self.sent:
            del self.pending[seq_num]
        self.stored |= self.sent
        self.sent = {}

    def sent_is_current(self) -> bool:
        """Whether no sent row has been replaced since."""
        return all(self.pending[seq_num].uid == uid for seq_num, uid in self.sent.items())

    def _rows(self) -> list[EventRow]:
        return [self.pending[seq_num] for seq_num in sorted(self.pending)]

    def _row(self, event: Mapping[str, Any]) -> EventRow:
        data, stamps = event["data"], event["timestamps"]
        outer = {k for k in data if k in self.metadata["data_keys"] and k not in self.scalars and k not in self.arrays}
        if set(data) - outer != {*self.scalars, *self.arrays}:
            different = (set(data) - outer) ^ {*self.scalars, *self.arrays}
            raise UnfitDocumentError(f"its keys differ from the descriptor's: {', '.join(sorted(different))}")
        scalars = {"seq_num": operator.index(event["seq_num"]), "time": float(event["time"])}
        scalars |= {column(k): _scalar(k, kind, data[k]) for k, kind in self.scalars.items()}
        scalars |= {f"ts_{k}": _scalar(k, "float64", stamps.get(k)) for k in (*self.scalars, *self.arrays)}
        arrays = {key: _array(key, declared, data[key]) for key, declared in self.arrays.items()}
        return EventRow(str(event["uid"]), scalars, arrays)


def column(key: str) -> str:
    """Column name of a data key: its own name, except for two names that every table has."""
    return f"{key}_" if key in _RESERVED else key


_ARROW: dict[str, pa.DataType] = {
    "float64": pa.float64(),
    "float32": pa.float32(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "int16": pa.int16(),
    "int8": pa.int8(),
    "uint32": pa.uint32(),
    "uint16": pa.uint16(),
    "uint8": pa.uint8(),
    "bool": pa.bool_(),
    "string": pa.string(),
}
_KINDS = {"number": "float64", "integer": "int64", "boolean": "bool", "string": "string"}


def _scalar_kind(data_key: Mapping[str, Any]) -> str:
    broad = _KINDS.get(data_key["dtype"])
    if broad is None:
        raise UnfitDocumentError(f"dtype {data_key['dtype']!r} is none of the event model")
    precise = data_key.get("dtype_numpy")
    if broad in ("float64", "int64") and isinstance(precise, str):
        name = np.dtype(precise).name
        return name if name in _ARROW else broad
    return broad


def _array_key(data_key: Mapping[str, Any]) -> ArrayKey:
    shape = data_key.get("shape") or ()
    whole = all(isinstance(n, int) and n >= 0 for n in shape)
    precise = data_key.get("dtype_numpy")
    return ArrayKey(np.dtype(precise) if isinstance(precise, str) else None, tuple(shape) if shape and whole else None)


def _scalar(key: str, kind: str, value: Any) -> Any:
    """Convert a value to the Python type of that kind; None (an empty field) stays None."""
    if value is None:
        return None
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    try:
        if kind.startswith("float"):
            if isinstance(value, str | bytes):
                raise TypeError
            return float(value)
        if kind == "string":
            if not isinstance(value, str):
                raise TypeError
            return str(value)
        number = operator.index(value) if not isinstance(value, bool | np.bool_) else int(value)
        if kind == "bool":
            return bool(number)
        limits = np.iinfo(kind)
        if not limits.min <= number <= limits.max:
            raise TypeError
        return number
    except TypeError as error:
        raise UnfitDocumentError(f"{key} = {value!r} is not a {kind}") from error


def _array(key: str, declared: ArrayKey, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if declared.dtype is None:
        declared.dtype = array.dtype
    if declared.shape is None:
        declared.shape = array.shape
    if array.shape != declared.shape:
        raise UnfitDocumentError(f"{key} has the shape {array.shape}, not {declared.shape}")
    if array.dtype == declared.dtype:
        return array
    if array.dtype.hasobject or array.dtype.kind not in "biuf" or declared.dtype.kind not in "biuf":
        raise UnfitDocumentError(f"{key} has the type {array.dtype}, not {declared.dtype}")
    cast = array.astype(declared.dtype)
    if not np.array_equal(cast, array, equal_nan=True):
        raise UnfitDocumentError(f"{key} has values of type {array.dtype} that {declared.dtype} cannot hold")
    return cast
