"""An embedded catalogue lies where it was made: its database has the full paths of its arrays and tables.

A copy would show, and on rewriting a run remove, those of the original.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from beamline.config.own_files import read_own

PLACE = "place"
"""File of the catalogue with the folder in which it was made."""


class CopiedCatalogueError(ConnectionError):
    """The catalogue is a copy, or was moved."""


def path_of_place(directory: Path) -> Path:
    """The path under which the catalogue was made, perhaps another name of its folder; a new one is marked with it.

    Raises
    ------
    CopiedCatalogueError
    """
    if place := made_elsewhere(directory):
        raise CopiedCatalogueError(
            f"The catalogue in {directory} was made in {place}, where its arrays lie: it is a copy, or was moved. "
            "The next session sets it aside and fills another from the journal."
        )
    if not (directory / PLACE).exists():
        (directory / PLACE).write_bytes(os.fsencode(directory))
    return Path(_marked(directory) or directory)


def made_elsewhere(directory: Path) -> str:
    """The folder in which a catalogue that was copied or moved was made; empty if it is at its place."""
    place = _marked(directory)
    try:
        return "" if not place or directory.samefile(place) else place
    except OSError:  # it is not there any more
        return place


def _marked(directory: Path) -> str:
    try:
        return os.fsdecode(read_own(directory / PLACE))
    except OSError:
        return ""


def set_aside_copy(directory: Path) -> Path | None:
    """Rename a catalogue that was made elsewhere, so that another can be filled; its new name, or None."""
    if not made_elsewhere(directory):
        return None
    names = (directory.with_name(f"{directory.name}-copied{number}") for number in itertools.count(1))
    return directory.rename(next(name for name in names if not name.exists()))
