"""The command line in a terminal of its own, as a user has it: keys are typed, and the terminal can be closed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping
from pathlib import Path

CTRL_C = "\x03"
CONTROLLED = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
AS_BY_A_SHELL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " signal.signal(signal.SIGHUP, signal.SIG_DFL)"
)
"""Tests that run in the background, or below nohup, pass on that these signals are ignored."""
COMMAND = "{controlled}; {signals}; {before}; from beamline.app.cli import main; main()"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07")
ROOT = Path(__file__).parents[2]


class Terminal:
    """A `trxas` command in a pseudo-terminal.

    Parameters
    ----------
    *arguments : str
        Of the command line.
    cwd : Path, optional
    environment : mapping, optional
        Beside that of the test.
    before : str
        Python statement that the process executes first.
    """

    def __init__(
        self, *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None, before: str = "0"
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 240, 0, 0))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                COMMAND.format(controlled=CONTROLLED, signals=AS_BY_A_SHELL, before=before),
                *arguments,
            ],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **(environment or {})},
            start_new_session=True,
        )
        os.close(theirs)
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        while True:
            try:  # a read that waits would keep the terminal from being closed
                some = os.read(self._ours, 65536) if select.select([self._ours], [], [], 0.05)[0] else None
            except OSError:  # closed
                return
            if some == b"":
                return
            self._read.append(some or b"")

    @property
    def shown(self) -> str:
        """What it has shown so far, without control sequences."""
        text = b"".join(self._read).decode("utf-8", "replace")
        return ESCAPES.sub("", text).replace("\r", "")

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text is shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert self.process.poll() is None and time.monotonic() < deadline, self.shown
            time.sleep(0.02)

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self._ours)

    def end(self, seconds: float = 60.0) -> int:
        """Wait for the end; its exit status."""
        status = self.process.wait(seconds)
        self._reader.join(2)
        return status

    def kill(self) -> None:
        """Kill what still runs."""
        self.process.kill()
        self.process.wait()
