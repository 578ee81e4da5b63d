"""One controller a beamline: the session that holds the lock may write, any other may look."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import time
from pathlib import Path

LOCK_FILE = "controller.lock"


class ControlLock:
    """Held by the session that controls a beamline, until it closes or its process ends, however it ends.

    Parameters
    ----------
    root : Path
        Data root of the beamline; the lock file stands in it.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._path = root / LOCK_FILE
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            self._descriptor = -1
        else:
            self._sign()

    @property
    def held(self) -> bool:
        """Whether this session is the controller."""
        return self._descriptor >= 0

    def holder(self) -> str:
        """Who controls the beamline, in words."""
        try:
            entry = json.loads(self._path.read_text(encoding="utf-8"))
            return f"{entry['user']} on {entry['host']} (process {entry['pid']}, since {entry['since']})"
        except (OSError, ValueError, KeyError):
            return "somebody who did not sign"

    def release(self) -> None:
        """Let another session take control."""
        if self.held:
            os.close(self._descriptor)
            self._descriptor = -1

    def _sign(self) -> None:
        entry = {
            "user": getpass.getuser(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(entry).encode(), 0)
