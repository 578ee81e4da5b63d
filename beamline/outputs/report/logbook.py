"""The logbook of a shift as rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beamline.formatting import printable, when
from beamline.outputs.report.shift import Shift
from beamline.records.logbook import CORRECTED, Note

NOTE_COLUMNS = ("when", "who", "run", "dwell", "note")
CORRECTION_COLUMNS = ("run", "entry", "is", "recorded")


def note_rows(shift: Shift, notes: Iterable[Note]) -> Iterator[tuple[str, ...]]:
    """Notes about the runs of a shift, and those between runs within its time, the earliest first."""
    runs = {run.uid for run in shift.raw}
    for note in notes:
        if note.run in runs or (not note.run and shift.first <= note.time <= shift.last):
            dwell = str(note.dwell) if note.run else ""
            yield when(note.time), note.who, note.run[:8], dwell, note.tagged_text()


def correction_rows(shift: Shift) -> Iterator[tuple[str, ...]]:
    """Corrected entries of the runs of a shift."""
    for run in shift.raw:
        for key, text in run.start.get(CORRECTED, {}).items():
            yield run.uid[:8], key, printable(run.start[key]), text
