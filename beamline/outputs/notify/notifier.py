"""The process that sends messages: it follows the journal and looks after the session from outside."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from beamline.config.notify import NotifyEntry
from beamline.config.own_files import open_own
from beamline.config.secrets import SecretError
from beamline.outputs.notify.outlet import Outlet, Post
from beamline.outputs.notify.send import SendError, send
from beamline.outputs.notify.states import SessionState, StateWatch
from beamline.records.journal.files import try_lock
from beamline.records.journal.follow import DirectoryReader
from beamline.session.lock import LOCK_FILE

logger = logging.getLogger(__name__)

NEWEST = 8
"""Runs that are read at the start, to know the present state."""
OLD = 60.0
"""Seconds before the start: what changed earlier is not reported."""
FIGURE_TIMEOUT = 60.0
FIRST_RETRY, LAST_RETRY, GIVE_UP = 5.0, 300.0, 6 * 3600.0
"""Seconds between tries of a message, growing, and until it is given up."""

Send = Callable[[str, str, str, Path | None], None]


class _Channel:
    """One entry of the configuration: its state machine, what is held back, and what has to be tried again."""

    def __init__(self, entry: NotifyEntry, label: str) -> None:
        self.entry = entry
        self.states = StateWatch(60.0 * entry.waiting_minutes, entry.least_free_gb)
        self.outlet = Outlet(entry, label)
        self.waiting: list[tuple[Post, float]] = []
        self.not_before, self.pause = 0.0, FIRST_RETRY


class Notifier:
    """Reads the journal and the session's lock file; sends what has changed.

    Parameters
    ----------
    root : Path
        Data root.
    label : str
        Before each title.
    entries : sequence of NotifyEntry
    send : callable
        Takes URL, title, text and a file or None; raises `SendError`.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, root: Path, label: str, entries: Sequence[NotifyEntry], send: Send = send,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._root, self._send, self._clock = root, send, clock
        self._reader = DirectoryReader(root, NEWEST)
        self._channels = [_Channel(entry, label) for entry in entries]
        self._began = clock()

    @property
    def empty(self) -> bool:
        """Whether everything is sent."""
        return all(each.outlet.empty and not each.waiting for each in self._channels)

    def step(self) -> SessionState:
        """Read, look, and send what is due; returns the state of the session."""
        documents, session, now = list(self._reader.poll()), session_state(self._root), self._clock()
        free_gb = shutil.disk_usage(self._root).free / 1e9 if self._root.is_dir() else 0.0
        for channel in self._channels:
            found = [message for item in documents for message in channel.states.take(*item)]
            found += channel.states.look(now, free_gb, session)
            channel.outlet.offer(message for message in found if message.time >= self._began - OLD)
            if (post := channel.outlet.due(now)) is not None:
                channel.waiting.append((post, now))
            self._deliver(channel, now)
        return session

    def _deliver(self, channel: _Channel, now: float) -> None:
        while channel.waiting and now >= channel.not_before:
            post, since = channel.waiting[0]
            try:
                with tempfile.TemporaryDirectory() as folder:
                    figure = draw(self._root, post.scan_set, Path(folder)) if post.scan_set else None
                    self._send(channel.entry.url(), post.title, post.text, figure)
            except (SendError, SecretError) as error:
                logger.warning("%s: %r could not be sent: %s", channel.entry.name, post.title, error)
                channel.not_before, channel.pause = now + channel.pause, min(LAST_RETRY, 2 * channel.pause)
                if now - since < GIVE_UP:
                    return
            else:
                logger.info("%s: sent %r", channel.entry.name, post.title)
                channel.not_before, channel.pause = 0.0, FIRST_RETRY
            channel.waiting.pop(0)


def draw(root: Path, scan_set: str, folder: Path) -> Path | None:
    """The figure of a scan as a file; None if it cannot be drawn."""
    path = folder / "scan.png"
    command = [sys.executable, "-m", "beamline.outputs.live_figure", "--journal", str(root), "--png", str(path)]
    try:
        subprocess.run(
            [*command, "--scan-set", scan_set, "--once"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=FIGURE_TIMEOUT, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return path if path.is_file() else None


def session_state(root: Path) -> SessionState:
    """Whether a session controls the beamline, by the lock file of its data root, which an orderly end removes."""
    try:
        with open(open_own(root / LOCK_FILE, os.O_RDONLY), "rb") as file:  # noqa: PTH123 - a descriptor
            entry = json.loads(file.read(4096))
        host, process = str(entry["host"]), int(entry["pid"])
    except FileNotFoundError:
        return "none"
    except (OSError, ValueError, KeyError, TypeError):
        return "held"  # being written just now
    return "held" if host != socket.gethostname() or _is_alive(process) else "gone"


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")


def serve(notifier: Notifier, root: Path, *, stay: bool, interval: float = 1.0) -> bool:
    """Send messages; without `stay` until the session has ended and everything is sent. One process a data root.

    Returns
    -------
    bool
        False if another process serves this data root already.
    """
    log = root / "log"
    log.mkdir(parents=True, exist_ok=True)
    descriptor = open_own(log / "notify.lock", os.O_RDWR | os.O_CREAT)
    try:
        if not try_lock(descriptor):
            return False
        while (session := notifier.step()) == "held" or stay or not notifier.empty:
            time.sleep(interval if session == "held" or stay else 5 * interval)
    finally:
        os.close(descriptor)
    return True
