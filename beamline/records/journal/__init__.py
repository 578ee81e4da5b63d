"""The journal: local, append-only documents; the one bus that everything downstream reads.

`Journal` writes (one file a run, whole documents only), `tail` and `read` read, `seal` closes runs that were cut off,
`repair` sets damage aside.
"""

from __future__ import annotations

from beamline.records.journal.errors import DamagedRecordError, DiskFullError, JournalError, UnwritableValueError
from beamline.records.journal.files import journal_directory, run_file, run_files, uid_of
from beamline.records.journal.read import read, tail
from beamline.records.journal.seal import Repair, SealedRun, repair, seal
from beamline.records.journal.write import Journal

__all__ = [
    "DamagedRecordError",
    "DiskFullError",
    "Journal",
    "JournalError",
    "Repair",
    "SealedRun",
    "UnwritableValueError",
    "journal_directory",
    "read",
    "repair",
    "run_file",
    "run_files",
    "seal",
    "tail",
    "uid_of",
]
