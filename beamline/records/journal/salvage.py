"""The next whole record behind damage."""

from __future__ import annotations

import os
import re

from beamline.records.journal.errors import DamagedRecordError
from beamline.records.journal.format import HEAD_BYTES, unframe

_PAYLOAD = re.compile(rb"\x92[\xa1-\xbf][a-z]")
"""How the payload of a record begins: a pair, and the name of a document."""


def next_whole(buffer: bytes, position: int) -> int | None:
    """Offset of the first whole record after the one at `position`; None when there is none."""
    for match in _PAYLOAD.finditer(buffer, position + HEAD_BYTES + 1):
        begin = match.start() - HEAD_BYTES
        try:
            if unframe(buffer, begin) is not None:
                return begin
        except DamagedRecordError:
            continue
    return None


def skip_damage(descriptor: int, offset: int, size: int) -> int | None:
    """Where to go on reading a file of `size` bytes that is damaged at `offset`; None: nothing whole follows.

    A writer that cuts back a half-written record and goes on looks like damage to a reader between the two. What lies
    before a whole record is never written again, so it is looked at a second time.
    """
    rest = os.pread(descriptor, size - offset, offset)
    found = next_whole(rest, 0)
    if found is None or os.pread(descriptor, found, offset) != rest[:found]:
        return None
    return offset + found
