"""The keys of the queue: only clients that have one may control it, whoever else is on the machine or network."""

from __future__ import annotations

import os
import stat
from pathlib import Path

SERVER, CLIENT = "server.key", "client.key"
TO_SERVER, TO_CLIENT = "QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", "QSERVER_ZMQ_PUBLIC_KEY"
"""Environment variables from which bluesky-queueserver reads them."""


class QueueKeyError(Exception):
    """A key cannot be used; the message has the reason."""


def queue_keys(folder: Path) -> tuple[str, str]:
    """Keys of server and clients, created at the first start.

    Parameters
    ----------
    folder : Path
        Folder of the key files, which only their owner can read.

    Raises
    ------
    QueueKeyError
        If others may read or write them.
    """
    paths = folder / SERVER, folder / CLIENT
    if not all(path.is_file() for path in paths):
        import zmq

        public, secret = zmq.curve_keypair()
        _write(paths[0], secret)
        _write(paths[1], public)
    server, client = (_read(path) for path in paths)
    return server, client


def _write(path: Path, key: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)


def _read(path: Path) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise QueueKeyError(f"{path} may be read by others: remove it, and the next start makes a new one")
        return file.read().strip()
