"""A simulated shift: a simulator, a session with its catalogue writer, and everything that the session announced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import epics

from beamline.records.catalogue_writer.lag import runs_behind
from beamline.records.journal.files import find_run
from tests.beamline.tiled_process import TiledProcess
from tests.chaos.driven_session import DrivenSession
from tests.chaos.leftovers import MARK, processes
from tests.chaos.violation import ViolationError
from tests.helpers.ioc_process import ROOT, IocPool, RunningIoc

CLOCK_RATE = 200.0
START_TIMEOUT, SCAN_TIMEOUT, END_TIMEOUT = 300.0, 300.0, 150.0
"""Seconds; machines are shared and slow."""
SHUTTER = "7idd:Laser:ShutterStatus_RBV"


class Shift:
    """The setting in which faults are caused.

    Parameters
    ----------
    folder : Path
        Of the data root and of everything else that the shift writes.
    pool : IocPool
    server : TiledProcess, optional
        Server of the catalogue; without it the catalogue is embedded.
    stores : bool
        Whether the session has a catalogue writer.

    Attributes
    ----------
    events : dict
        Announced events by uid: run and sequence number.
    runs : list of str
        Uids of the runs announced since `begin_step`, raw and reduced.
    foreign : dict
        Foreign files in the journal, each with the outside file that it may link to, and its content.
    spoilt : tuple of float, optional
        Begin and end (s since the epoch) of the effect of the last fault.
    ports : set of int
        Of simulator and server, now and before.
    mark : str
        By which its processes are found.
    history : list of str
    png : Path
        Of the live figure.
    """

    def __init__(self, folder: Path, pool: IocPool, server: TiledProcess | None = None, *, stores: bool = True) -> None:
        self.stores = stores
        self.root, self.folder, self.png = folder / "data", folder, folder / "figures" / "live.png"
        self.server, self.mark = server, os.environ[MARK]
        self._pool = pool
        self.ioc: RunningIoc = pool.start("demo", CLOCK_RATE)
        self.ports = {self.ioc.port} | ({server.port} if server is not None else set())
        self.history: list[str] = []
        self.events: dict[str, Mapping[str, Any]] = {}
        self.runs: list[str] = []
        self.foreign: dict[Path, tuple[Path, bytes]] = {}
        self.spoilt: tuple[float, float] | None = None
        self._seen = 0
        self._ended: dict[str, Any] | None = None
        self.session: DrivenSession | None = None
        self._openings: deque[float] = deque(maxlen=1000)
        self._at_rest_since = 0.0
        self._shutter = epics.PV(self.name(SHUTTER), callback=self._shutter_has_moved, auto_monitor=True)

    @property
    def catalogue(self) -> str:
        """Address of the catalogue."""
        return str(self.root / "catalogue") if self.server is None else self.server.uri

    @property
    def databases(self) -> Path:
        """Folder of the databases of the catalogue."""
        return self.root / "catalogue" if self.server is None else self.folder / "server"

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

    def _shutter_has_moved(self, *, value: Any, timestamp: float, **_: Any) -> None:
        if value:
            self._openings.append(timestamp)

    def require_rest(self) -> None:
        """Since the end of the last scan the laser shutter has not been opened."""
        opened = [moment for moment in self._openings if moment > self._at_rest_since]
        if self._at_rest_since and opened:
            raise ViolationError(f"the laser shutter was opened {opened[0] - self._at_rest_since:.3f} s after a scan")

    def begin(self) -> list[str]:
        """Start a session; returns its messages during the start."""
        catalogue = self.catalogue if self.stores else ""
        self.session = DrivenSession(self.root, self.ioc.prefix, CLOCK_RATE, self.folder / "session.log", catalogue)
        self._seen = 0
        ready = self.session.wait_for(lambda entry: entry["kind"] in ("ready", "read only"), START_TIMEOUT)
        if ready is None or ready["kind"] != "ready":
            raise ViolationError(f"no session: {self.session.reports[-3:]}, see {self.folder / 'session.log'}")
        return [entry["sentence"] for entry in self.session.reports if entry["kind"] == "message"]

    def begin_again(self) -> None:
        """After a violation: kill the session, start another, and shut the laser shutter."""
        self.running.kill()
        self.await_end()
        self.begin()
        self.ask("reconnect", "connected")
        self.ask("shut", "shut")

    @property
    def running(self) -> DrivenSession:
        """The session."""
        assert self.session is not None
        return self.session

    def others(self) -> dict[int, str]:
        """Processes of the shift beside session, simulator and server, each with its command line."""
        known = {self.ioc.process.pid, self.running.process.pid, self.server.pid if self.server is not None else 0}
        return {pid: command for pid, command in processes(self.mark).items() if pid not in known}

    def writers(self) -> list[int]:
        """Catalogue writers of this session."""
        return [pid for pid, command in self.others().items() if "catalogue_writer" in command]

    def begin_step(self) -> None:
        """Forget the last fault and its runs."""
        self.spoilt = None
        self.runs.clear()

    def begin_scan(self, dwells: int, **options: Any) -> None:
        """Start a scan and wait until it has announced this number of dwells."""
        self.require_rest()
        self._at_rest_since = 0.0
        self.running.command("scan", **options)
        self._ended = None
        for _ in range(dwells):
            entry = self.running.wait_for(_is_dwell_or_end, SCAN_TIMEOUT)
            if entry is None:
                raise ViolationError("the session died while it scanned")
            if entry["kind"] == "ended":
                self._ended = entry
                break
        self.collect()

    def present_runs(self) -> list[Path]:
        """Files of the runs of this step."""
        return [path for uid in self.runs if (path := find_run(self.root, uid)) is not None]

    def end_scan(self) -> dict[str, Any] | None:
        """Wait for the end of the scan; None if the session died."""
        ended = self._ended or self.running.wait_for(lambda entry: entry["kind"] == "ended", SCAN_TIMEOUT)
        self.collect()
        self._at_rest_since = time.time()
        return ended

    def scan_well(self, **options: Any) -> None:
        """A scan that nothing disturbs: it succeeds, with the laser shutter shut after it."""
        self.runs.clear()
        self.begin_scan(0, **options)
        ended = self.end_scan()
        if ended is None:
            raise ViolationError("the session died in an undisturbed scan")
        if ended["status"] != "success":
            raise ViolationError(f"an undisturbed scan failed: {ended['error']}")
        if self.get_shutter():
            raise ViolationError("the laser shutter is open after an undisturbed scan")

    def collect(self) -> None:
        """Collect the runs and events announced since the last call."""
        for entry in self.running.reports[self._seen :]:
            if entry["kind"] == "event":
                self.events[entry["uid"]] = entry
            elif entry["kind"] == "start":
                self.runs.append(entry["uid"])
        self._seen = len(self.running.reports)

    def forget(self) -> None:
        """Drop all reports, so that this process does not grow either."""
        self.events.clear()
        self.running.reports.clear()
        self._seen = 0

    def await_end(self, *, alone: bool = False) -> int:
        """Wait for the end of a session and, unless `alone`, of all that it has started; its exit status.

        The catalogue writer of a session that was killed may take longer, as long as it stores that session's runs.
        """
        try:
            status = self.running.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise ViolationError("the session does not end") from None
        self.running.gather()
        self.collect()
        self._at_rest_since = time.time()
        deadline, behind = time.monotonic() + END_TIMEOUT, -1
        while not alone and (left := self.others()):
            before, behind = behind, len(runs_behind(self.root, self.catalogue)) if self.writers() else behind
            if behind != before:
                deadline = time.monotonic() + END_TIMEOUT
            if time.monotonic() > deadline:
                raise ViolationError(f"processes are left: {left}")
            time.sleep(0.2)
        return status

    def ask(self, command: str, reply: str) -> dict[str, Any]:
        """Give the session a command, and wait for its report."""
        self.running.command(command)
        report = self.running.wait_for(lambda entry: entry["kind"] == reply, END_TIMEOUT)
        if report is None:
            raise ViolationError(f"the session died at the command {command}")
        self.collect()
        return report

    def close(self) -> None:
        """End the session as a user does."""
        closed = self.ask("close", "closed")
        for what in ("files", "threads"):
            if closed[what]:
                raise ViolationError(f"a closed session has {what} open: {closed[what]}")
        if status := self.await_end():
            raise ViolationError(f"the exit status of a closed session is {status}")

    def restart_ioc(self, number: int = signal.SIGKILL, pause: float = 0.0) -> None:
        """Kill the simulator, and start another with its prefix and port."""
        self.ioc.process.send_signal(number)
        self.ioc.process.wait()
        self._pool.stop(self.ioc)
        time.sleep(pause)
        self.ioc = self._pool.start("demo", CLOCK_RATE, self.ioc.prefix)
        self.ports.add(self.ioc.port)

    def stop_servers(self) -> None:
        """Stop simulator and catalogue."""
        self._shutter.disconnect()
        self._pool.stop(self.ioc)
        if self.server is not None:
            self.server.kill()

    def abandon(self) -> None:
        """Kill what is still there after a violation."""
        self.stop_servers()
        for pid in processes(self.mark):
            os.kill(pid, signal.SIGKILL)
        if self.session is not None:
            self.session.kill()

    def figure(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a live figure of this shift in a process of its own."""
        self.png.unlink(missing_ok=True)
        command = [sys.executable, "-m", "beamline.outputs.live_figure", "--journal", str(self.root), *options]
        return subprocess.Popen([*command, "--png", str(self.png)], cwd=ROOT, stderr=subprocess.DEVNULL)


def _is_dwell_or_end(entry: Mapping[str, Any]) -> bool:
    return entry["kind"] == "ended" or (entry["kind"] == "event" and entry["dwell"])
