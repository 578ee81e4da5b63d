"""A file, or a row of one, that is not imported."""

from __future__ import annotations

from beamline.records.runs.run import RunError


class ImportRefusedError(RunError):
    """A file is not imported; the message names it, the line where there is one, and the way out."""


def at_line(line: int, sentence: str) -> ImportRefusedError:
    """Refusal of one line, numbered from 1 as editors do."""
    return ImportRefusedError(f"line {line}: {sentence}")
