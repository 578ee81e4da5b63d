"""The frame of a record in a journal file.

A file is the magic, then records. A record is ::

    length  uint32, little-endian   bytes of the payload
    crc     uint32, little-endian   CRC-32 of length and payload
    payload                         msgpack of [name, document]
    length  uint32, little-endian   again, so that the last record can be found from the end of the file

The second length lets a start-up check of thousands of files read one record of each. The checksum covers the length,
so a run of zeros (which a file system may leave after a power cut) is not a record.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from beamline.records.journal.codec import pack_document, unpack_document
from beamline.records.journal.errors import DamagedRecordError

MAGIC = b"TRXAS-J1"
LARGEST_PAYLOAD = 2**30
DAMAGED = "damaged"
"""Name of the note that a repair leaves in place of damaged bytes."""
_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
HEAD_BYTES = _HEAD.size
OVERHEAD = _HEAD.size + _LENGTH.size


@dataclass(frozen=True)
class Record:
    """One document in a file and the offset, in bytes, of the record after it."""

    name: str
    doc: dict[str, Any]
    end: int


def frame(name: str, doc: Any) -> bytes:
    """One record, ready to append.

    Raises
    ------
    UnwritableValueError
        When the document cannot be written exactly.
    """
    payload = pack_document(name, doc)
    if len(payload) > LARGEST_PAYLOAD:
        raise DamagedRecordError(f"A {name} document of {len(payload)} bytes is too large for the journal.")
    length = _LENGTH.pack(len(payload))
    crc = zlib.crc32(payload, zlib.crc32(length))
    return b"".join((length, _LENGTH.pack(crc), payload, length))


def record_size(buffer: bytes | memoryview, offset: int) -> int | None:
    """Bytes of the record at `offset`, its frame included; None while its head is incomplete.

    Raises
    ------
    DamagedRecordError
        When no record can have such a length.
    """
    if len(buffer) - offset < _HEAD.size:
        return None
    (length, _) = _HEAD.unpack_from(buffer, offset)
    if not 0 < length <= LARGEST_PAYLOAD:
        raise DamagedRecordError(f"a record claims {length} bytes")
    return length + OVERHEAD


def unframe(buffer: bytes | memoryview, offset: int) -> Record | None:
    """The record at `offset`, or None while it is incomplete.

    Raises
    ------
    DamagedRecordError
        When the record is complete but its bytes are not those that were written.
    """
    if (found := checked_payload(buffer, offset)) is None:
        return None
    payload, end = found
    return Record(*unpack_document(payload), end)


def checked_payload(buffer: bytes | memoryview, offset: int) -> tuple[bytes, int] | None:
    """Payload of the record at `offset` and the offset after it, or None while it is incomplete.

    Raises
    ------
    DamagedRecordError
        When the record is complete but its bytes are not those that were written.
    """
    size = record_size(buffer, offset)
    if size is None or len(buffer) - offset < size:
        return None
    (length, crc) = _HEAD.unpack_from(buffer, offset)
    start = offset + _HEAD.size
    payload = bytes(buffer[start : start + length])
    (again,) = _LENGTH.unpack_from(buffer, start + length)
    if again != length or zlib.crc32(payload, zlib.crc32(_LENGTH.pack(length))) != crc:
        raise DamagedRecordError(f"the checksum of the record at byte {offset} does not match")
    return payload, offset + size


def last_size(tail: bytes) -> int:
    """Bytes of the record that ends with these four bytes, its frame included."""
    (length,) = _LENGTH.unpack(tail)
    return length + OVERHEAD
