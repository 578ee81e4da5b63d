"""The lock that gives one session exclusive control of a beamline, whoever starts it, and from wherever.

There is a lock file per device, in a folder that all users share, and one in the data root, whose journal has one
writer. If several machines reach the beamline, the folder must be on a disk that all of them mount.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from beamline.config.models import Configuration
from beamline.formatting import printable

LOCK_FILE = "controller.lock"
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
ALL_USERS = 0o666
TRIES = 20
"""Attempts to lock a file that its holder removes, on exit, between open and lock."""
LONGEST_SIGNATURE = 1000


class ControlLostError(RuntimeError):
    """Another session has taken control; the message names the lock file."""


def lock_paths(config: Configuration) -> list[Path]:
    """Every file that a session locks. Simulated devices on different ports have different files."""
    where = [os.environ.get(name, "") for name in ("EPICS_CA_ADDR_LIST", "EPICS_CA_SERVER_PORT")]
    simulated = where if config.mode == "sim" else []
    devices = [config.control.lock / _file_of([each, *simulated]) for each in sorted(config.station.own_records())]
    return [*devices, config.data.root.absolute() / LOCK_FILE]  # last: a refused session creates nothing in the root


def _file_of(device: list[str]) -> str:
    digest = hashlib.sha256(json.dumps(device).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', device[0])}-{digest[:12]}.lock"


class ControlLock:
    """Held by the controlling session until it is closed or its process ends, for whatever reason.

    Parameters
    ----------
    paths : iterable of Path
        As returned by `lock_paths`. Missing folders are created, those of devices writable for all users.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._held: dict[Path, int] = {}
        self._names: list[socket.socket] = []
        self.refusal = ""
        """Why the lock is not held; empty if it is."""
        for path in paths:
            try:
                self._take(path)
            except BlockingIOError:
                self.refusal = f"controlled by {signature(path)}"
            except OSError as error:
                self.refusal = f"not controlled from here: the lock {path} cannot be used ({error.strerror or error})"
            if self.refusal:
                self.release()
                return

    @property
    def held(self) -> bool:
        """Whether this session is the controller."""
        return bool(self._held)

    def restore(self) -> list[Path]:
        """Restore lock files that were removed or replaced; returns their paths.

        Raises
        ------
        ControlLostError
            If another session has locked one meanwhile, or it cannot be locked.
        """
        lost = [path for path, descriptor in self._held.items() if not _is_at(path, descriptor)]
        for path in lost:
            try:
                descriptor = _locked(path)
            except BlockingIOError:
                raise ControlLostError(f"{signature(path)} has taken control: {path} was replaced") from None
            except OSError as error:
                raise ControlLostError(
                    f"{path} was removed and cannot be locked again: {error.strerror or error}"
                ) from error
            os.close(self._held[path])
            self._held[path] = descriptor
            _sign(descriptor)
        return lost

    def release(self) -> None:
        """Let another session take control."""
        for path, descriptor in self._held.items():
            with suppress(OSError):  # a shared folder refuses to remove another user's file
                if _is_at(path, descriptor):
                    path.unlink()
            os.close(descriptor)
        for name in self._names:
            name.close()
        self._held, self._names = {}, []

    def _take(self, path: Path) -> None:
        name = socket.socket(socket.AF_UNIX)  # exists in the kernel only, so it cannot be removed
        self._names.append(name)
        title = str(path) if path.name == LOCK_FILE else path.name
        try:
            name.bind(f"\0trxas {hashlib.sha256(title.encode()).hexdigest()}")
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        self._held[path] = _locked(path)
        _sign(self._held[path])


def signature(path: Path) -> str:
    """The holder named in a lock file: user, host, process and time."""
    try:
        descriptor = os.open(path, os.O_RDONLY | FLAGS)
        try:
            entry = json.loads(os.read(descriptor, LONGEST_SIGNATURE))
        finally:
            os.close(descriptor)
        return printable(f"{entry['user']} on {entry['host']} (process {entry['pid']}, since {entry['since']})")
    except (OSError, ValueError, KeyError, TypeError):
        return "an unidentified session"


def _make_folder_of(path: Path) -> None:
    folder, shared = path.parent, path.name != LOCK_FILE
    if folder.is_symlink() and shared:
        raise OSError(f"{folder} is a link")
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        if shared:
            folder.chmod(stat.S_ISVTX | 0o777)


def _locked(path: Path) -> int:
    """Open and lock the file at this path; returns the descriptor.

    Raises
    ------
    BlockingIOError
        If another session holds the lock.
    OSError
        If it cannot be opened, or is no regular file.
    """
    _make_folder_of(path)
    for _ in range(TRIES):
        try:
            descriptor = _opened(path)
        except (FileExistsError, FileNotFoundError):  # another process created or removed it meanwhile
            continue
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{path} is no regular file")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(f"{path} is removed repeatedly")


def _opened(path: Path) -> int:
    """Open first, create after: with O_CREAT the kernel refuses another user's file in a shared folder."""
    try:
        return os.open(path, os.O_RDWR | FLAGS)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS, ALL_USERS)
        os.fchmod(descriptor, ALL_USERS)
        return descriptor
    except PermissionError:
        return os.open(path, os.O_RDONLY | FLAGS)  # sufficient for flock


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one at this path."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _sign(descriptor: int) -> None:
    entry = {
        "user": getpass.getuser(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with suppress(OSError):  # read-only for another user's file, but locked nevertheless
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(entry).encode(), 0)
