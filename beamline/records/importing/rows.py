"""Rows of numbers in a text, each with its line; what is no whole row is refused by its line.

The readers of other packages drop such rows or stop at them without naming a line, so these are our own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beamline.records.importing.errors import ImportRefusedError, at_line

LONGEST_LINE = 100_000
"""Characters of a line: a thousand columns have a tenth of it."""
MOST_HEADER = 20_000
"""Lines of a header."""
BREAK = re.compile(r"\r\n|\r|\n")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([EeDd][+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)
COMMENT = ("#", "%", ";", "*", "!", "//")
SEVERAL = 20
"""Last rows by whose number of cells a table is recognised."""
MISSING = "is missing or no number"
WAY_OUT = "mend the line, or leave such rows out (--skip-bad-rows)"


@dataclass(frozen=True)
class NumberedLine:
    """A line of a text with its number, from 1."""

    number: int
    text: str


def lines_of(text: str) -> list[NumberedLine]:
    """Lines of a text with any line ends.

    Raises
    ------
    ImportRefusedError
        At a line that is too long for any table.
    """
    found = [NumberedLine(number, line) for number, line in enumerate(BREAK.split(text), start=1)]
    for line in found:
        if len(line.text) > LONGEST_LINE:
            raise at_line(line.number, f"it has {len(line.text)} characters, and {LONGEST_LINE} are allowed")
    return found


def header_and_rows(lines: Sequence[NumberedLine]) -> tuple[list[str], list[NumberedLine]]:
    """Split a text: the header, and the last block of lines that begin with numbers.

    Headers may hold numbers too, so the block is found from its end. Comments and empty lines inside it are skipped; a
    line that begins with anything but a number ends it, unless rows go on above: then it is a row that is not whole.

    Raises
    ------
    ImportRefusedError
        If there is no such block, or the header is too long.
    """
    like = [index for index, line in enumerate(lines) if _row_like(line.text)]
    if not like:
        raise ImportRefusedError("it has no rows of numbers")
    last = like[-1]
    width = Counter(len(cells_of(lines[index].text)) for index in like[-SEVERAL:]).most_common(1)[0][0]
    first = _first_row(lines, last, width)
    if first > MOST_HEADER:
        raise at_line(MOST_HEADER + 1, f"the header has {first} lines, and {MOST_HEADER} are allowed")
    if again := [
        line for line in lines[first:last] if first and line.text.strip() == lines[first - 1].text.strip() != ""
    ]:
        raise at_line(again[0].number, "the header comes again, another table begins: cut the file, a table each")
    return [line.text for line in lines[:first]], [line for line in lines[first : last + 1] if _counts(line.text)]


def _first_row(lines: Sequence[NumberedLine], last: int, width: int) -> int:
    """Index of the first line of the block that ends at `last`."""
    first = last
    for index in range(last - 1, -1, -1):
        text = lines[index].text
        if _row_like(text) and (index + 1 == first or len(cells_of(text)) == width):
            first = index
        elif _counts(text) and not (index and _row_like(lines[index - 1].text, width)):
            break
    return first


def _counts(text: str) -> bool:
    return bool(text.strip()) and not text.lstrip().startswith(COMMENT)


def _row_like(text: str, width: int = 0) -> bool:
    """Whether a line begins with a number and at least half of it is numbers; with `width`, of so many cells."""
    if not text or text.isspace():
        return False
    cells = cells_of(text)
    if (width and len(cells) != width) or not NUMBER.fullmatch(cells[0]):
        return False
    return 2 * sum(1 for cell in cells if NUMBER.fullmatch(cell)) >= len(cells)


def cells_of(text: str) -> list[str]:
    """Cells of a line, separated by semicolons, commas or white space; commas between digits alone are decimal ones."""
    text = text.strip()
    if ";" in text:
        return [cell.strip() for cell in text.rstrip(";").split(";")]
    if "," in text and (re.search(r",\s|,,", text) or not re.search(r"\s", text)):
        return [cell.strip() for cell in text.rstrip(",").split(",")]
    return text.split()


def numbers_of(rows: Iterable[NumberedLine], columns: int | None = None, skip: bool = False) -> Numbers:
    """Numbers of rows with one number of cells.

    Parameters
    ----------
    rows : iterable of NumberedLine
    columns : int, optional
        Cells of a row; by default those of most rows.
    skip : bool
        Leave out rows that are not whole instead of refusing them.

    Raises
    ------
    ImportRefusedError
        At the first row that is not whole, unless `skip`.
    """
    rows = list(rows)
    if (values := _all_at_once(rows)) is not None and columns in (None, values.shape[1]):
        return Numbers(values, np.array([line.number for line in rows], dtype=np.int64))
    return _one_by_one(rows, columns, skip)


def _all_at_once(rows: list[NumberedLine]) -> NDArray[np.float64] | None:
    """Numbers of rows that are all whole and plain, by numpy; None if any needs a closer look."""
    texts = [line.text for line in rows]
    if not texts or any(sign in text for text in texts for sign in ",;_"):
        return None
    try:
        values = np.loadtxt(texts, ndmin=2, comments=None)
    except ValueError:
        return None
    return values if len(values) == len(rows) else None


def _one_by_one(rows: list[NumberedLine], columns: int | None, skip: bool) -> Numbers:
    split = [(line, cells_of(line.text)) for line in rows]
    width = columns or Counter(len(cells) for _, cells in split).most_common(1)[0][0]
    values, numbers, left_out = [], [], []
    for line, cells in split:
        try:
            values.append(_numbers(line, cells, width))
            numbers.append(line.number)
        except ImportRefusedError as error:
            if not skip:
                raise
            left_out.append(str(error))
    array = np.array(values, dtype=np.float64).reshape(len(values), width)
    return Numbers(array, np.array(numbers, dtype=np.int64), tuple(left_out))


@dataclass(frozen=True)
class Numbers:
    """Whole rows, shape (N, columns), their lines, and why others were left out."""

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    left_out: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence about the rows that were left out."""
        if not self.left_out:
            return ()
        return (f"{len(self.left_out)} rows were left out: {'; '.join(self.left_out[:3])}.",)


def _numbers(line: NumberedLine, cells: list[str], width: int) -> list[float]:
    if len(cells) != width:
        raise at_line(line.number, f"{len(cells)} cells where {width} are expected: {WAY_OUT}")
    try:
        if "_" not in line.text:  # Python would read 1_000
            return [float(cell) for cell in cells]
    except ValueError:
        pass
    return [_number(line, column, cell) for column, cell in enumerate(cells, start=1)]


def _number(line: NumberedLine, column: int, cell: str) -> float:
    """A number with a decimal comma or Fortran's D, if it is one."""
    if not NUMBER.fullmatch(cell):
        shown = f"{cell[:20]!r} " if cell else ""
        raise at_line(line.number, f"cell {column} {shown}{MISSING}: {WAY_OUT}")
    return float(cell.replace(",", ".").replace("D", "E").replace("d", "e"))
