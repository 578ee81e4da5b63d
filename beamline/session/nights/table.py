"""Reads a table from a .csv or .xlsx file: plain values of cells, none of them evaluated."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEPARATORS = ",;\t"
MOST_ROWS, MOST_COLUMNS, MOST_BYTES = 1000, 60, 20_000_000
LONGEST = 1000
"""Characters of a cell."""


class NightFileError(Exception):
    """A file is no table of a night; the message names the file and what is wrong."""


@dataclass(frozen=True)
class NightTable:
    """Rows with their numbers in the file, where the heading is row 1; empty cells and rows are left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, Any]], ...]


def read_table(path: Path) -> NightTable:
    """Read a file.

    Raises
    ------
    NightFileError
    """
    readers = {".csv": _read_csv, ".xlsx": _read_xlsx}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise NightFileError(f"{path}: a night is a .csv or an .xlsx file")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise NightFileError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB")
        return _table(path, reader(path))
    except OSError as error:
        raise NightFileError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_csv(path: Path) -> list[Sequence[Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        separator = max(SEPARATORS, key=first.count)
        return list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NightFileError(f"{path} is no CSV file in UTF-8: {error}") from error


def _read_xlsx(path: Path) -> list[Sequence[Any]]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise NightFileError(f"{path}: .xlsx needs pip install 'trxas[batch]'; or save it as .csv") from error
    try:
        book = load_workbook(path, read_only=True, keep_links=False)  # formulas stay text, and are refused
        try:
            rows = book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS + 1)
            return list(rows)
        finally:
            book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, SyntaxError) as error:
        raise NightFileError(f"{path} is no .xlsx file: {error}") from error


def _table(path: Path, found: Sequence[Sequence[Any]]) -> NightTable:
    headings = [str(each if each is not None else "").strip() for each in (found[0] if found else ())]
    while headings and not headings[-1]:
        headings.pop()
    if not any(headings):
        raise NightFileError(f"{path}: the first row has the names of the columns, and it is empty")
    if twice := sorted({each for each in headings if each and headings.count(each) > 1}):
        raise NightFileError(f"{path}: two columns are named {', '.join(twice)}")
    if len(headings) > MOST_COLUMNS or len(found) > MOST_ROWS + 1:
        raise NightFileError(f"{path}: at most {MOST_ROWS} rows and {MOST_COLUMNS} columns are read")
    rows = ((number, _cells(headings, row)) for number, row in enumerate(found[1:], start=2))
    return NightTable(
        tuple(each for each in headings if each), tuple((number, cells) for number, cells in rows if cells)
    )


def _cells(headings: Sequence[str], row: Iterable[Any]) -> dict[str, Any]:
    """Cells by column that are not empty; those beside the table have no name."""
    values = ((each.strip() if isinstance(each, str) else each) for each in row)
    named = zip([*headings, *([""] * MOST_COLUMNS)], values, strict=False)
    return {heading: value for heading, value in named if value not in (None, "")}
