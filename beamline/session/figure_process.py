"""Starts and stops the live figure of a session, as a separate process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from beamline.config.models import Configuration
from beamline.config.own_files import open_own, read_own
from beamline.formatting import printable

STOP_TIMEOUT = 5.0
LAST_WORDS = 1000
"""Bytes at the end of the log in which the reason of a failure is looked for."""
QT_BINDINGS = ("PySide6", "PyQt6")


def has_display() -> bool:
    """Whether there is a display."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def has_qt() -> bool:
    """Whether Qt is installed."""
    return any(importlib.util.find_spec(name) is not None for name in QT_BINDINGS)


def png_path(config: Configuration) -> Path:
    """The PNG file of a configuration; a relative path is below the data root."""
    return config.data.root / config.display.png


def figure_command(config: Configuration, notify: Callable[[str], None]) -> list[str] | None:
    """Command line of the live figure that a session opens automatically; None if it opens none.

    Parameters
    ----------
    config : Configuration
    notify : callable
        Called with messages for the user.
    """
    choice = config.display.live_figure
    if choice == "off" or (choice == "auto" and not has_display()):
        return None
    command = [
        sys.executable,
        "-m",
        "beamline.outputs.live_figure",
        "--journal",
        str(config.data.root),
        "--with-parent",
    ]
    if choice == "auto" and has_qt():
        return command
    if choice == "auto":
        notify("There is a display but no Qt (the extra 'qt'), so the live figure is written to a file.")
    notify(f"Live figure: {png_path(config)}")
    return [*command, "--png", str(png_path(config)), "--every", "2"]


class LiveFigureProcess:
    """A live figure process that ends with its session. Its failure affects nothing else.

    Parameters
    ----------
    command : list of str
        As from `figure_command`.
    log : Path
        Output file of the process.
    notify : callable
        Called with a message for the user if it fails, for example because no window can be opened.
    """

    def __init__(self, command: list[str], log: Path, notify: Callable[[str], None] = lambda text: None) -> None:
        self._log, self._notify, self._closing = log, notify, False
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(open_own(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as output:  # noqa: PTH123
            # a process session of its own: Ctrl-C in the terminal is for the scan
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        threading.Thread(target=self._report_failure, name="live figure", daemon=True).start()

    def _report_failure(self) -> None:
        status = self._process.wait()
        if status and not self._closing:
            said = read_own(self._log)[-LAST_WORDS:].decode("utf-8", "replace").strip().splitlines()
            why = printable(said[-1]) if said else f"status {status}"
            self._notify(f"The live figure has ended: {why}. The scan goes on; `trxas figure` opens another.")

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self, timeout: float = STOP_TIMEOUT) -> None:
        """Terminate it; kill it after `timeout` seconds."""
        self._closing = True
        self._process.terminate()
        try:
            self._process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def open_live_figure(config: Configuration, notify: Callable[[str], None]) -> LiveFigureProcess | None:
    """Start the configured live figure; None if none is configured, or it cannot be started."""
    command = figure_command(config, notify)
    if command is None:
        return None
    try:
        return LiveFigureProcess(command, config.data.root / "log" / "live_figure.log", notify)
    except OSError as error:
        notify(f"The live figure could not be started ({error.strerror}); `trxas figure` opens one.")
        return None
