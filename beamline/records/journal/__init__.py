"""The journal: local, append-only documents; the one bus that everything downstream reads.

`Journal` writes (one file a run, whole documents only), `tail` and `read` read, `seal` closes runs that were cut off,
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
from beamline.records.journal.read import read, read_with_problems, tail
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
