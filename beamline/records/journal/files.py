"""Folder and names of the journal's files."""

from __future__ import annotations

import fcntl
import math
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from beamline.config.own_files import NotOurFileError, open_own
from beamline.records.journal.errors import ForeignFileError, JournalError

FOLDER = "journal"
SUFFIX = ".trxas"
_UID = re.compile(r"[0-9a-fA-F][0-9a-fA-F-]{7,63}")
_RUN_NAME = re.compile(rf"[^/]*_{_UID.pattern}{re.escape(SUFFIX)}")


def journal_directory(root: str | Path) -> Path:
    """The journal's folder below a data root; the folder itself is returned unchanged."""
    path = Path(root)
    return path if path.name == FOLDER else path / FOLDER


def checked_uid(uid: object) -> str:
    """The uid, if it can be part of a file name.

    Raises
    ------
    JournalError
        When it is anything but 8 to 64 hexadecimal digits and hyphens.
    """
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise JournalError(f"The journal takes uids of hexadecimal digits and hyphens only, not {uid!r}.")
    return uid


def new_path(root: str | Path, uid: str, seconds: object) -> Path:
    """A name for a new run's file: its start (UTC, to the millisecond, so that names sort by time) and its uid."""
    usable = isinstance(seconds, int | float) and math.isfinite(seconds) and 0 <= seconds < 253e9
    started = datetime.fromtimestamp(float(seconds) if usable else time.time(), UTC)  # type: ignore[arg-type]
    stamp = started.strftime("%Y-%m-%dT%H%M%S.") + f"{started.microsecond // 1000:03d}"
    return journal_directory(root) / f"{stamp}_{checked_uid(uid)}{SUFFIX}"


def find_run(root: str | Path, uid: str) -> Path | None:
    """The file of a run, or None if the journal has none."""
    ending = f"_{checked_uid(uid)}{SUFFIX}"
    return next(iter(_files(root, lambda name: name.endswith(ending))), None)


def run_file(root: str | Path, uid: str) -> Path:
    """The file of a run.

    Raises
    ------
    JournalError
        When the journal has no such run.
    """
    found = find_run(root, uid)
    if found is None:
        raise JournalError(f"The journal in {journal_directory(root)} has no run {uid}.")
    return found


def run_files(root: str | Path) -> list[Path]:
    """All files of the journal, the earliest run first; see `odd_files` for others with such names."""
    return _files(root, _RUN_NAME.fullmatch)


class FileState(NamedTuple):
    """By which a change of a file is noticed: its size, and its time of change in ns."""

    size: int
    changed: int


def run_states(root: str | Path, odd: dict[str, str] | None = None) -> dict[str, FileState]:
    """State of each file of the journal by its name, the earliest run first; `odd` takes what is no file, as below."""
    found = dict[str, FileState]()
    for entry in sorted(_entries(root, _RUN_NAME.fullmatch), key=lambda entry: entry.name):
        with suppress(FileNotFoundError):  # moved away meanwhile
            if entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                found[entry.name] = FileState(status.st_size, status.st_mtime_ns)
            elif odd is not None:
                odd[entry.name] = _kind(entry)
    return found


def odd_files(root: str | Path) -> dict[Path, str]:
    """Links, folders and pipes in the journal with names of runs, each with its kind. They are never opened."""
    odd = [entry for entry in _entries(root, _RUN_NAME.fullmatch) if not entry.is_file(follow_symlinks=False)]
    return {Path(entry.path): _kind(entry) for entry in sorted(odd, key=lambda entry: entry.name)}


def _files(root: str | Path, fits: Callable[[str], object]) -> list[Path]:
    """Regular files whose names fit, in the order of their names, which are compared as text: paths compare slowly."""
    return list(map(Path, sorted(e.path for e in _entries(root, fits) if e.is_file(follow_symlinks=False))))


def _entries(root: str | Path, fits: Callable[[str], object]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(journal_directory(root)) as entries:
            return [entry for entry in entries if fits(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "it is a symbolic link"
    return "it is a folder" if entry.is_dir(follow_symlinks=False) else "it is no regular file"


def open_run(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a journal file for reading (or, with other flags, for writing); returns the descriptor.

    Raises
    ------
    FileNotFoundError
    ForeignFileError
        When something else has its name, or it belongs to another user and is to be written.
    """
    try:
        return open_own(path, flags)
    except NotOurFileError as error:
        raise ForeignFileError(str(error)) from error
    except PermissionError as error:
        raise ForeignFileError(f"{path} cannot be opened by this user.") from error


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where it has been moved away."""
    try:
        return path.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def uid_of(path: Path | str) -> str:
    """The run's uid, read from the file's name."""
    name = path if isinstance(path, str) else path.name
    return name.removesuffix(SUFFIX).rpartition("_")[2]


def try_lock(descriptor: int, patience: float = 0.0) -> bool:
    """Acquire the writer's lock of an open file within `patience` seconds; False if another writer holds it.

    The lock belongs to the open file, so it is released when the writing process ends, for whatever reason.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        else:
            return True
