"""Finds the next complete record after damage."""

from __future__ import annotations

import os
import re

from beamline.records.journal.errors import DamagedRecordError
from beamline.records.journal.format import HEAD_BYTES, unframe

_PAYLOAD = re.compile(rb"\x92[\xa1-\xbf][a-z]")
"""First bytes of the payload of a record: a pair, and the name of a document."""


def next_whole(buffer: bytes, position: int) -> int | None:
    """Offset of the first complete record after that at `position`; None if there is none."""
    for match in _PAYLOAD.finditer(buffer, position + HEAD_BYTES + 1):
        begin = match.start() - HEAD_BYTES
        try:
            if unframe(buffer, begin) is not None:
                return begin
        except DamagedRecordError:
            continue
    return None


def skip_damage(descriptor: int, offset: int, size: int) -> int | None:
    """Offset at which to resume reading a file of `size` bytes damaged at `offset`; None if no complete record follows.

    A writer that truncates an incomplete record and continues looks like damage to a concurrent reader. Bytes before a
    complete record are never rewritten, so they are read a second time.
    """
    rest = os.pread(descriptor, size - offset, offset)
    found = next_whole(rest, 0)
    if found is None or os.pread(descriptor, found, offset) != rest[:found]:
        return None
    return offset + found
