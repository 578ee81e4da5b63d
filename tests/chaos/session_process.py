"""A session that executes commands from its standard input and reports on its standard output, as lines of JSON.

Arguments: data root, PV prefix, clock rate, and the catalogue (or nothing, for a session without a catalogue writer).
Each event is reported after the journal has stored it. The process ends on signals as `trxas scan` does.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import RunEngineInterrupted

from beamline.config.models import load
from beamline.session.orderly_end import OrderlyEnd
from beamline.session.session import Session, start
from beamline.station.connect import connect
from tests.beamline.configurations import configuration
from tests.chaos.leftovers import open_files, threads

ENERGIES = [13.450, 13.472, 13.57]
PATTERN = [1, 0, 0, 1]
DWELLS = len(ENERGIES) * len(PATTERN)
"""Dwells of one scan."""
DWELL = 2.0
"""Seconds of beamline time."""
RECONNECT_TIMEOUT = 50.0
"""Seconds; libca searches for lost records at growing intervals."""
REMEMBERED = 2000
"""Events whose times are kept."""


def report(**entries: Any) -> None:
    print(json.dumps(entries), flush=True)


def message(sentence: object) -> None:
    report(kind="message", sentence=str(sentence))


class Shift:
    """The commands of the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._run: dict[str, str] = {}
        self._moments: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        session.RE.subscribe(self.announce)
        session.listen_reduced(self.announce, "the list of reduced events")

    def announce(self, name: str, doc: Mapping[str, Any]) -> None:
        """Report a document that the journal has stored."""
        if name == "start":
            report(kind="start", uid=doc["uid"], raw="analysis_of" not in doc)
        elif name == "descriptor":
            self._run[doc["uid"]] = doc["run_start"]
        elif name == "event":
            is_dwell = "segment" in doc["data"]
            if is_dwell:
                self._moments.append((time.perf_counter(), time.process_time()))
            report(kind="event", uid=doc["uid"], run=self._run[doc["descriptor"]], seq=doc["seq_num"], dwell=is_dwell)
        elif name == "stop":
            report(kind="stop", run=doc["run_start"], status=doc["exit_status"], reason=doc.get("reason", ""))

    def scan(self, repeats: int = 1, dwell: float = DWELL) -> None:
        """Run one pass over a short grid, with so many repeats of the pattern, and report its outcome."""
        RE = self._session.RE
        self._run.clear()
        plan = self._session.scans.plans["energy_scan"]
        try:
            RE(plan(energies=ENERGIES, dwell=dwell, pattern=PATTERN * repeats, passes=1))
            report(kind="ended", status="success", error="")
        except RunEngineInterrupted:
            if RE.state == "paused":
                RE.abort("paused by the campaign")
            report(kind="ended", status="abort", error="interrupted")
        except Exception as error:  # noqa: BLE001 the campaign judges any error
            report(kind="ended", status="fail", error=f"{type(error).__name__}: {error}")

    def reconnect(self) -> None:
        """Report when all records are connected, as a user looks for it before the next scan."""
        connect(self._session.beamline.devices(), RECONNECT_TIMEOUT)
        report(kind="connected")

    def shut(self) -> None:
        """Shut the laser shutter as the message at the start of a session advises."""
        self._session.RE(bps.mv(self._session.beamline.laser.shutter, 0))
        report(kind="shut")

    def measure(self) -> None:
        """Report the resources of this process, and the time of recent events."""
        gc.collect()
        steps = np.diff(np.reshape(self._moments, (-1, 2)), axis=0)
        wall, processor = np.median(steps, axis=0) if steps.size else (np.nan, np.nan)
        self._moments.clear()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        report(
            kind="measured",
            objects=len(gc.get_objects()),
            memory=int(status["VmRSS"].split()[0]) / 1024,
            threads=int(status["Threads"]),
            files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            wall=1e3 * float(wall),
            processor=1e3 * float(processor),
        )


def set_clock(offset: float) -> None:
    """Shift the clock of this process, at once."""
    true = getattr(time.time, "true", time.time)

    def wrong() -> float:
        return float(true() + offset)

    wrong.true = true  # type: ignore[attr-defined]
    time.time = wrong  # type: ignore[assignment]


def listen(commands: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Take commands from the standard input; the clock is set also during a scan."""
    lines = b""
    while read := os.read(0, 65536):  # a thread in a read of sys.stdin would hold its lock when the process ends
        *whole, lines = (lines + read).split(b"\n")
        for command in map(json.loads, whole):
            if command["do"] == "clock":
                set_clock(command["offset"])
            else:
                commands.put(command)


def serve(session: Session) -> None:
    """Execute commands until ``close``."""
    shift = Shift(session)
    commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(commands,), name="commands", daemon=True).start()
    report(kind="ready")
    while (command := commands.get())["do"] != "close":
        getattr(shift, command.pop("do"))(**command)


def main(root: str, prefix: str, clock_rate: str, catalogue: str) -> None:
    data = {"root": root, "min_free_gb": 0.01, "catalogue": catalogue}
    packaged = load("simulated").suspenders
    config = configuration(Path(root), prefix, float(clock_rate), waiting=True, data=data, suspenders=packaged)
    signal.signal(signal.SIGINT, lambda *_: None)  # between scans; during one the RunEngine handles it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the campaign may have been started with nohup
    with (
        OrderlyEnd(),
        start(config, fill_catalogue=bool(catalogue), notify=message) as session,
    ):
        if not isinstance(session, Session):
            report(kind="read only")
            return
        serve(session)
    left = [path for path in open_files(Path(root).parent) if not path.endswith("session.log")]
    report(kind="closed", threads=sorted(threads()), files=left)


if __name__ == "__main__":
    main(*sys.argv[1:])
