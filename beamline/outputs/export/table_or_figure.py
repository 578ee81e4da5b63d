"""Numbers of several results as a CSV table with a header, or as a figure: the suffix of the file decides."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from beamline.formatting import printable
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.names import written_whole
from beamline.outputs.export.paper import save_figure
from beamline.outputs.export.result import Result

SUFFIXES = (".csv", ".png", ".pdf")


def write_table_or_figure(
    path: Path, what: str, table: Callable[[Path], None], figure: Callable[[], Figure], results: Sequence[Result]
) -> Path:
    """Write a file in the format of its suffix; it appears when it is whole.

    Parameters
    ----------
    path : Path
    what : str
        For the message, with its verb: ``a comparison is``.
    table : callable
        Writes the table to a path.
    figure : callable
        Draws the figure.
    results : sequence of Result
        Whose uids and hashes a figure carries.

    Raises
    ------
    ExportError
        If the suffix is another, or the folder cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise ExportError(f"{what} written as {', '.join(SUFFIXES)}, not as {path.suffix or path.name!r}")
    with written_whole(path) as draft:
        if path.suffix == ".csv":
            table(draft)
        else:
            save_figure(figure(), draft, list(results))
    return path


def write_columns(path: Path, header: Iterable[tuple[str, Any]], columns: Mapping[str, Any]) -> None:
    """Write columns of equal length below their names and header lines ``# name: text``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        for name, text in header:
            file.write(f"# {name}: {printable(' '.join(str(text).split()))}\n")
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
