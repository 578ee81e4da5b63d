"""Imports files: reads them, writes their runs, and refuses what was imported before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beamline.records.importing.choices import Choices
from beamline.records.importing.content import read_content
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.measured import Measured, measured_of
from beamline.records.importing.readers.any_file import read_tables
from beamline.records.importing.run import Publish, Source, write_run
from beamline.records.importing.table import Table
from beamline.records.runs.run import Run
from reduction.documents.raw import IMPORTED


@dataclass(frozen=True)
class Scan:
    """A scan of a file that can be written as a run."""

    source: Source
    found: Measured

    def write(self, publish: Publish) -> str:
        """Publish its documents; returns the uid."""
        try:
            return write_run(publish, self.source, self.found)
        except ImportRefusedError as error:
            raise ImportRefusedError(_named(self.source.content.name, self.source.table, error)) from error

    def already_in(self, runs: Iterable[Run]) -> Run | None:
        """The run of the same content, part and choices, if there is one."""
        mine = self.source.entry(self.found, ())
        same = ("sha256", "part", "choices")
        for run in runs:
            entry = run.start.get(IMPORTED)
            if isinstance(entry, dict) and run.raw_uid is None and all(entry.get(key) == mine[key] for key in same):
                return run
        return None


def read_file(
    path: Path, choices: Choices, labels: Sequence[str] = (), skip: bool = False, parts: Sequence[str] = ()
) -> list[Scan]:
    """All scans of a file, or those of some parts.

    Parameters
    ----------
    path : Path
    choices : Choices
    labels : sequence of str
        Names of the columns of a text.
    skip : bool
        Leave out rows that are not whole.
    parts : sequence of str
        Numbers of scans or names of groups.

    Raises
    ------
    ImportRefusedError
        Naming the file, the part and the line, with the way out.
    """
    try:
        content = read_content(path)
        reader, tables = read_tables(content, labels, skip)
    except ImportRefusedError as error:
        raise ImportRefusedError(f"{path.name}, {error}" if _has_line(error) else f"{path.name}: {error}") from error
    chosen = [table for table in tables if not parts or table.part.partition(" ")[2] in parts]
    if not chosen:
        there = ", ".join(table.part.partition(" ")[2] for table in tables[:20])
        raise ImportRefusedError(f"{path.name}: it has no part {', '.join(parts)}, but {there or 'only one'}")
    scans = []
    for table in chosen:
        try:
            scans.append(Scan(Source(content, reader, table, choices), measured_of(table, choices)))
        except ImportRefusedError as error:
            raise ImportRefusedError(_named(path.name, table, error)) from error
    return scans


def _has_line(error: ImportRefusedError) -> bool:
    return str(error).startswith(("line ", "row "))


def _named(name: str, table: Table, error: ImportRefusedError) -> str:
    where = f"{name}, {table.part}" if table.part else name
    return f"{where}, {error}" if _has_line(error) else f"{where}: {error}"
