"""Chooses the reader of a file by its content, not by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from beamline.records.importing.content import Content, decoded
from beamline.records.importing.readers.athena import is_athena, read_athena
from beamline.records.importing.readers.columns import read_columns
from beamline.records.importing.readers.hdf5 import is_hdf5, read_hdf5
from beamline.records.importing.readers.mda import is_mda, read_mda
from beamline.records.importing.readers.spec import is_spec, read_spec
from beamline.records.importing.readers.xdi import is_xdi, read_xdi
from beamline.records.importing.table import Table

CUT_OFF = "The last line has no end: if the file was cut off, its last number is wrong."
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
        name, tables = "spec", read_spec(text, skip)
    elif is_xdi(text) and not labels:
        name, tables = "xdi", read_xdi(text, skip)
    else:
        name, tables = "columns", read_columns(text, labels, skip)
    if _ends_within_a_number(text):
        tables[-1] = replace(tables[-1], remarks=(*tables[-1].remarks, CUT_OFF))
    return name, tables


def _ends_within_a_number(text: str) -> bool:
    """Whether the last line is a row without an end: nothing shows whether its last number is whole."""
    last = text.splitlines()[-1].strip() if text.strip() else ""
    return text[-1:].isdigit() and last[:1] not in ("#", ";")
