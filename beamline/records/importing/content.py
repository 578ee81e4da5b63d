"""Reads a file within limits, and its text in whatever encoding it was written."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from beamline.records.importing.errors import ImportRefusedError

LARGEST = 256 * 2**20
"""Bytes of a file."""
LARGEST_UNPACKED = 128 * 2**20
"""Bytes of an unpacked file: an Athena project of a hundred spectra has a tenth of it."""
GZIP = b"\x1f\x8b"
BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""Byte order marks; longer ones before their beginnings."""
MOST_CONTROL = 0.01
"""Share of control characters above which a file is no text."""
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1a"))


@dataclass(frozen=True)
class Content:
    """A file: its name without folders, its bytes and their hash (SHA-256, hex)."""

    name: str
    data: bytes
    sha256: str


def read_content(path: Path) -> Content:
    """Read a file.

    Raises
    ------
    ImportRefusedError
        If it is missing, empty, too large, or no regular file.
    """
    try:
        if not path.is_file():
            raise ImportRefusedError("it is no file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ImportRefusedError(f"it cannot be read ({error.strerror})") from error
    if not data:
        raise ImportRefusedError("it is empty")
    if len(data) > LARGEST:
        raise ImportRefusedError(f"it is larger than {LARGEST >> 20} MB; cut it into scans")
    return Content(path.name, data, hashlib.sha256(data).hexdigest())


def unpacked(data: bytes) -> bytes:
    """The bytes of a gzip file, up to a limit; other bytes as they are.

    Raises
    ------
    ImportRefusedError
        If it is damaged, or unpacks to more than `LARGEST_UNPACKED`.
    """
    if not data.startswith(GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(data, LARGEST_UNPACKED)
    except zlib.error as error:
        raise ImportRefusedError(f"its compressed content is damaged ({error})") from error
    if unpacker.unconsumed_tail:
        raise ImportRefusedError(
            f"it unpacks to more than {LARGEST_UNPACKED >> 20} MB; save the spectra in several files"
        )
    if not unpacker.eof:
        raise ImportRefusedError("its compressed content is cut off")
    return found


def decoded(data: bytes) -> str:
    """Text of a file: by its byte order mark, else UTF-16 without one, UTF-8, or Latin-1.

    Raises
    ------
    ImportRefusedError
        If it is no text.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], encoding)
    if 0 in data:
        return _strict(data, _utf16_of(data))
    if len(data) - len(data.translate(None, CONTROL)) > MOST_CONTROL * len(data):
        raise ImportRefusedError("it is neither text nor a binary format that is known")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _utf16_of(data: bytes) -> str:
    """Byte order of UTF-16 without a mark: one byte of most characters is 0."""
    for encoding, zeros in (("utf-16-le", data[1::2].count(0)), ("utf-16-be", data[0::2].count(0))):
        if zeros > 0.9 * (len(data) // 2):
            return encoding
    raise ImportRefusedError("it is neither text nor a binary format that is known")


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ImportRefusedError(f"its text is no {encoding.upper()} (byte {error.start})") from error
