"""A simulated shift: a simulator, a session with its catalogue writer, and everything that the session announced."""

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
    """The setting in which faults are caused.

    Attributes
    ----------
    events : dict
        Announced events by uid: run, sequence number, time and quality.
    stops : dict
        Announced exit status by run.
    foreign : dict
        Foreign files in the journal, each with the outside file that it may link to, and its content.
    spoilt : tuple of float, optional
        Begin and end (monotonic clock, s) of the last fault, if it spoils dwells.
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
        """Add a line to the history."""
        self.history.append(f"{time.strftime('%H:%M:%S')} {sentence}")

    def name(self, suffix: str) -> str:
        """Full name of a record."""
        return self.ioc.prefix + suffix

    def put(self, suffix: str, value: Any) -> None:
        """Put from a client outside the session, as a panel does."""
        if epics.caput(self.name(suffix), value, wait=True, timeout=20.0) != 1:
            raise ViolationError(f"the simulator does not take {value!r} for {suffix}")

    def get(self, suffix: str) -> Any:
        """Get the value as a panel shows it."""
        for _ in range(20):
            value = epics.caget(self.name(suffix), timeout=5.0, use_monitor=False)
            if value is not None:
                return value
        raise ViolationError(f"the simulator does not answer for {suffix}")

    def get_shutter(self) -> bool:
        """Whether the laser shutter is open."""
        return bool(self.get(SHUTTER))

    def begin(self) -> list[str]:
        """Start a session; returns its messages during the start."""
        self.session = DrivenSession(self.root, self.ioc.prefix, CLOCK_RATE, self.folder / "session.log")
        self._seen = 0
        ready = self.session.wait_for(lambda entry: entry["kind"] in ("ready", "read only"), START_TIMEOUT)
        if ready is None or ready["kind"] != "ready":
            raise ViolationError(f"no session: {self.session.reports[-3:]}, see {self.folder / 'session.log'}")
        return [entry["sentence"] for entry in self.session.reports if entry["kind"] == "message"]

    @property
    def running(self) -> DrivenSession:
        """The session."""
        assert self.session is not None
        return self.session

    def writers(self) -> list[int]:
        """Catalogue writers of this session."""
        return [pid for pid in self.running.children() if "catalogue_writer" in command_of(pid)]

    def begin_scan(self, events: int) -> None:
        """Start a scan and wait until it has announced this number of dwells."""
        self.running.command("scan")
        self._ended = None
        for _ in range(events):
            entry = self.running.wait_for(_is_dwell_or_end, SCAN_TIMEOUT)
            if entry is None:
                raise ViolationError("the session died while it scanned")
            if entry["kind"] == "ended":
                self._ended = entry
                break
        self.collect()

    def end_scan(self) -> dict[str, Any] | None:
        """Wait for the end of the scan; None if the session died."""
        ended = self._ended or self.running.wait_for(lambda entry: entry["kind"] == "ended", SCAN_TIMEOUT)
        self.collect()
        return ended

    def collect(self) -> None:
        """Collect the events and stops announced since the last call."""
        for entry in self.running.reports[self._seen :]:
            if entry["kind"] == "event":
                self.events[entry["uid"]] = entry
            elif entry["kind"] == "stop":
                self.stops[entry["run"]] = entry["status"]
        self._seen = len(self.running.reports)

    def forget(self) -> None:
        """Drop the announced events, so that this process does not grow either."""
        self.events.clear()
        self._seen = 0

    def lost_session(self) -> list[str]:
        """Collect the last reports of a dead session and start another; returns the messages of its start."""
        children = self.running.children()
        self.running.kill()
        self.collect()
        self.note("a new session begins")
        deadline = time.monotonic() + END_TIMEOUT
        while any(is_alive(pid) for pid in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.begin()

    def close(self) -> None:
        """End the session as a user does."""
        children = self.running.children()
        self.running.command("close")
        if self.running.wait_for(lambda entry: entry["kind"] == "closed", END_TIMEOUT) is None:
            raise ViolationError("the session died while it ended")
        self.running.process.wait(END_TIMEOUT)
        self.collect()
        if left := [f"{pid} ({command_of(pid)})" for pid in children if is_alive(pid)]:
            raise ViolationError(f"processes are left: {', '.join(left)}")

    def restart_ioc(self) -> None:
        """Kill the simulator, and start another with its prefix and port."""
        self.ioc.process.send_signal(signal.SIGKILL)
        self.ioc.process.wait()
        self._pool.stop(self.ioc)
        self.ioc = self._pool.start("demo", CLOCK_RATE, self.ioc.prefix)

    def abandon(self) -> None:
        """Kill all processes after a violation."""
        if self.session is not None:
            for pid in self.session.children():
                os.kill(pid, signal.SIGKILL)
            self.session.kill()

    def figure(self, png: Path) -> subprocess.Popen[bytes]:
        """Start a live figure of this shift in a process of its own."""
        command = [sys.executable, "-m", "beamline.outputs.live_figure", "--journal", str(self.root)]
        return subprocess.Popen([*command, "--png", str(png)], cwd=ROOT, stderr=subprocess.DEVNULL)


def command_of(pid: int) -> str:
    """Command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _is_dwell_or_end(entry: Mapping[str, Any]) -> bool:
    return entry["kind"] == "ended" or (entry["kind"] == "event" and entry["quality"] is not None)
