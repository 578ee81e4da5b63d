"""Scans of SPEC files: ``#S`` begins a scan, ``#L`` names its columns two spaces apart, rows follow.

silx reads SPEC files too, but fills rows that are cut off, and names no line; tests compare with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.rows import NumberedLine, lines_of, numbers_of
from beamline.records.importing.table import Table, table_of

SCAN = re.compile(r"#S\s+(\d+)\s*(.*)")
MCA = "@"
"""First character of the lines of a spectrum inside a row."""


def is_spec(text: str) -> bool:
    """Whether a text has scans with named columns as SPEC writes them."""
    return (
        re.search(r"^#S\s+\d", text, re.MULTILINE) is not None and re.search(r"^#L\s", text, re.MULTILINE) is not None
    )


def read_spec(text: str, skip: bool = False) -> list[Table]:
    """All scans of a file that have rows.

    Raises
    ------
    ImportRefusedError
        If there is none, or a row is not whole and `skip` is not set.
    """
    tables = [table for scan in _scans(lines_of(text)) if (table := _table(scan, skip)) is not None]
    if not tables:
        raise ImportRefusedError("none of its scans has rows")
    return tables


def _scans(lines: list[NumberedLine]) -> Iterator[list[NumberedLine]]:
    begins = [index for index, line in enumerate(lines) if SCAN.match(line.text)]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield lines[begin:end]


def _table(scan: list[NumberedLine], skip: bool) -> Table | None:
    found = SCAN.match(scan[0].text)
    assert found is not None  # it begins so
    header = {line.text[1]: line.text[2:].strip() for line in reversed(scan) if line.text[:1] == "#" and line.text[1:]}
    rows = [line for line in scan if line.text.strip() and line.text[0] not in ("#", MCA)]
    if not rows:
        return None
    columns = header.get("N", "").split()
    labels = _labels(header.get("L", ""), int(columns[0]) if columns and columns[0].isdecimal() else None)
    numbers = numbers_of(rows, len(labels), skip)
    about = {"title": found[2], "began": header.get("D", "")}
    return table_of(
        labels, numbers.values, numbers.lines, part=f"scan {found[1]}", about=about, remarks=numbers.remarks
    )


def _labels(text: str, columns: int | None) -> list[str]:
    """Labels, two spaces apart; where their number is not that of ``#N``, one space apart."""
    apart = re.split(r"\s{2,}|\t", text)
    single = text.split()
    return single if columns is not None and len(apart) != columns == len(single) else apart
