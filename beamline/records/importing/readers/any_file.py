"""Chooses the reader of a file by its content, not by its name."""

from __future__ import annotations

from collections.abc import Sequence

from beamline.records.importing.content import Content, decoded
from beamline.records.importing.readers.athena import is_athena, read_athena
from beamline.records.importing.readers.columns import read_columns
from beamline.records.importing.readers.hdf5 import is_hdf5, read_hdf5
from beamline.records.importing.readers.mda import is_mda, read_mda
from beamline.records.importing.readers.spec import is_spec, read_spec
from beamline.records.importing.readers.xdi import is_xdi, read_xdi
from beamline.records.importing.table import Table

READERS = ("spec", "columns", "xdi", "mda", "athena", "hdf5")


def read_tables(content: Content, labels: Sequence[str] = (), skip: bool = False) -> tuple[str, list[Table]]:
    """The reader's name and the tables of a file.

    Parameters
    ----------
    content : Content
    labels : sequence of str
        Names of the columns of a text, instead of those of its header.
    skip : bool
        Leave out rows of a text that are not whole.

    Raises
    ------
    beamline.records.importing.errors.ImportRefusedError
        With the reason, if it cannot be read.
    """
    for name, fits, read in (
        ("hdf5", is_hdf5, read_hdf5), ("mda", is_mda, read_mda), ("athena", is_athena, read_athena)
    ):  # fmt: skip
        if fits(content.data):
            return name, read(content.data)
    text = decoded(content.data)
    if is_spec(text):
        return "spec", read_spec(text, skip)
    if is_xdi(text) and not labels:
        return "xdi", read_xdi(text, skip)
    return "columns", read_columns(text, labels, skip)
