"""What every reader returns: one scan of a file as named columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.records.importing.errors import ImportRefusedError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Rows of one scan, as they stand in the file.

    Attributes
    ----------
    columns : mapping of str to ndarray, shape (N,)
        By label.
    lines : ndarray of int, shape (N,)
        Line of each row, from 1; 0 in files without lines.
    units : mapping of str to str
        By label, where the file states them.
    part : str
        Which scan or group of the file this is; empty if it has only one.
    about : mapping
        ``title``, ``sample``, ``element``, ``shell``, ``e0`` (keV), ``began``, ``mode``, ``d_spacing`` (angstrom),
        where the file states them.
    result : mapping
        A finished result, as `trxas export` writes it into NeXus: arrays by the keys of the reduced event; else empty.
    remarks : tuple of str
        What the reader did beyond reading.
    """

    columns: Mapping[str, Array]
    lines: NDArray[np.int64]
    units: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def rows(self, index: NDArray[Any], *remarks: str) -> Table:
        """Some rows, by index or mask, with further remarks."""
        columns = {label: values[index] for label, values in self.columns.items()}
        return replace(self, columns=columns, lines=self.lines[index], remarks=(*self.remarks, *remarks))

    def named_line(self, row: int) -> str:
        """How a message names a row."""
        return f"line {self.lines[row]}" if self.lines[row] else f"row {row + 1}"


def table_of(labels: list[str], values: Array, lines: NDArray[np.int64], **more: Any) -> Table:
    """A table of an array of shape (N, columns); repeated labels get the number of their column.

    Raises
    ------
    ImportRefusedError
        If there are no rows, or there is not one label a column.
    """
    if not len(values):
        raise ImportRefusedError("it has no rows of numbers")
    if len(labels) != values.shape[1]:
        raise ImportRefusedError(
            f"its rows have {values.shape[1]} cells (line {lines[0]}), and its header names {len(labels)} columns"
        )
    unique = [f"{label}_col{n}" if label in labels[: n - 1] else label for n, label in enumerate(labels, 1)]
    return Table(dict(zip(unique, values.T, strict=True)), lines, **more)
