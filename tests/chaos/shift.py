"""A simulated shift: a simulator, a session, its catalogue's writer; and all that the session ever announced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import epics

from tests.chaos.driven_session import DrivenSession, ViolationError, is_alive
from tests.helpers.ioc_process import ROOT, IocPool, RunningIoc

CLOCK_RATE = 200.0
START_TIMEOUT, SCAN_TIMEOUT, END_TIMEOUT = 120.0, 180.0, 60.0
"""Seconds; machines are shared and slow."""
SHUTTER = "7idd:Laser:ShutterStatus_RBV"


class Shift:
    """What faults are caused in.

    Attributes
    ----------
    events : dict
        Uid of each event that was announced, and the run, stream number, time and quality of it.
    stops : dict
        Exit status by run, as announced.
    foreign : dict
        What stands in the journal and is no run, with the file outside that it may lead to, and its content.
    spoilt : tuple of float, optional
        Between which moments (monotonic clock, s) the last fault was there, if it spoils dwells.
    history : list of str
    """

    def __init__(self, root: Path, pool: IocPool) -> None:
        self.root, self.folder = root / "data", root
        self._pool = pool
        self.ioc: RunningIoc = pool.start("demo", CLOCK_RATE)
        self.history: list[str] = []
        self.events: dict[str, Mapping[str, Any]] = {}
        self.stops: dict[str, str] = {}
        self.foreign: dict[Path, tuple[Path, bytes]] = {}
        self.spoilt: tuple[float, float] | None = None
        self._seen = 0
        self._ended: dict[str, Any] | None = None
        self.session: DrivenSession | None = None

    def note(self, sentence: str) -> None:
        """Keep a line of the history."""
        self.history.append(f"{time.strftime('%H:%M:%S')} {sentence}")

    def name(self, suffix: str) -> str:
        """Full name of a record."""
        return self.ioc.prefix + suffix

    def put(self, suffix: str, value: Any) -> None:
        """Put as somebody at a panel does."""
        if epics.caput(self.name(suffix), value, wait=True, timeout=20.0) != 1:
            raise ViolationError(f"the simulator does not take {value!r} for {suffix}")

    def get(self, suffix: str) -> Any:
        """What a panel shows."""
        for _ in range(20):
            value = epics.caget(self.name(suffix), timeout=5.0, use_monitor=False)
            if value is not None:
                return value
        raise ViolationError(f"the simulator does not answer for {suffix}")

    def get_shutter(self) -> bool:
        """Whether the laser shutter is open."""
        return bool(self.get(SHUTTER))

    def begin(self) -> list[str]:
        """Start a session; what it told at its start."""
        self.session = DrivenSession(self.root, self.ioc.prefix, CLOCK_RATE, self.folder / "session.log")
        self._seen = 0
        ready = self.session.wait_for(lambda entry: entry["said"] in ("ready", "read only"), START_TIMEOUT)
        if ready is None or ready["said"] != "ready":
            raise ViolationError(f"no session: {self.session.said[-3:]}, see {self.folder / 'session.log'}")
        return [entry["sentence"] for entry in self.session.said if entry["said"] == "told"]

    @property
    def running(self) -> DrivenSession:
        """The session."""
        assert self.session is not None
        return self.session

    def writers(self) -> list[int]:
        """Processes that fill the catalogue for this session."""
        return [pid for pid in self.running.children() if "catalogue_writer" in command_of(pid)]

    def begin_scan(self, events: int) -> None:
        """Start a scan and wait until it has announced so many dwells."""
        self.running.order("scan")
        self._ended = None
        for _ in range(events):
            entry = self.running.wait_for(_is_dwell_or_end, SCAN_TIMEOUT)
            if entry is None:
                raise ViolationError("the session died while it scanned")
            if entry["said"] == "ended":
                self._ended = entry
                break
        self.take_in()

    def end_scan(self) -> dict[str, Any] | None:
        """Wait for the end of the scan; None if the session died."""
        ended = self._ended or self.running.wait_for(lambda entry: entry["said"] == "ended", SCAN_TIMEOUT)
        self.take_in()
        return ended

    def take_in(self) -> None:
        """Remember what was announced since the last call."""
        for entry in self.running.said[self._seen :]:
            if entry["said"] == "event":
                self.events[entry["uid"]] = entry
            elif entry["said"] == "stop":
                self.stops[entry["run"]] = entry["status"]
        self._seen = len(self.running.said)

    def forget(self) -> None:
        """Of what was announced: this process is not to grow either."""
        self.events.clear()
        self._seen = 0

    def lost_session(self) -> list[str]:
        """The session is dead: take in its last words, start another; what that told."""
        children = self.running.children()
        self.running.kill()
        self.take_in()
        self.note("a new session begins")
        deadline = time.monotonic() + END_TIMEOUT
        while any(is_alive(pid) for pid in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.begin()

    def close(self) -> None:
        """End the session as a user does."""
        children = self.running.children()
        self.running.order("close")
        if self.running.wait_for(lambda entry: entry["said"] == "closed", END_TIMEOUT) is None:
            raise ViolationError("the session died while it ended")
        self.running.process.wait(END_TIMEOUT)
        self.take_in()
        if left := [f"{pid} ({command_of(pid)})" for pid in children if is_alive(pid)]:
            raise ViolationError(f"processes are left: {', '.join(left)}")

    def restart_ioc(self) -> None:
        """The simulator's process dies and another takes its place, prefix and port."""
        self.ioc.process.send_signal(signal.SIGKILL)
        self.ioc.process.wait()
        self._pool.stop(self.ioc)
        self.ioc = self._pool.start("demo", CLOCK_RATE, self.ioc.prefix)

    def abandon(self) -> None:
        """After a violation: nothing is left running."""
        if self.session is not None:
            for pid in self.session.children():
                os.kill(pid, signal.SIGKILL)
            self.session.kill()

    def figure(self, png: Path) -> subprocess.Popen[bytes]:
        """A live figure of this shift, as a process of its own."""
        command = [sys.executable, "-m", "beamline.outputs.live_figure", "--journal", str(self.root)]
        return subprocess.Popen([*command, "--png", str(png)], cwd=ROOT, stderr=subprocess.DEVNULL)


def command_of(pid: int) -> str:
    """Command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _is_dwell_or_end(entry: Mapping[str, Any]) -> bool:
    return entry["said"] == "ended" or (entry["said"] == "event" and entry["quality"] is not None)
