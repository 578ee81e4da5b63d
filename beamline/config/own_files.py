"""Opens files below the data root, where other users may have placed links, pipes or folders."""

from __future__ import annotations

import errno
import os
import stat
from glob import escape
from pathlib import Path

_NO_FILE = {
    errno.ELOOP: "a symbolic link",
    errno.EISDIR: "a folder",
    errno.ENXIO: "a pipe or socket",
}


class NotOurFileError(OSError):
    """A path is not a regular file of this user; the message names what it is, and a remedy."""

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.EINVAL, sentence)

    def __str__(self) -> str:
        return str(self.strerror)


def open_own(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a regular file; returns the descriptor.

    Links are not followed, pipes do not block, and a file opened for writing must belong to this user.

    Raises
    ------
    NotOurFileError
        Naming the path and what it is.
    OSError
        As from `os.open`.
    """
    writing = flags & (os.O_WRONLY | os.O_RDWR) != 0
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise NotOurFileError(f"{path} is not used: it is {_NO_FILE[error.errno]}. Move it away.") from error
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotOurFileError(f"{path} is not used: it is no regular file. Move it away.")
    if writing and status.st_uid != os.geteuid():
        os.close(descriptor)
        raise NotOurFileError(f"{path} is not written: it belongs to another user (uid {status.st_uid}).")
    return descriptor


def read_own(path: Path) -> bytes:
    """The content of a regular file.

    Raises
    ------
    NotOurFileError
        If it is a link, a folder or a pipe.
    OSError
        As from `os.open`.
    """
    with open(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_draft(path: Path, content: bytes) -> None:
    """Write a temporary file that will be renamed to replace another; a leftover one is removed first."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "wb") as file:  # noqa: PTH123
        file.write(content)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file at once, so that readers see the one before or this one."""
    part = draft_path(path)
    try:
        write_draft(part, content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def draft_path(path: Path) -> Path:
    """Path of this process's temporary file beside a file; removes those that killed processes have left."""
    for left in path.parent.glob(f".{escape(path.name)}.*.part"):
        process = left.name.split(".")[-2]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def is_in_place(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at its path."""
    opened = os.fstat(descriptor)
    try:
        there = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino)
