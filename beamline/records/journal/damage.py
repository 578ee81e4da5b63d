"""Whether a journal file is intact, and if not, what its run lacks."""

from __future__ import annotations

import os
from pathlib import Path

from beamline.records.journal.errors import DamagedRecordError, ForeignFileError
from beamline.records.journal.files import open_run
from beamline.records.journal.fitness import lacking
from beamline.records.journal.format import DAMAGED, MAGIC, checked_payload
from beamline.records.journal.read import read_with_problems


def damage(path: Path) -> str:
    """Describe the damage of a file and what its run lacks; empty if intact.

    An incomplete last record is not damage.
    """
    if _is_whole(path):
        return ""
    documents, problems = read_with_problems(path)
    if not problems:
        return ""
    lacks = ", ".join(lacking(documents)) or "none of its documents is known to be missing"
    return f"DAMAGED, lacks {lacks} ({'; '.join(problems)})"


def _is_whole(path: Path) -> bool:
    """Whether every checksum is right and nothing follows the last record; quick, as it decodes nothing."""
    try:
        descriptor = open_run(path)
    except (FileNotFoundError, ForeignFileError):
        return False
    try:
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
    position = len(MAGIC)
    if not content.startswith(MAGIC):
        return False
    try:
        while (found := checked_payload(content, position)) is not None:
            payload, position = found
            if payload.startswith(_NOTE):
                return False
    except DamagedRecordError:
        return False
    return position == len(content)


_NOTE = b"\x92" + bytes([0xA0 + len(DAMAGED)]) + DAMAGED.encode()
