"""The logbook: notes about the measurement and corrections of past runs, in append-only files beside the runs.

`Note` and `Correction` are the two documents, `append` writes one, `LogbookReader` reads and follows them,
`Corrections` applies corrections to start documents. A run itself is never changed.
"""

from __future__ import annotations

from beamline.records.logbook.corrections import CORRECTED, Corrections
from beamline.records.logbook.entries import Correction, LogbookError, Note, new_correction, new_note
from beamline.records.logbook.files import LogbookReader, append, logbook_files, read_logbook
from beamline.records.logbook.under_way import under_way

__all__ = [
    "CORRECTED",
    "Correction",
    "Corrections",
    "LogbookError",
    "LogbookReader",
    "Note",
    "append",
    "logbook_files",
    "new_correction",
    "new_note",
    "read_logbook",
    "under_way",
]
