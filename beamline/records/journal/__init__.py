"""The journal: local, append-only files of documents, the source of everything downstream.

`Journal` writes (one file per run, complete documents only), `tail` and `read` read, `seal` closes interrupted runs,
`repair` sets damage aside.
"""

from __future__ import annotations

from beamline.records.journal.damage import damage
from beamline.records.journal.errors import (
    DamagedRecordError,
    DiskFullError,
    ForeignFileError,
    JournalError,
    UnwritableValueError,
)
from beamline.records.journal.files import journal_directory, odd_files, run_file, run_files, uid_of
from beamline.records.journal.follow import tail
from beamline.records.journal.read import read, read_with_problems
from beamline.records.journal.repair import Repair, repair
from beamline.records.journal.seal import SealedRun, seal
from beamline.records.journal.write import Journal

__all__ = [
    "DamagedRecordError",
    "DiskFullError",
    "ForeignFileError",
    "Journal",
    "JournalError",
    "Repair",
    "SealedRun",
    "UnwritableValueError",
    "damage",
    "journal_directory",
    "odd_files",
    "read",
    "read_with_problems",
    "repair",
    "run_file",
    "run_files",
    "seal",
    "tail",
    "uid_of",
]
