"""Encoding of documents: msgpack with bit-exact numpy values and no executable content.

Plain values (None, bool, int, float, str, bytes, list, dict) are msgpack's own. Three extension types carry the rest:

==== =====================================================================
code content
==== =====================================================================
1    numpy array: msgpack of [dtype description, shape, bytes in C order]
2    numpy scalar: msgpack of [dtype description, bytes]
3    integer beyond 64 bits: two's complement, big-endian
==== =====================================================================

Tuples come back as lists. All other types are refused by name, so that everything written can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgpack
import numpy as np

from beamline.records.journal.errors import DamagedRecordError, UnwritableValueError

ARRAY, SCALAR, BIG_INTEGER = 1, 2, 3
_UNREADABLE = (ValueError, TypeError, OverflowError, MemoryError, RecursionError, msgpack.exceptions.UnpackException)
_TYPE_STRING = re.compile(r"[<>|=][biufcSUVMm]\d*(\[\w+\])?")
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def pack_document(name: str, doc: Mapping[str, Any]) -> bytes:
    """Encode one named document.

    Raises
    ------
    UnwritableValueError
        When a value has no exact representation; the message names its key.
    """
    try:
        content = _encode(doc)
    except _RefusedError as refused:
        path = refused.path.lstrip(".") or "the document"
        raise UnwritableValueError(f"The journal cannot store `{path}`: {refused.reason}") from None
    return msgpack.packb([str(name), content], use_bin_type=True, unicode_errors="surrogatepass")


def unpack_document(payload: bytes) -> tuple[str, dict[str, Any]]:
    """Decode what `pack_document` made.

    Raises
    ------
    DamagedRecordError
        When the bytes are not a valid document.
    """
    try:
        content = msgpack.unpackb(
            payload, ext_hook=_decode_extension, strict_map_key=False, unicode_errors="surrogatepass"
        )
    except _UNREADABLE as error:
        raise DamagedRecordError(f"a record cannot be decoded: {error}") from error
    if not (isinstance(content, list) and len(content) == 2):
        raise DamagedRecordError("a record is not a pair of name and document")
    name, doc = content
    if not (isinstance(name, str) and isinstance(doc, dict)):
        raise DamagedRecordError("a record is not a pair of name and document")
    return name, doc


class _RefusedError(Exception):
    """A value without an exact representation, and the path of keys to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def under(self, key: str) -> _RefusedError:
        self.path = key + self.path
        return self


def _encode(value: Any) -> Any:
    """Convert a value to msgpack types."""
    kind = type(value)
    if kind is float or kind is str or value is None or kind is bool or kind is bytes:
        return value
    if kind is int:
        return _encode_integer(value)
    if isinstance(value, np.generic):
        return msgpack.ExtType(SCALAR, msgpack.packb([_describe(value.dtype), value.tobytes()]))
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    if isinstance(value, (list, tuple)):
        return _encode_list(value)
    return _encode_subclass(value)


def _encode_mapping(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    encoded = {}
    for key, item in mapping.items():
        plain = key if type(key) is str else _encode_key(key)
        try:
            encoded[plain] = _encode(item)
        except _RefusedError as refused:
            raise refused.under(f".{key}") from None
    return encoded


def _encode_list(items: Iterable[Any]) -> list[Any]:
    encoded = []
    for number, item in enumerate(items):
        try:
            encoded.append(_encode(item))
        except _RefusedError as refused:
            raise refused.under(f"[{number}]") from None
    return encoded


def _encode_subclass(value: Any) -> Any:
    """Convert an enumeration or another subclass of a plain type to its plain value; refuse anything else."""
    if isinstance(value, bool | int):
        return _encode_integer(int(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise _RefusedError(
        f"a {type(value).__name__} has no exact representation. "
        "Use a number, a text, a list, a dictionary or a numpy array of numbers."
    )


def _encode_key(key: Any) -> Any:
    if type(key) in (int, bool):
        return key
    if isinstance(key, str):
        return str.__str__(key)
    raise _RefusedError(f"its key {key!r} is a {type(key).__name__}. Use text as keys.")


def _encode_integer(value: int) -> Any:
    if _SMALLEST <= value <= _LARGEST:
        return value
    size = value.bit_length() // 8 + 1
    return msgpack.ExtType(BIG_INTEGER, value.to_bytes(size, "big", signed=True))


def _encode_array(array: np.ndarray) -> msgpack.ExtType:
    if isinstance(array, np.ma.MaskedArray):
        raise _RefusedError("a masked array would lose its mask. Fill it first.")
    content = [_describe(array.dtype), list(array.shape), array.tobytes(order="C")]
    return msgpack.ExtType(ARRAY, msgpack.packb(content))


def _describe(dtype: np.dtype) -> Any:
    if dtype.hasobject:
        raise _RefusedError("an array of Python objects has no binary form. Give it a numeric or text dtype.")
    return np.lib.format.dtype_to_descr(dtype) if dtype.names else dtype.str


def _decode_extension(code: int, data: bytes) -> Any:
    if code == BIG_INTEGER:
        return int.from_bytes(data, "big", signed=True)
    content = msgpack.unpackb(data)
    if code == ARRAY:
        description, shape, raw = content
        return np.frombuffer(raw, dtype=_dtype(description)).reshape(shape).copy()
    if code == SCALAR:
        description, raw = content
        return np.frombuffer(raw, dtype=_dtype(description))[0]
    raise ValueError(f"unknown extension type {code}")


def _dtype(description: Any) -> np.dtype:
    if isinstance(description, str):
        return np.dtype(_simple(description))
    return np.lib.format.descr_to_dtype(_as_descr(description))


def _simple(description: str) -> str:
    """A plain numpy type string; numpy's parser of longer ones is unsafe for untrusted bytes."""
    if not _TYPE_STRING.fullmatch(description):
        raise ValueError(f"{description!r} is not an array type")
    return description


def _as_descr(fields: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Field lists as tuples, which numpy requires (msgpack has only lists)."""
    descr: list[tuple[Any, ...]] = []
    for field in fields:
        name, kind, *shape = field
        kind = _simple(kind) if isinstance(kind, str) else _as_descr(kind)
        title = tuple(name) if isinstance(name, list) else name
        descr.append((title, kind, *(tuple(s) for s in shape)))
    return descr
