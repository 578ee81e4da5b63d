"""The run that is being measured, as its file has it: what a note of now belongs to."""

from __future__ import annotations

from pathlib import Path

from beamline.records.journal.ends import ends_with_stop, is_being_written, start_of
from beamline.records.journal.files import run_files, uid_of
from beamline.records.journal.fitness import count_events
from beamline.records.journal.read import RunReader

PRIMARY = "primary"


def under_way(root: str | Path) -> tuple[str, int]:
    """Uid and number of dwells of the raw run that a process is writing; an empty uid between runs."""
    for path in reversed(run_files(root)):
        if ends_with_stop(path) or not is_being_written(path):
            continue
        start = start_of(path)
        if start is not None and "analysis_of" not in start:
            return uid_of(path), count_events(RunReader(path).documents()).get(PRIMARY, 0)
    return "", 0
