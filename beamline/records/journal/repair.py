"""Sets damage in a journal file aside; nothing is deleted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from beamline.config.own_files import is_in_place
from beamline.records.journal.errors import ForeignFileError, JournalError
from beamline.records.journal.files import open_run, try_lock
from beamline.records.journal.fitness import lacking
from beamline.records.journal.format import DAMAGED, MAGIC, frame
from beamline.records.journal.read import RunReader


@dataclass(frozen=True)
class Repair:
    """What `repair` found.

    Attributes
    ----------
    documents : int
        Number of intact documents, all of which are preserved.
    set_aside : Path or None
        The file with the damaged bytes, if any.
    lacks : tuple of str
        Descriptions of what the run lacks.
    """

    documents: int
    set_aside: Path | None
    lacks: tuple[str, ...] = ()


def repair(path: str | Path) -> Repair:
    """Preserve every intact document of a file and set damage aside as ``<file>.damaged-N``.

    A damaged or incomplete end is truncated, and moved to the side file. If damage lies between intact documents, the
    file is rewritten with a note in its place, and the side file is the original.

    Raises
    ------
    JournalError
        When a process is still writing the file, or there is no such file, or it is foreign.
    """
    path = Path(path)
    descriptor = open_locked(path)
    if descriptor is None:
        raise JournalError(f"A process is still writing {path}; stop it, then repair the file.")
    try:
        reader = RunReader(path)
        documents = list(reader.documents())
        aside = _without_gaps(path, descriptor, reader) if reader.gaps else cut_tail(path, descriptor)
    finally:
        os.close(descriptor)
    return Repair(len(documents), aside, tuple(lacking(documents)) if reader.problems else ())


def open_locked(path: Path) -> int | None:
    """Descriptor of a journal file, with its writer's lock; None while another process writes it.

    Raises
    ------
    JournalError
        When there is no such file, or it is foreign.
    """
    try:
        descriptor = open_run(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError as error:
        raise JournalError(f"There is no journal file {path}.") from error
    if try_lock(descriptor) and is_in_place(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def cut_tail(path: Path, descriptor: int) -> Path | None:
    """Set aside what follows the last complete record; returns the side file, or None if nothing does.

    Raises
    ------
    ForeignFileError
        When the file has no record and does not begin as a journal file.
    """
    reader = RunReader(path)
    for _ in reader.documents():
        pass
    size = os.fstat(descriptor).st_size
    if reader.offset == 0 and not MAGIC.startswith(os.pread(descriptor, len(MAGIC), 0)):
        raise ForeignFileError(f"{path} is left alone: it does not begin as a journal file.")
    aside = None
    if size > reader.offset:
        aside = _side_file(path)
        _copy(descriptor, [(reader.offset, size)], aside)
        os.ftruncate(descriptor, reader.offset)
    if reader.offset == 0:
        os.write(descriptor, MAGIC)
    os.fsync(descriptor)
    return aside


def _without_gaps(path: Path, descriptor: int, reader: RunReader) -> Path:
    aside, part = _side_file(path), path.with_name(f"{path.name}.part-{os.getpid()}")
    part.unlink(missing_ok=True)
    position, pieces = len(MAGIC), list[tuple[int, int] | bytes]()
    for (first, end), message in reader.gaps.items():
        pieces += [(position, first), frame(DAMAGED, {"damage": f"{message}; they are in {aside.name}"})]
        position = end
    _copy(descriptor, [MAGIC, *pieces, (position, reader.offset)], part)
    os.link(path, aside, follow_symlinks=False)
    part.replace(path)
    return aside


def _side_file(path: Path) -> Path:
    number = 1
    while os.path.lexists(side := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    return side


def _copy(descriptor: int, pieces: list[tuple[int, int] | bytes], target: Path) -> None:
    """Write bytes, and parts of a file, to a new file, which is on disk on return."""
    with target.open("xb") as file:
        for piece in pieces:
            if isinstance(piece, bytes):
                file.write(piece)
                continue
            position, end = piece
            while position < end:
                block = os.pread(descriptor, min(2**20, end - position), position)
                if not block:
                    break
                position += file.write(block)
        file.flush()
        os.fsync(file.fileno())
